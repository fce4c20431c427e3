"""One connection to a camera: opened by a deadline, read picture by picture, every failure with a code."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import av
from av.video.stream import VideoStream

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceUnavailable, UnsupportedMedia
from pipelines.stream.sources.container import require_video
from pipelines.stream.sources.decode import PictureReader, VideoPacket
from pipelines.stream.sources.ffmpeg import Opened, Opener, unavailable
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.sources.timing import Pacer

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
        opened = Opener(self._policy, self._options, self._limits, stopped.is_set).open(self._uri)
        try:
            stream = require_video(opened.container, opened.address.shown, self._limits)
        except BaseException as error:
            _close(opened)
            if isinstance(error, UnsupportedMedia):
                raise SourceUnavailable(str(error), code="codec_unsupported") from error
            raise
        stream.codec_context.thread_count = 1  # many cameras share the cores, and frame threads add a frame of delay
        stream.codec_context.options = {"max_pixels": str(self._limits.max_pixels)}
        return AvConnection(opened, stream, self._options, on_packet, stopped)


class AvConnection:
    """An open container and the pictures of its video stream."""

    def __init__(
        self,
        opened: Opened,
        stream: VideoStream,
        options: LiveOptions,
        on_packet: OnPacket,
        stopped: threading.Event,
    ) -> None:
        self._opened = opened
        self._container = opened.container
        self._stream = stream
        self._address = opened.address
        self._options = options
        self._on_packet = on_packet
        self._stopped = stopped
        self._has_clock = not _CLOCKLESS & set(opened.container.format.name.split(","))
        self._last_picture_s = time.monotonic()
        self._pacer: Pacer | None = None
        scheme = opened.address.scheme
        if scheme.kind in ("file", "http") and self._has_clock:
            self._pacer = Pacer(_MAX_BURST_S if scheme.is_live else None)

    def __iter__(self) -> Iterator[DecodedPicture]:
        reader = PictureReader(self._container, self._stream, self._see)
        start_s = (self._container.start_time or 0) / av.time_base if not self._address.scheme.is_live else 0.0
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
            self._opened.renew()
        if (fault := self._opened.fault()) is not None:
            raise fault
        if reader.failure is not None:
            raise unavailable(self._address, reader.failure, False, "was lost") from None

    def close(self) -> None:
        """Close the container and what carries its bytes; may be called twice."""
        _close(self._opened)

    def _see(self, packet: VideoPacket) -> bool:
        """Look at a packet before it is decoded: hand it to the evidence, and notice bytes that give no picture."""
        if self._stopped.is_set():
            raise SourceUnavailable(f"{self._address.shown}: stopped", code="ended")
        if self._pacer is None and time.monotonic() - self._last_picture_s > self._options.max_frame_age_s:
            raise SourceUnavailable(
                f"{self._address.shown}: data arrives, but no picture for {self._options.max_frame_age_s:g} s",
                code="timeout",
            )
        self._opened.renew()
        self._on_packet(packet, self._stream)
        return True


def _close(opened: Opened) -> None:
    opened.container.close()
    opened.release()
