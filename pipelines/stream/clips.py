"""Evidence: the last seconds of a stream as they came in, and clips cut from them, re-encoded only to hide faces."""

import errno
import io
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
import cv2

from models.atomic_file import replacing
from pipelines.errors import UnsupportedMedia
from pipelines.orientation import UPRIGHT, Orientation
from pipelines.stream.hidden_clip import NotHidden, encode_hidden
from pipelines.stream.render.blur import FaceRecord
from pipelines.types import EncodedPacket

logger = logging.getLogger(__name__)

ClipState = Literal["pending", "ready", "failed"]
ClipFailure = Literal["not_covered", "not_writable", "disk_full", "too_many", "stopped", "not_blurred"]

_MAX_PENDING = 256
_WAIT_S = 0.2


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of evidence.

    start_s, end_s: media seconds that were asked for, pre- and post-roll included.
    covered_s: media seconds of the first picture in the file and of the last; None until it is `ready`.
    reason: why it `failed`.
    """

    clip_id: str
    path: Path
    start_s: float
    end_s: float
    state: ClipState = "pending"
    covered_s: tuple[float, float] | None = None
    reason: ClipFailure | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Packets of one connection, from a keyframe on, in decoding order; `header` is a NUT file with its parameters.

    orientation: how a player must turn the pictures so that they are as they were analysed.
    """

    header: bytes
    packets: tuple[EncodedPacket, ...]
    orientation: Orientation = UPRIGHT

    @property
    def covered_s(self) -> tuple[float, float]:
        """Media seconds of the first and the last picture."""
        times_s = [packet.time_s for packet in self.packets]
        return min(times_s), max(times_s)


class _Group:
    """The packets from one keyframe to the next."""

    def __init__(self, header: bytes, first: EncodedPacket) -> None:
        self.header = header
        self.packets = [first]
        self.start_s = first.time_s
        self.end_s = first.time_s
        self.num_bytes = len(first.data)

    def add(self, packet: EncodedPacket) -> None:
        self.packets.append(packet)
        self.end_s = max(self.end_s, packet.time_s)
        self.num_bytes += len(packet.data)


class EvidenceBuffer:
    """The last compressed pictures of one stream, bounded in bytes and in seconds; a PacketSink.

    max_bytes, max_s: whole groups of pictures leave when either is passed. One group that alone is larger than
    `max_bytes` is not kept: half a group would be a clip that cannot be shown.
    """

    def __init__(self, max_bytes: int = 32 << 20, max_s: float = 60.0) -> None:
        self._max_bytes = max_bytes
        self._max_s = max_s
        self._groups: deque[_Group] = deque()
        self._header = b""
        self._orientation = UPRIGHT
        self._num_bytes = 0
        self._is_open = False
        self._lock = threading.Lock()

    @property
    def num_bytes(self) -> int:
        """Bytes held."""
        return self._num_bytes

    def begin(self, header: bytes) -> None:
        """A new connection; what was kept of the one before stays."""
        with self._lock:
            self._header = header
            self._is_open = False

    def add(self, packet: EncodedPacket) -> None:
        """Keep a packet; those before the first keyframe of a connection are not kept."""
        with self._lock:
            if packet.is_keyframe:
                self._groups.append(_Group(self._header, packet))
                self._is_open = True
            elif self._is_open:
                self._groups[-1].add(packet)
            else:
                return
            self._num_bytes += len(packet.data)
            self._make_room()

    def orient(self, orientation: Orientation) -> None:
        """Clips that are cut from now on say that their pictures are turned so."""
        self._orientation = orientation

    def covered_s(self) -> tuple[float, float] | None:
        """Media seconds of the oldest and the newest picture held."""
        with self._lock:
            return (self._groups[0].start_s, self._groups[-1].end_s) if self._groups else None

    def cut(self, start_s: float, end_s: float) -> Cut | None:
        """The packets from the last keyframe at or before `start_s` to the last picture up to `end_s`.

        Of a time that spans a reconnect, the connection that covers most of it. None where nothing is held.
        """
        with self._lock:
            groups = [group for group in self._groups if group.start_s <= end_s]
            starts = [index for index, group in enumerate(groups) if group.start_s <= start_s]
            groups = [group for group in groups[starts[-1] if starts else 0 :] if group.packets]
            groups = _longest_connection([group for group in groups if group.end_s >= start_s], start_s, end_s)
            packets = [packet for group in groups for packet in group.packets]
            header = groups[0].header if groups else b""
        while packets and packets[-1].time_s > end_s:
            packets.pop()
        return Cut(header, tuple(packets), self._orientation) if packets else None

    def _make_room(self) -> None:
        newest_s = self._groups[-1].end_s
        while self._groups and (
            self._num_bytes > self._max_bytes
            or (len(self._groups) > 1 and newest_s - self._groups[1].start_s > self._max_s)
        ):
            self._num_bytes -= self._groups.popleft().num_bytes
        self._is_open = bool(self._groups)


