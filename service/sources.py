"""Which URIs a client may name, and how they are shown: by scheme, by folder, by address."""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pipelines.errors import SourceForbidden, SourceUnavailable

Resolve = Callable[[str, int], Sequence[str]]
_HTTP_PORTS = {"http": 80, "https": 443}


def redact_uri(uri: str) -> str:
    """The URI without its password and without its query, which often holds a token."""
    try:
        parts = urlsplit(uri)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "unreadable URI"
    user = "***@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + host, parts.path, "***" if parts.query else "", ""))


def _resolve(host: str, port: int) -> Sequence[str]:
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise SourceUnavailable(f"{host} has no address: {error.strerror}", "not_found") from error


@dataclass(frozen=True, slots=True)
class Target:
    """An http(s) source that may be fetched: connect to `address`, ask for `host`."""

    scheme: str
    host: str
    port: int
    address: str


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What a client may name as a source.

    schemes: allowed ones of http, https, file.  folders: below which files may lie.
    has_private_hosts: whether addresses that are not public are allowed.
    """

    schemes: frozenset[str]
    folders: tuple[Path, ...]
    has_private_hosts: bool
    resolve: Resolve = _resolve

    def require_scheme(self, uri: str) -> str:
        """The scheme of an allowed URI; raises SourceForbidden."""
        match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
        scheme = match[1].lower() if match else ""
        if scheme not in self.schemes:
            allowed = ", ".join(sorted(self.schemes)) or "none (ACTOGRAM_SOURCE_SCHEMES is empty)"
            raise SourceForbidden(f"scheme {scheme or 'missing'!r} of {redact_uri(uri)}; allowed: {allowed}")
        if scheme == "file":
            self.require_file(uri)
        return scheme

    def require_file(self, uri: str) -> Path:
        """The file that an allowed file: URI names; raises SourceForbidden, also when it is not there."""
        parts = urlsplit(uri)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or "\0" in str(path):
            raise SourceForbidden(f"{redact_uri(uri)} names a host; a file: URI is file:///path")
        # Resolved first: a link or a .. must not lead out of the folder. The same words for a file that is missing
        # and one that is outside, so that nobody can ask what else the disk holds.
        found = path.resolve()
        if not any(found.is_relative_to(folder.resolve()) for folder in self.folders) or not found.is_file():
            raise SourceForbidden(f"{redact_uri(uri)} is no file below an allowed folder (ACTOGRAM_SOURCE_FOLDERS)")
        return found

    def require_target(self, uri: str) -> Target:
        """Where an allowed http(s) URI leads, resolved now; raises SourceForbidden, SourceUnavailable.

        Connect to the address that is returned: a name may resolve to another one a moment later.
        """
        scheme = self.require_scheme(uri)
        try:
            parts = urlsplit(uri)
            host, port = parts.hostname or "", parts.port or _HTTP_PORTS.get(scheme, 0)
        except ValueError as error:
            raise SourceForbidden(f"{redact_uri(uri)}: {error}") from error
        if not host or scheme not in _HTTP_PORTS:
            raise SourceForbidden(f"{redact_uri(uri)} names no host")
        addresses = self.resolve(host, port)
        for address in addresses:
            if not self.has_private_hosts and not _is_public(address):
                raise SourceForbidden(f"{host} resolves to {address}, which is not a public address")
        return Target(scheme, host, port, addresses[0])


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    found = mapped or parsed
    return bool(found.is_global) and not found.is_multicast
