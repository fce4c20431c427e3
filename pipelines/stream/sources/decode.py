"""Packets and pictures of one stream of a container, past whatever is broken in between."""

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]
else:
    VideoPacket = Packet  # PyAV's class is generic in its stubs only

_REORDERED = 4  # packets from a reference picture to the first one shown after it, in common encoders' settings
_PACKETS_COUNTED = frozenset({"avi", "asf"})  # containers that know the order of packets, not that of pictures
_MAX_HELD = 32  # packets that a decoder and its threads hold back
_MAX_READ_FAILURES = 16  # in a row; a demuxer that fails this often does not come back


class PictureReader:
    """Decodes a stream from where its container stands to its end.

    wants: asked per packet; False lets the decoder leave the picture out where no other picture needs it.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, wants: Callable[[VideoPacket], bool] | None = None
    ) -> None:
        self._container = container
        self._stream = stream
        self._wants = wants
        self._stamps = _Stamps() if _PACKETS_COUNTED & set(container.format.name.split(",")) else None
        self.num_packets = 0
        self.num_left_out = 0
        self.end_pts = 0
        self.has_failed = False
        self.is_cut = False
        self.failure: av.error.FFmpegError | None = None

    def __iter__(self) -> Iterator[av.VideoFrame | None]:
        """Pictures in the order in which they are shown; None for each packet that cannot be decoded."""
        for packet in _dated(self._iter_packets(), self._stream.codec_context.has_b_frames):
            self._choose(packet)
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                if self._stamps is not None:
                    self._stamps.forget(packet)
                yield None
            else:
                yield from map(self._stamped, pictures)
        try:
            yield from map(self._stamped, self._stream.codec_context.decode(None))
        except av.error.FFmpegError:
            yield None

    def _stamped(self, picture: av.VideoFrame) -> av.VideoFrame:
        if self._stamps is not None:
            picture.pts = self._stamps.next()
        return picture

    def _iter_packets(self) -> Iterator[VideoPacket]:
        failures = 0
        while failures < _MAX_READ_FAILURES:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # the last one is empty and only flushes, which __iter__ does
                        failures = 0
                        self._note(packet)
                        yield packet
                return
            except av.error.InvalidDataError:
                failures += 1
            except av.error.FFmpegError as error:
                self.failure = error
                break
        self.has_failed = True

    def _note(self, packet: VideoPacket) -> None:
        self.num_packets += 1
        self.is_cut = packet.is_corrupt
        stamp = packet.pts
        if self._stamps is not None:
            stamp = self._stamps.add(packet)
        if stamp is not None:
            self.end_pts = max(self.end_pts, stamp + (packet.duration or 0))

    def _choose(self, packet: VideoPacket) -> None:
        if self._wants is not None:
            is_wanted = self._wants(packet)
            is_wanted = is_wanted or self._stamps is not None  # which packets give no picture would not be known
            self._stream.codec_context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
            self.num_left_out += not is_wanted


class _Stamps:
    """Times for pictures whose container counts packets: the earliest one that is left goes to the next picture.

    Decoders hand pictures out in the order in which they are shown, so the n-th picture is shown when the n-th packet
    would be. FFmpeg guesses instead, and gives H.264's reordered pictures in AVI times out of order.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []

    def add(self, packet: VideoPacket) -> int | None:
        """A packet goes into the decoder; returns its time."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is not None:
            heapq.heappush(self._waiting, stamp)
            if len(self._waiting) > _MAX_HELD:  # left by packets that gave no picture
                heapq.heappop(self._waiting)
        return stamp

    def next(self) -> int | None:
        """The time of the next picture."""
        return heapq.heappop(self._waiting) if self._waiting else None

    def forget(self, packet: VideoPacket) -> None:
        """A packet will give no picture."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp in self._waiting:
            self._waiting.remove(stamp)
            heapq.heapify(self._waiting)


def _dated(packets: Iterator[VideoPacket], has_b_frames: bool) -> Iterator[VideoPacket]:
    """The same packets; a first one without a timestamp, as FFmpeg hands it over for RTSP, gets it from those after it.

    With B-frames the next packet is not the next picture: the earliest of the next few is.
    """
    first = next(packets, None)
    if first is None:
        return
    held = list(islice(packets, _REORDERED if has_b_frames else 1)) if first.pts is None else []
    stamps = [packet.pts for packet in held if packet.pts is not None]
    if stamps:
        first.pts = min(stamps) - (first.duration or held[0].duration or 1)
    yield first
    yield from held
    yield from packets
