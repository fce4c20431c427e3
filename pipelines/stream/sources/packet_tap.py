"""The compressed side of a connection: hands its packets, with media times, to whoever keeps evidence."""

import io
import logging
from collections import deque

import av
from av.video.stream import VideoStream

from pipelines.orientation import UPRIGHT, Orientation
from pipelines.stream.sources.decode import VideoPacket
from pipelines.stream.sources.timing import LiveClock, PlayedClock
from pipelines.types import EncodedPacket, PacketSink

logger = logging.getLogger(__name__)

_MAX_PENDING = 256  # packets that wait for the first picture's time; a decoder holds back far fewer


class PacketTap:
    """Feeds one reader's packets to a sink, from the first keyframe of each connection on."""

    def __init__(self, sink: PacketSink, clock: LiveClock | PlayedClock) -> None:
        self._sink = sink
        self._clock = clock
        self._has_begun = False
        self._is_kept = False
        self._orientation = UPRIGHT
        self._pending: deque[EncodedPacket] = deque(maxlen=_MAX_PENDING)

    def reconnect(self) -> None:
        """The next packets belong to a new connection."""
        self._has_begun = False
        self._pending.clear()

    def orient(self, orientation: Orientation) -> None:
        """Say how pictures are turned when they are analysed; told on only where it changes."""
        if orientation != self._orientation:
            self._orientation = orientation
            self._sink.orient(orientation)

    def __call__(self, packet: VideoPacket, stream: VideoStream) -> None:
        """Take one packet, before it is decoded."""
        if not self._has_begun:
            if not packet.is_keyframe:
                return
            self._has_begun = True
            self._begin(packet, stream)
        if self._is_kept:
            self._pending.append(_encoded(packet))
            self._pass_on()

    def _begin(self, packet: VideoPacket, stream: VideoStream) -> None:
        try:
            header = _header(packet, stream)
        except (av.error.FFmpegError, ValueError) as error:
            logger.warning("no evidence from this source: %s cannot be kept (%s)", stream.codec_context.name, error)
            self._is_kept = False
        else:
            self._is_kept = True
            self._sink.begin(header)

    def _pass_on(self) -> None:
        """Hand over what waits, as soon as the clock knows which media time the timestamps stand for."""
        while self._pending:
            packet = self._pending[0]
            pts = packet.pts if packet.pts is not None else packet.dts
            time_s = None if pts is None else self._clock.of(pts * packet.tick_s)
            if time_s is None and pts is not None:
                return
            self._pending.popleft()
            if time_s is not None:
                self._sink.add(_timed(packet, time_s))


def _encoded(packet: VideoPacket) -> EncodedPacket:
    tick_s = float(packet.time_base)
    return EncodedPacket(
        bytes(packet), 0.0, packet.pts, packet.dts, packet.duration or None, tick_s, packet.is_keyframe
    )


def _timed(packet: EncodedPacket, time_s: float) -> EncodedPacket:
    return EncodedPacket(
        packet.data, time_s, packet.pts, packet.dts, packet.duration, packet.tick_s, packet.is_keyframe
    )


def _header(packet: VideoPacket, stream: VideoStream) -> bytes:
    """A NUT file of one keyframe: it keeps the codec's parameters exactly as the source gave them."""
    target = io.BytesIO()
    with av.open(target, "w", format="nut") as container:
        copy = container.add_stream_from_template(stream, opaque=True)
        single = av.Packet(bytes(packet))
        single.stream, single.time_base = copy, packet.time_base
        single.pts = single.dts = 0
        single.is_keyframe = True
        container.mux(single)
    return target.getvalue()
