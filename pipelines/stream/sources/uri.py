"""Addresses of sources: what they name, which of them may be opened, and how to show them without secrets."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pipelines.errors import SourceForbidden, SourceUnavailable

SourceKind = Literal["rtsp", "rtmp", "http", "file", "webcam", "push"]

_KINDS: dict[str, SourceKind] = {
    "rtsp": "rtsp", "rtsps": "rtsp", "rtmp": "rtmp", "rtmps": "rtmp", "http": "http", "https": "http",
    "file": "file", "webcam": "webcam", "push": "push",
}  # fmt: skip
_PORTS = {"rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "http": 80, "https": 443}
_SECRET = re.compile(
    r"(?i)\b((?:[\w-]*(?:pass|pwd|token|secret|sig|auth|credential)[\w-]*|\w*key|user(?:name)?|usr|login)=)[^&/?#;\s]*"
)


def redact(uri: str) -> str:
    """The address without its user, its password and every value that is named like a secret."""
    scheme, mark, rest = uri.partition("://")
    if mark and "@" in rest:
        # A password may hold "/", "@" or "?" unescaped: everything up to the last "@" goes.
        rest = "***@" + rest.rpartition("@")[2]
    return _SECRET.sub(r"\1***", scheme + mark + rest)


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """Which addresses may be opened; the defaults suit a server whose users may only name cameras.

    schemes: the part before the colon.
    allow_private: addresses of private networks, where cameras live.
    allow_local: loopback and link-local addresses, where the machine's own services and a cloud's metadata live.
    hosts: patterns such as "*.cameras.example"; where any are given, every other host is refused.
    file_roots: folders below which `file:` may read; none by default.
    follow_redirects: whether HTTP servers may send the reader elsewhere, past this policy. What a playlist names is
                      always fetched, by HTTP(S) only: where that must be feared too, give `hosts` you trust.
    """

    schemes: frozenset[str] = frozenset({"rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "push"})
    allow_private: bool = True
    allow_local: bool = False
    hosts: tuple[str, ...] = ()
    file_roots: tuple[Path, ...] = ()
    follow_redirects: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """An address that the policy lets through. `text` may hold credentials; `shown` never does."""

    text: str
    shown: str
    kind: SourceKind
    scheme: str
    host: str | None = None
    port: int | None = None
    path: Path | None = None


def require_allowed(uri: str, policy: SourcePolicy) -> Address:
    """Read an address and check it against the policy; resolves its host.

    A name is resolved again by the library that connects: where a hostile name server must be feared, give `hosts` or
    put a firewall around the worker. Raises SourceForbidden, or SourceUnavailable where the host has no address.
    """
    shown = redact(uri)
    scheme = uri.partition(":")[0].lower()
    kind = _KINDS.get(scheme)
    if kind is None or scheme not in policy.schemes:
        raise SourceForbidden(f"{shown}: scheme not allowed; allowed are {', '.join(sorted(policy.schemes))}")
    if kind == "push":
        return Address(uri, shown, kind, scheme)
    if kind == "file":
        return Address(uri, shown, kind, scheme, path=_require_path(uri, shown, policy))
    if kind == "webcam":
        return Address(uri, shown, kind, scheme, path=_device(uri, shown))
    return _network_address(uri, shown, policy)


def _network_address(uri: str, shown: str, policy: SourcePolicy) -> Address:
    try:
        parts = urlsplit(uri)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port or _PORTS[parts.scheme.lower()]
    except ValueError as error:
        raise SourceForbidden(f"{shown}: not an address; escape @, / and ? in the password") from error
    if not host:
        raise SourceForbidden(f"{shown}: names no host")
    if policy.hosts and not any(fnmatch(host.lower(), pattern.lower()) for pattern in policy.hosts):
        raise SourceForbidden(f"{shown}: host not among the allowed ones")
    for found in _resolve(host, port, shown):
        if (found.is_loopback or found.is_link_local or found.is_unspecified) and not policy.allow_local:
            raise SourceForbidden(f"{shown}: addresses of this machine are not allowed")
        if found.is_private and not found.is_loopback and not found.is_link_local and not policy.allow_private:
            raise SourceForbidden(f"{shown}: addresses of private networks are not allowed")
        if found.is_multicast or (found.is_reserved and not found.is_private):
            raise SourceForbidden(f"{shown}: not the address of a single host")
    return Address(uri, shown, _KINDS[scheme], scheme, host, port)


def _resolve(host: str, port: int, shown: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnavailable(f"{shown}: its host has no address", code="connection_failed") from error
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    # ::ffff:127.0.0.1 is 127.0.0.1 in other clothes.
    return [getattr(address, "ipv4_mapped", None) or address for address in addresses]


def _require_path(uri: str, shown: str, policy: SourcePolicy) -> Path:
    path = Path(unquote(uri.partition(":")[2].removeprefix("//"))).resolve()
    if not any(path.is_relative_to(root.resolve()) for root in policy.file_roots):
        raise SourceForbidden(f"{shown}: outside the folders that may be read")
    return path


def _device(uri: str, shown: str) -> Path:
    """`webcam:0` and `webcam:/dev/video0` name the same device."""
    name = uri.partition(":")[2]
    path = Path(f"/dev/video{name}" if name.isdigit() else name)
    if not re.fullmatch(r"/dev/video\d+|/dev/v4l/by-(id|path)/[\w.:@+-]+", str(path)):
        raise SourceForbidden(f"{shown}: not a video device; webcam:0 or webcam:/dev/video0 is expected")
    return path
