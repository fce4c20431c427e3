"""How FFmpeg is given each kind of source: by a relay, by files that we fetch, by a checked address, or by a path."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import av
from av.container import InputContainer

from pipelines.addresses.policy import Address, AddressPolicy
from pipelines.errors import SourceError, SourceForbidden, SourceUnavailable
from pipelines.stream.sources.container import open_file
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.relay import Redirected, Relay, Upstream
from pipelines.stream.sources.rtsp import RtspFilter
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.sources.web import WebFiles

_REDIRECTS_MAX = 5
_PROBE_S = 0.5  # what is left for FFmpeg, at least, once we have connected
# Every file is opened by us. FFmpeg's own keeping of connections would not ask, and does not know our files.
_OURS = {"protocol_whitelist": "none", "http_persistent": "0", "http_multiple": "0"}


@dataclass(frozen=True, slots=True)
class Opened:
    """An open container.

    release: frees what carries its bytes, once the container is closed.
    renew: gives the next packet its time.
    fault: what we saw ourselves of a failure that FFmpeg cannot name.
    """

    container: InputContainer
    address: Address
    release: Callable[[], None] = lambda: None
    renew: Callable[[], None] = lambda: None
    fault: Callable[[], SourceError | None] = lambda: None


class Opener:
    """Opens addresses within a deadline.

    is_stopped: asked in every wait of ours.
    """

    def __init__(
        self, policy: AddressPolicy, options: LiveOptions, limits: SourceLimits, is_stopped: Callable[[], bool]
    ) -> None:
        self._policy = policy
        self._options = options
        self._limits = limits
        self._is_stopped = is_stopped

    def open(self, uri: str) -> Opened:
        """Open an address, or where its camera says it has moved.

        Raises SourceForbidden, SourceUnavailable with one of its codes, or what a file raises.
        """
        address = self._policy.require(uri)
        for _ in range(_REDIRECTS_MAX):
            try:
                return self._open(address)
            except Redirected as moved:
                address = self._follow(moved.uri, address)
        raise SourceUnavailable(f"{address.shown}: cannot be opened: more than {_REDIRECTS_MAX} redirects")

    def _follow(self, uri: str, before: Address) -> Address:
        """Where a camera sends us; its login goes there only where the host is the same."""
        address = self._policy.require(uri)
        if address.scheme.kind != before.scheme.kind:
            raise SourceForbidden(f"{address.shown}: {before.shown} leads to another kind of source")
        if address.host != before.host or before.user is None or address.user is not None:
            return address
        login = urlsplit(before.text).netloc.rpartition("@")[0]
        parts = urlsplit(address.text)
        return self._policy.require(urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}")))

    def _open(self, address: Address) -> Opened:
        match address.scheme.opening:
            case "file":
                assert address.path is not None
                return Opened(open_file(address.path, self._limits), address)
            case "relay":
                return self._open_relayed(address)
            case "fetch":
                return self._open_fetched(address)
            case "direct":
                return self._open_direct(address)
        return Opened(self._av_open(address, str(address.path), {}, self._options.open_timeout_s), address)

    def _open_relayed(self, address: Address) -> Opened:
        began_s, options = time.monotonic(), self._options
        upstream = Upstream(
            address, self._policy, (options.open_timeout_s, options.read_timeout_s), options.verify_tls
        )  # fmt: skip
        first = upstream.connect()
        relay = Relay(upstream, first)
        with ExitStack() as stack:
            stack.callback(relay.close)
            is_rtsp = address.scheme.kind == "rtsp"
            relay.start(RtspFilter(address, relay.netloc, str(first.getpeername()[0])) if is_rtsp else None)
            left_s = max(_PROBE_S, options.open_timeout_s - (time.monotonic() - began_s))
            url, extra = _relayed(address, relay.netloc)
            with _told(lambda: relay.fault):
                container = self._av_open(address, url, extra, left_s)
            return Opened(container, address, stack.pop_all().close, fault=lambda: relay.fault)

    def _open_fetched(self, address: Address) -> Opened:
        with ExitStack() as stack:
            files = WebFiles(address, self._policy, self._options, self._is_stopped)
            stack.callback(files.close)
            first = files.open_first()
            stack.callback(first.close)
            container = self._av_open(address, first, _OURS, self._options.open_timeout_s, files)
            files.renew()
            return Opened(container, address, stack.pop_all().close, files.renew)

    def _open_direct(self, address: Address) -> Opened:
        """FFmpeg dials by itself, and is told the checked address instead of the name."""
        found = self._policy.require_addresses(*address.where)[0]
        parts = urlsplit(address.text)
        host = f"[{found}]" if ":" in found else found
        url = urlunsplit(parts._replace(netloc=f"{host}:{address.port}"))
        return Opened(self._av_open(address, url, {}, self._options.open_timeout_s), address)

    def _av_open(
        self, address: Address, source: object, extra: dict[str, str], timeout_s: float, files: WebFiles | None = None
    ) -> InputContainer:
        began_s = time.monotonic()
        is_playlist = getattr(source, "is_playlist", False)
        try:
            return av.open(
                source,
                mode="r",
                format="hls" if is_playlist else address.scheme.input_format,
                options=self._format_options(address) | extra,
                timeout=(timeout_s, self._options.read_timeout_s),
                metadata_errors="replace",
                io_open=None if files is None else files.open,
            )
        except av.error.ProtocolNotFoundError:
            name = address.scheme.name
            raise SourceForbidden(f"source scheme {name} is not in this build of FFmpeg") from None
        except (av.error.FFmpegError, ValueError) as error:
            is_late = time.monotonic() - began_s >= timeout_s * 0.95
            # "from None": FFmpeg's text holds the whole address, login and all, and tracebacks print causes.
            raise unavailable(address, error, is_late, "cannot be opened") from None

    def _format_options(self, address: Address) -> dict[str, str]:
        scheme = address.scheme
        chosen = {"max_pixels": str(self._limits.max_pixels)} | dict(scheme.options)
        if scheme.protocols:
            chosen["protocol_whitelist"] = scheme.protocols
        if scheme.transports:
            wanted = self._options.transport
            chosen["rtsp_transport"] = wanted if wanted in scheme.transports else scheme.transports[0]
        return chosen


@contextmanager
def _told(fault: Callable[[], SourceError | None]) -> Iterator[None]:
    """What we saw ourselves, instead of what FFmpeg made of it."""
    try:
        yield
    except SourceUnavailable:
        found = fault()
        if found is None:
            raise
        raise found from None


def _relayed(address: Address, netloc: str) -> tuple[str, dict[str, str]]:
    """What FFmpeg is told instead of the camera's address, and the options that go with it."""
    parts = urlsplit(address.text)
    login, mark, _ = parts.netloc.rpartition("@")
    kind = address.scheme.kind
    url = urlunsplit(parts._replace(scheme=kind, netloc=f"{login}{mark}{netloc}", fragment=""))
    if kind != "rtmp":
        return url, {}
    host, port = address.where
    real = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    # The server is told the name that the camera was given by: one server may serve several.
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return url, {"rtmp_tcurl": f"{address.scheme.name}://{real}/{rtmp_app(path)}"}