def _longest_connection(groups: list[_Group], start_s: float, end_s: float) -> list[_Group]:
    """The groups of one connection only: the one with most seconds between start and end."""
    connections: dict[int, list[_Group]] = {}
    for group in groups:
        connections.setdefault(id(group.header), []).append(group)

    def seconds(members: list[_Group]) -> float:
        return min(end_s, members[-1].end_s) - max(start_s, members[0].start_s)

    return max(connections.values(), key=seconds, default=[])


def write_clip(cut: Cut, path: Path) -> None:
    """Write a cut as an MP4 that plays from its first second; the file appears whole or not at all.

    Nothing is encoded again: the file's display matrix tells players how to turn the pictures.

    Raises OSError or av.error.FFmpegError.
    """
    with replacing(path) as part:
        _mux(cut, str(part))


def write_hidden(cut: Cut, path: Path, faces: FaceRecord) -> None:
    """The same with heads made unrecognisable, and therefore encoded again, upright.

    Raises NotHidden where not one picture can be read or one cannot be made so; nothing is written then. OSError.
    """
    plain = io.BytesIO()
    try:
        _mux(cut, plain)
        plain.seek(0)
        with replacing(path) as part:
            encode_hidden(plain, part, _moments(cut.packets), faces)
    except (ValueError, av.error.FFmpegError, cv2.error, UnsupportedMedia) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NotHidden(str(error)) from error


def _mux(cut: Cut, place: str | io.BytesIO) -> None:
    options = {"movflags": "+faststart"} if isinstance(place, str) else {}  # it opens the file a second time
    with (
        av.open(io.BytesIO(cut.header), mode="r", format="nut") as template,
        av.open(place, mode="w", format="mp4", options=options) as container,
    ):
        stream = container.add_stream_from_template(template.streams.video[0], opaque=True)
        _tell_orientation(stream, cut.orientation)
        for packet in _restamped(cut.packets):
            packet.stream = stream
            container.mux(packet)


def _tell_orientation(stream: av.VideoStream, orientation: Orientation) -> None:
    if orientation != UPRIGHT:
        rotate_deg, mirror = orientation.rotation_and_mirror
        stream.set_display_rotation(-rotate_deg, hflip=mirror)  # it counts degrees anticlockwise


def _restamped(packets: tuple[EncodedPacket, ...]) -> "list[av.Packet[av.VideoStream]]":
    """Packets that count from 0, with a decoding time each, always growing, as MP4 wants them."""
    stamped: list[av.Packet[av.VideoStream]] = []
    base, last_dts = _first_stamp(packets), None
    for source in packets:
        dts = source.dts if source.dts is not None else source.pts
        if dts is None or base is None:
            continue
        dts -= base
        dts = dts if last_dts is None else max(dts, last_dts + 1)
        packet = cast("av.Packet[av.VideoStream]", av.Packet(source.data))
        packet.time_base = Fraction(source.tick_s).limit_denominator(10_000_000)
        packet.dts, packet.pts = dts, max(dts, source.pts - base if source.pts is not None else dts)
        packet.duration = source.duration or 0
        packet.is_keyframe = source.is_keyframe
        stamped.append(packet)
        last_dts = dts
    return stamped


def _moments(packets: tuple[EncodedPacket, ...]) -> tuple[tuple[float, float], ...]:
    """When each picture of a clip is shown, seconds from the first, and its media seconds; in the order of showing."""
    stamps = [packet.pts if packet.pts is not None else packet.dts for packet in packets]
    shown = sorted(
        (stamp * packet.tick_s, packet.time_s)
        for stamp, packet in zip(stamps, packets, strict=True)
        if stamp is not None
    )
    return tuple((at_s - shown[0][0], time_s) for at_s, time_s in shown)


