"""One connection to a camera: opened by a deadline, read picture by picture, every failure with a code."""

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from pipelines.addresses.policy import Address, AddressPolicy
from pipelines.errors import SourceUnavailable, UnsupportedMedia
from pipelines.stream.sources.container import open_file, require_video
from pipelines.stream.sources.decode import PictureReader, VideoPacket
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.sources.timing import Pacer
from pipelines.stream.sources.tls import require_trusted

# What a stranger's server may answer with; playlists lead to more of the same, never to a file.
_HTTP = {
    "format_whitelist": "hls,mpegts,flv,live_flv,mov,mp4,matroska,webm,mpjpeg,mjpeg,jpeg_pipe,ogg,h264,hevc,asf",
    "protocol_whitelist": "http,https,tcp,tls,crypto",
    "fpsprobesize": "0",
}
# Measured on 15 fps over RTSP: 1.9 s until the first picture with FFmpeg's defaults, 0.3 s with these.
_FAST_START = {"analyzeduration": "100000", "probesize": "500000", "fpsprobesize": "0"}
_CLOCKLESS = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "h264", "hevc"})  # FFmpeg invents 25 fps for these
_MAX_BURST_S = 10.0


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A decoded picture, None for one that could not be decoded.

    pts_s: its timestamp in the connection's own time, seconds; None where it carries none.
    aspect: width of a stored pixel divided by its height; None where it is not known.
    """

    picture: av.VideoFrame | None
    pts_s: float | None = None
    aspect: Fraction | None = None


class Connection(Protocol):
    """An open source: iterates its pictures once; the end of the iteration is the end of the connection."""

    def __iter__(self) -> Iterator[DecodedPicture]:
        """Pictures until the connection ends; raises SourceUnavailable where it fails."""

    def close(self) -> None:
        """Free what is held; may be called twice."""


OnPacket = Callable[[VideoPacket, VideoStream], None]


class Connector(Protocol):
    """Opens a connection, within its own deadline, or raises SourceError."""

    def __call__(self, on_packet: OnPacket, stopped: threading.Event) -> Connection:
        """Open; `on_packet` sees every compressed packet, `stopped` ends every wait of the connection's own."""


class AvConnector:
    """Opens what FFmpeg can reach: cameras, servers, webcams, and files played at their own pace."""

    def __init__(self, uri: str, policy: AddressPolicy, options: LiveOptions, limits: SourceLimits) -> None:
        self._uri = uri
        self._policy = policy
        self._options = options
        self._limits = limits

    def __call__(self, on_packet: OnPacket, stopped: threading.Event) -> Connection:
        """Open the address; raises SourceForbidden, SourceUnavailable with one of its codes, or what a file raises."""
        # Asked again at each connection: what a name stands for may have changed.
        address, options = self._policy.require(self._uri), self._options
        if address.scheme.has_host:
            self._policy.require_addresses(*address.where)
        if address.scheme.is_tls:
            require_trusted(address, options.open_timeout_s, verify=options.verify_tls)
        container = self._open(address)
        try:
            stream = require_video(container, address.shown, self._limits)
        except UnsupportedMedia as error:
            container.close()
            raise SourceUnavailable(str(error), code="codec_unsupported") from error
        except BaseException:
            container.close()
            raise
        stream.codec_context.thread_count = 1  # many cameras share the cores, and frame threads add a frame of delay
        stream.codec_context.options = {"max_pixels": str(self._limits.max_pixels)}
        return AvConnection(container, stream, address, options, on_packet, stopped)

    def _open(self, address: Address) -> InputContainer:
        options = self._options
        if address.path is not None and address.scheme.opening == "file":
            return open_file(address.path, self._limits)
        started_s = time.monotonic()
        try:
            return av.open(
                str(address.path or address.text),
                mode="r",
                format=_format(address),
                options=self._format_options(address),
                timeout=(options.open_timeout_s, options.read_timeout_s),
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, ValueError) as error:
            is_late = time.monotonic() - started_s >= options.open_timeout_s * 0.95
            # "from None": FFmpeg's text holds the whole address, login and all, and tracebacks print causes.
            raise _unavailable(address, error, is_late, "cannot be opened") from None

    def _format_options(self, address: Address) -> dict[str, str]:
        chosen = {"max_pixels": str(self._limits.max_pixels)}
        if address.scheme.kind == "rtsp":
            transport = {"rtsp_transport": self._options.transport, "allowed_media_types": "video"}
            return chosen | _FAST_START | transport
        if address.scheme.kind == "rtmp":
            return chosen | {"analyzeduration": "1000000", "fpsprobesize": "0", "rtmp_live": "live"}
        if address.scheme.kind == "http":
            return chosen | _HTTP | {"max_redirects": "0"} | _tls_options(self._options)
        return chosen