def rtmp_app(path: str) -> str:
    """The application in an RTMP path with its query, as FFmpeg finds it: one part, or two where three are given."""
    if path.startswith("/ondemand/"):
        return "ondemand"
    parts = path.removeprefix("/").split("/")
    has_instance = len(parts) > 2 and ":" not in parts[1]
    return "/".join(parts[:2]) if has_instance else parts[0]


_CODES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError, av.error.PermissionError), "auth_failed"),
    ((av.error.HTTPNotFoundError, av.error.FileNotFoundError), "not_found"),
    ((av.error.ExitError, av.error.TimeoutError), "timeout"),
    (
        (
            av.error.InvalidDataError,
            av.error.DecoderNotFoundError,
            av.error.DemuxerNotFoundError,
            av.error.PatchWelcomeError,
            av.error.ArgumentError,
        ),
        "codec_unsupported",
    ),
)
_REASONS = {
    "auth_failed": "the login was refused",
    "not_found": "nothing there by this name",
    "timeout": "no answer in time",
    "codec_unsupported": "it answers with something that is not a known video stream",
    "connection_failed": "the connection failed",
}


def unavailable(address: Address, error: Exception, is_late: bool, what: str) -> SourceUnavailable:
    """The typed error for what FFmpeg said; never its text, which repeats the address with the login in it."""
    code = next((code for kinds, code in _CODES if isinstance(error, kinds)), "connection_failed")
    code = "timeout" if is_late else code
    return SourceUnavailable(f"{address.shown}: {what}: {_REASONS[code]}", code=code)
