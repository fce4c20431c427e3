"""Which URIs a client may name, and how they are shown: by scheme, by folder, by address."""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from pipelines.errors import SourceForbidden, SourceUnavailable
from service.settings import Network

Resolve = Callable[[str, int], Sequence[str]]
_HTTP_PORTS = {"http": 80, "https": 443}


def redact_uri(uri: str) -> str:
    """The URI without its password and without its query, which often holds a token."""
    scheme, mark, rest = uri.partition("://")
    if mark and "@" in rest and not rest.startswith("/"):
        # A password may hold "/", "?" or "@" unescaped: everything up to the last "@" goes.
        uri = f"{scheme}://***@{rest.rpartition('@')[2]}"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "unreadable URI"
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "***" if parts.query else "", ""))


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

    schemes: allowed ones, such as http, https, file, rtsp.  folders: below which files may lie.
    networks: where hosts may lie: public, private, loopback.
    """

    schemes: frozenset[str]
    folders: tuple[Path, ...]
    networks: frozenset[Network]
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
            network = network_of(address)
            if network not in self.networks:
                allowed = ", ".join(sorted(self.networks))
                raise SourceForbidden(f"{host} resolves to a {network or 'reserved'} address; allowed: {allowed}")
        return Target(scheme, host, port, addresses[0])


_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)


def network_of(address: str) -> Network | None:
    """What kind of address it is; None for those that nobody may name: link-local, multicast, reserved."""
    found = ipaddress.ip_address(address.partition("%")[0])
    # ::ffff:127.0.0.1, 2002:7f00:1:: and 64:ff9b::7f00:1 all lead to an IPv4 address.
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found.sixtofour or found
    if isinstance(found, ipaddress.IPv6Address) and found in ipaddress.ip_network("64:ff9b::/96"):
        found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if found.is_loopback:
        return "loopback"
    if any(found.version == net.version and found in net for net in _PRIVATE):
        return "private"
    return "public" if found.is_global and not found.is_multicast else None