class AvConnection:
    """An open container and the pictures of its video stream."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        address: Address,
        options: LiveOptions,
        on_packet: OnPacket,
        stopped: threading.Event,
    ) -> None:
        self._container = container
        self._stream = stream
        self._address = address
        self._options = options
        self._on_packet = on_packet
        self._stopped = stopped
        self._has_clock = not _CLOCKLESS & set(container.format.name.split(","))
        self._last_picture_s = time.monotonic()
        self._pacer: Pacer | None = None
        if address.scheme.kind in ("file", "http") and self._has_clock:
            self._pacer = Pacer(None if address.scheme.kind == "file" else _MAX_BURST_S)

    def __iter__(self) -> Iterator[DecodedPicture]:
        reader = PictureReader(self._container, self._stream, self._see)
        start_s = (self._container.start_time or 0) / av.time_base if self._address.scheme.kind == "file" else 0.0
        for picture in reader:
            if picture is None:
                yield DecodedPicture(None)
                continue
            if not picture.is_corrupt:
                self._last_picture_s = time.monotonic()
            pts = picture.pts if self._has_clock else None
            pts_s = None if pts is None else float(pts * (self._stream.time_base or 1)) - start_s
            if self._pacer is not None and pts_s is not None:
                self._stopped.wait(self._pacer.wait_s(pts_s, time.monotonic()))
            if self._stopped.is_set():
                return
            yield DecodedPicture(picture, pts_s, self._stream.sample_aspect_ratio)
        if reader.failure is not None:
            raise _unavailable(self._address, reader.failure, False, "was lost") from None

    def close(self) -> None:
        """Close the container; may be called twice."""
        self._container.close()

    def _see(self, packet: VideoPacket) -> bool:
        """Look at a packet before it is decoded: hand it to the evidence, and notice bytes that give no picture."""
        if self._stopped.is_set():
            raise SourceUnavailable(f"{self._address.shown}: stopped", code="ended")
        if self._pacer is None and time.monotonic() - self._last_picture_s > self._options.max_frame_age_s:
            raise SourceUnavailable(
                f"{self._address.shown}: data arrives, but no picture for {self._options.max_frame_age_s:g} s",
                code="timeout",
            )
        self._on_packet(packet, self._stream)
        return True


def _format(address: Address) -> str | None:
    return {"rtsp": "rtsp", "webcam": "v4l2"}.get(address.scheme.kind)


def _tls_options(options: LiveOptions) -> dict[str, str]:
    bundle = ssl.get_default_verify_paths().cafile
    return {"tls_verify": "1", "ca_file": bundle} if options.verify_tls and bundle else {}


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


def _unavailable(address: Address, error: Exception, is_late: bool, what: str) -> SourceUnavailable:
    """The typed error for what FFmpeg said; never its text, which repeats the address with the login in it."""
    code = next((code for kinds, code in _CODES if isinstance(error, kinds)), "connection_failed")
    code = "timeout" if is_late else code
    return SourceUnavailable(f"{address.shown}: {what}: {_REASONS[code]}", code=code)
