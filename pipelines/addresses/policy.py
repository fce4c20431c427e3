"""The one policy on addresses: for the videos of jobs, for cameras, webhooks and brokers."""

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pipelines.addresses.networks import Network, network_of
from pipelines.addresses.redact import redact
from pipelines.addresses.schemes import DEFAULT_CAMERA_SCHEMES, SCHEMES, Scheme
from pipelines.errors import HostUnknown, SourceError, SourceForbidden

Resolve = Callable[[str, int], Sequence[str]]
_HOST_CHARS_MAX = 253
_LABEL_CHARS_MAX = 63


def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by this machine's resolver; raises HostUnknown."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be encoded
        reason = error.strerror if isinstance(error, OSError) else "not a host name"
        raise HostUnknown(f"{host} has no address: {reason}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Address:
    """An address that is well-formed and whose scheme is allowed; where it leads is asked when it is connected to.

    text: as it was given, the login escaped; may hold credentials. shown: never does.
    host, port: None where the scheme names none.
    path: of a file or a device.
    user, password: as they stand in the text, escaped.
    """

    text: str = field(repr=False)
    shown: str
    scheme: Scheme
    host: str | None = None
    port: int | None = None
    path: Path | None = None
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def where(self) -> tuple[str, int]:
        """The host and the port of an address whose scheme has them."""
        assert self.host is not None
        assert self.port is not None
        return self.host, self.port


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses may be opened; the defaults suit a server whose users may name cameras and nothing else.

    schemes: the parts before the colon.
    networks: where hosts may lie. Link-local addresses, metadata services of clouds, multicast, broadcast and reserved
        addresses are refused whatever stands here.
    folders: below which files may lie.
    hosts: patterns such as "*.cameras.example"; where any are given, every other host is refused.
    setting: what the names of its settings begin with, for messages: ACTOGRAM_STREAM.
    resolve: the addresses of a host; raises HostUnknown.
    """

    schemes: frozenset[str] = DEFAULT_CAMERA_SCHEMES
    networks: frozenset[Network] = frozenset({"public", "private"})
    folders: tuple[Path, ...] = ()
    hosts: tuple[str, ...] = ()
    setting: str = ""
    resolve: Resolve = resolve_host

    def require(self, uri: str) -> Address:
        """Read an address whose scheme is allowed, without asking where its host lies; raises SourceForbidden."""
        shown, scheme = redact(uri), self._require_scheme(uri)
        if scheme.has_host:
            return self._require_url(uri, shown, scheme)
        if scheme.opening == "file":
            return Address(uri, shown, scheme, path=self._require_file(uri, shown))
        if scheme.opening == "device":
            return Address(uri, shown, scheme, path=_require_device(uri, shown))
        return Address(uri, shown, scheme)

    def allows(self, uri: str) -> bool:
        """Whether an address with a host may be opened, as far as that is known without asking the resolver."""
        try:
            address = self.require(uri)
            if address.host is None or address.port is None:
                return False
            if _is_literal(address.host):
                self.require_addresses(address.host, address.port)
        except SourceError:
            return False
        return True

    def require_file(self, uri: str) -> Path:
        """The file that an allowed `file:` address names; raises SourceForbidden, also when it is not there."""
        address = self.require(uri)
        if address.path is None or address.scheme.opening != "file":
            raise SourceForbidden(f"{address.shown}: a file is file:///path")
        return address.path

    def require_addresses(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses of a host, all of them allowed, for connecting to one of them and to no other.

        Raises SourceForbidden where one of them is not allowed, HostUnknown where there is none.
        """
        if self.hosts and not any(fnmatch(host.lower().rstrip("."), pattern.lower()) for pattern in self.hosts):
            raise SourceForbidden(f"{host} is not among the allowed hosts")
        addresses = tuple(self.resolve(host, port))
        if not addresses:
            raise HostUnknown(f"{host} has no address")
        for address in addresses:
            self._require_network(host, address)
        return addresses

    def _require_network(self, host: str, address: str) -> None:
        network = network_of(address)
        if network is None:
            raise SourceForbidden(
                f"{host} leads to a link-local, metadata, multicast or reserved address; those are never allowed"
            )
        if network not in self.networks:
            allowed = ", ".join(sorted(self.networks)) or "none"
            raise SourceForbidden(f"{host} leads to a {network} address; allowed: {allowed}{self._hint('NETWORKS')}")

    def _require_scheme(self, uri: str) -> Scheme:
        match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", uri)
        name = match[1].lower() if match else ""
        scheme = SCHEMES.get(name)
        if scheme is None or name not in self.schemes:
            allowed = ", ".join(sorted(self.schemes)) or "none"
            found = f"scheme {name!r}" if name else "no scheme"
            raise SourceForbidden(f"{redact(uri)}: {found}; allowed: {allowed}{self._hint('SCHEMES')}")
        return scheme

    def _require_url(self, uri: str, shown: str, scheme: Scheme) -> Address:
        if not uri.isprintable() or "\\" in uri or " " in uri:
            raise SourceForbidden(f"{shown}: holds a space, a backslash or a control character; escape it as %XX")
        text, parts = _split(uri, shown)
        port = parts.port or scheme.port
        if not parts.hostname:
            raise SourceForbidden(f"{shown}: names no host")
        if port is None:
            raise SourceForbidden(f"{shown}: names no port")
        _require_host_name(parts.hostname, shown)
        return Address(text, shown, scheme, parts.hostname, port, user=parts.username, password=parts.password)

    def _require_file(self, uri: str, shown: str) -> Path:
        parts = _split_file(uri, shown)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or "\0" in str(path):
            raise SourceForbidden(f"{shown}: names a host; a file is file:///path")
        # Resolved first: a link or a .. must not lead out of the folder. The same words for a file that is missing
        # and one that is outside, so that nobody can ask what else the disk holds.
        try:
            found = path.resolve()
            is_allowed = any(found.is_relative_to(folder.resolve()) for folder in self.folders) and found.is_file()
        except (OSError, RuntimeError):  # a name that is too long, links in a circle
            is_allowed = False
        if not is_allowed:
            hint = " (ACTOGRAM_SOURCE_FOLDERS)" if self.setting else ""
            raise SourceForbidden(f"{shown}: no such file below an allowed folder{hint}")
        return found

    def _hint(self, name: str) -> str:
        return f" ({self.setting}_{name})" if self.setting else ""


def _split(uri: str, shown: str) -> tuple[str, SplitResult]:
    """An address and its parts; a login with `@`, `/`, `?` or `#` is escaped where nothing else makes sense."""
    start, _, rest = uri.partition("://")
    login, mark, behind = rest.rpartition("@")
    for text in (uri, f"{start}://{quote(login, safe=':%')}@{behind}" if mark else uri):
        with contextlib.suppress(ValueError):
            parts = urlsplit(text)
            parts.port  # noqa: B018 - raises ValueError for what is no port
            return text, parts
    raise SourceForbidden(f"{shown}: not an address; escape @, /, ? and # in the password")


def _split_file(uri: str, shown: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError as error:
        raise SourceForbidden(f"{shown}: not an address; a file is file:///path") from error


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _require_host_name(host: str, shown: str) -> None:
    """Raises SourceForbidden for what no resolver could take."""
    if "%" in host:
        raise SourceForbidden(f"{shown}: names a zone; only addresses that are valid everywhere are opened")
    try:
        coded = host.encode("idna") if ":" not in host else host.encode("ascii")
    except UnicodeError as error:
        raise SourceForbidden(f"{shown}: not a host name") from error
    labels = coded.rstrip(b".").split(b".")
    if len(coded) > _HOST_CHARS_MAX or any(len(label) > _LABEL_CHARS_MAX for label in labels):
        raise SourceForbidden(f"{shown}: not a host name; a name has at most {_HOST_CHARS_MAX} letters, a part 63")


def _require_device(uri: str, shown: str) -> Path:
    """`webcam:0` and `webcam:/dev/video0` name the same device."""
    name = uri.partition(":")[2]
    path = Path(f"/dev/video{name}" if name.isascii() and name.isdigit() else name)
    if not re.fullmatch(r"/dev/video\d+|/dev/v4l/by-(id|path)/[\w.:@+-]+", str(path)):
        raise SourceForbidden(f"{shown}: not a video device; webcam:0 or webcam:/dev/video0 is expected")
    return path