def _first_stamp(packets: tuple[EncodedPacket, ...]) -> int | None:
    stamps = (packet.dts if packet.dts is not None else packet.pts for packet in packets)
    return next((stamp for stamp in stamps if stamp is not None), None)


@dataclass(frozen=True, slots=True)
class _Request:
    clip: Clip
    buffer: EvidenceBuffer
    due_s: float


class ClipWriter:
    """Writes the clips of many streams in one thread: each once its last second has come in.

    pre_roll_s, post_roll_s: added before the start and after the end that are asked for.
    max_clip_s: a longer clip ends early: of an hour of sitting, its beginning is the evidence.
    grace_s: wall seconds beyond the missing ones that are waited for a stream which no longer delivers.
    on_clip: called from the writer's thread when a clip is `ready` or `failed`.
    faces: where heads are, which are then not shown: clips are encoded again. One that cannot be is `failed`.
    """

    def __init__(
        self,
        on_clip: Callable[[Clip], None],
        pre_roll_s: float = 3.0,
        post_roll_s: float = 3.0,
        max_clip_s: float = 30.0,
        grace_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        faces: FaceRecord | None = None,
    ) -> None:
        self._on_clip = on_clip
        self._faces = faces
        self._pre_roll_s = pre_roll_s
        self._post_roll_s = post_roll_s
        self._max_clip_s = max_clip_s
        self._grace_s = grace_s
        self._clock = clock
        self._requests: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        assert self._thread is None, "a writer is started once"
        self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
        self._thread.start()

    def request(self, clip_id: str, buffer: EvidenceBuffer, start_s: float, end_s: float, path: Path) -> Clip:
        """Ask for the pictures between two media times; returns the clip, `pending` or already `failed`."""
        start_s = start_s - self._pre_roll_s
        end_s = min(end_s + self._post_roll_s, start_s + self._max_clip_s)
        clip = Clip(clip_id, path, start_s, end_s)
        covered_s = buffer.covered_s()
        missing_s = end_s - covered_s[1] if covered_s else 0.0
        with self._changed:
            if self._is_stopped:
                return replace(clip, state="failed", reason="stopped")
            if len(self._requests) >= _MAX_PENDING:
                return replace(clip, state="failed", reason="too_many")
            self._requests.append(_Request(clip, buffer, self._clock() + max(0.0, missing_s) + self._grace_s))
            self._changed.notify_all()
        return clip

    def run_due(self) -> int:
        """Write every clip that is due now; returns how many were settled. What the thread does again and again."""
        with self._changed:
            due = [request for request in self._requests if self._is_due(request)]
            for request in due:
                self._requests.remove(request)
        for request in due:
            self._on_clip(_settle(request, self._faces))
        return len(due)

    def stop(self) -> None:
        """Write what is asked for with what is there, and end; may be called twice."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def join(self, timeout_s: float = 10.0) -> bool:
        """Wait for the thread's end; True once it has ended."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _is_due(self, request: _Request) -> bool:
        covered_s = request.buffer.covered_s()
        is_complete = covered_s is not None and covered_s[1] > request.clip.end_s
        return is_complete or self._is_stopped or self._clock() >= request.due_s

    def _run(self) -> None:
        while True:
            try:
                self.run_due()
            except Exception:  # the edge of the thread: one stream's clip must not end the clips of all
                logger.exception("a clip could not be settled")
            with self._changed:
                if self._is_stopped and not self._requests:
                    return
                self._changed.wait(_WAIT_S)


def _settle(request: _Request, faces: FaceRecord | None) -> Clip:
    """Cut and write one clip; never raises for what a disk or a stream can do."""
    clip = request.clip
    cut = request.buffer.cut(clip.start_s, clip.end_s)
    if cut is None:
        return replace(clip, state="failed", reason="not_covered")
    try:
        if faces is None:
            write_clip(cut, clip.path)
        else:
            write_hidden(cut, clip.path, faces)
    except NotHidden as error:
        logger.warning("clip %s was not kept: %s", clip.clip_id, error)
        return replace(clip, state="failed", reason="not_blurred")
    except (OSError, ValueError, av.error.FFmpegError) as error:
        is_full = getattr(error, "errno", None) == errno.ENOSPC
        logger.warning("clip %s was not written: %s", clip.clip_id, error)
        return replace(clip, state="failed", reason="disk_full" if is_full else "not_writable")
    return replace(clip, state="ready", covered_s=cut.covered_s)
