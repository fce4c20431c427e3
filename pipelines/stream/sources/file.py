"""A video file as a source: every picture once, with its own time, as fast as the reader asks for them."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.video.stream import VideoStream

from pipelines.errors import SourceTooLarge, SourceTruncated, UnsupportedMedia
from pipelines.orientation import Orientation
from pipelines.stream.file_names import printable
from pipelines.stream.sources.container import open_file, require_video
from pipelines.stream.sources.continuity import Continuity
from pipelines.stream.sources.decode import PictureReader, VideoPacket
from pipelines.stream.sources.info import SourceCounts, SourceInfo, SourceLimits
from pipelines.stream.sources.picture import PictureMaker
from pipelines.stream.sources.timing import MediaClock, Moment, RateGate
from pipelines.stream.sources.truncation import is_cut_off
from pipelines.types import BreakReason, Frame

_SLOW = 1.5  # times the rate of the file: more than a rate that wavers
_DEFAULT_FPS = 25.0  # raw streams without any clock
_MIN_BYTES_PER_S = 200.0  # less than any video takes: a longer one declared is a clock that jumped


class FileSource:
    """Iterates the frames of one video file, once.

    rate_hz: keep at most so many frames per second of media time, chosen by timestamp; None keeps all.
    turn: what is done to every picture after what the file itself asks for.
    Opening decodes the first picture, so that a file which cannot be analysed fails here, before any work is done.
    Raises UnsupportedMedia, SourceTruncated, SourceTooLarge, SourceForbidden or SourceUnavailable (not_found).
    """

    is_live = False

    def __init__(
        self, path: Path, limits: SourceLimits | None = None, rate_hz: float | None = None,
        turn: Orientation | None = None,
    ) -> None:  # fmt: skip
        self._name = printable(path.name)
        self._limits = limits or SourceLimits()
        self._rate_hz = rate_hz
        self._turn = turn
        self._path = path
        self._breaks: Counter[BreakReason] = Counter()
        self._gaps_s = 0.0
        self._num_frames = self._num_skipped = self._num_late = self._num_corrupt = 0
        self._container = open_file(path, self._limits)
        try:
            self._is_cut_off = is_cut_off(path, self._container.format.name)  # now: later no file need be opened
            self._stream = require_video(self._container, self._name, self._limits)
            self._prepare()
            self._frames = self._iter_frames()
            self._first: Frame | None = self._require_first()
            self.info = self._describe(self._first)
        except BaseException:
            self.close()
            raise

    @property
    def counts(self) -> SourceCounts:
        """What was read so far."""
        return SourceCounts(
            frames=self._num_frames,
            skipped_rate=self._num_skipped,
            corrupt=self._num_corrupt,
            out_of_order=self._num_late,
            is_truncated=self._is_truncated,
            breaks=dict(self._breaks),
        )

    def __iter__(self) -> Iterator[Frame]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._container.close()

    def _prepare(self) -> None:
        """Set the decoder and everything that follows it, before the first packet is read."""
        stream, context = self._stream, self._stream.codec_context
        for other in self._container.streams:
            if other.index != stream.index:
                other.discard = av.stream.Discard.all
        # Threads race past broken pictures: the same file would be read differently from one time to the next.
        context.thread_count = 1
        context.options = {"max_pixels": str(self._limits.max_pixels)}
        self._step_s = 1.0 / (_fps(stream) or _DEFAULT_FPS)
        start = self._container.start_time
        self._start_s = None if start is None else start / av.time_base
        self._clock = MediaClock(self._start_s, self._step_s, self._limits.max_duration_s)
        self._continuity = Continuity(max(self._step_s, 1 / self._rate_hz if self._rate_hz else 0.0))
        self._gate = RateGate(self._rate_hz)
        # Below twice the rate, leaving out what other pictures do not need could leave fewer than were asked for.
        may_leave_out = self._rate_hz is not None and self._step_s * self._rate_hz <= 0.5
        self._reader = PictureReader(self._container, stream, self._is_wanted if may_leave_out else None)
        self._make = PictureMaker(self._limits.max_side_px, self._turn)
        self._is_truncated = False
        self._last_s = 0.0

    def _is_wanted(self, packet: VideoPacket) -> bool:
        if packet.pts is None:
            return True
        return self._gate.expects(self._seconds(packet.pts) - (self._start_s or 0.0), self._step_s)

    def _seconds(self, pts: int) -> float:
        return float(pts * (self._stream.time_base or 1))

    def _require_first(self) -> Frame:
        frame = next(self._frames, None)
        if frame is not None:
            return frame
        if self._is_truncated or self._reader.num_packets == 0:
            raise SourceTruncated(f"{self._name}: ends before its first picture")
        raise UnsupportedMedia(f"{self._name}: none of its {self._reader.num_packets} pictures can be decoded")

    def _describe(self, first: Frame) -> SourceInfo:
        context, fps = self._stream.codec_context, _fps(self._stream)
        duration_s = self._believable_s()
        self._refuse_longer_than(duration_s or 0.0)
        num_frames = self._stream.frames or (round(duration_s * fps) if duration_s and fps else None)
        if num_frames and duration_s and self._rate_hz is not None:
            num_frames = min(num_frames, max(1, round(duration_s * self._rate_hz)))
        return SourceInfo(
            size_wh=first.size_wh,
            stored_wh=(context.width, context.height),
            duration_s=duration_s,
            num_frames=num_frames,
            fps=fps,
            codec=context.name,
            container=self._container.format.name.split(",")[0],
            slow_motion=_slow_motion(self._container.metadata.get("com.android.capture.fps", ""), fps),
        )

    def _iter_frames(self) -> Iterator[Frame]:
        for picture in self._reader:
            if picture is None or picture.is_corrupt:
                self._num_corrupt += 1
                continue
            moment = self._clock.at(None if picture.pts is None else self._seconds(picture.pts))
            if moment is None:
                self._num_late += 1
            elif not self._admits(moment):
                self._num_skipped += 1
            else:
                yield self._frame(moment.time_s, picture)
        self._is_truncated = self._ended_early()

    def _admits(self, moment: Moment) -> bool:
        if moment.is_jump:
            self._continuity.interrupt("clock_jump")
        return self._gate.admits(moment.time_s)

    def _frame(self, time_s: float, picture: av.VideoFrame) -> Frame:
        image = self._make(picture, self._stream.sample_aspect_ratio)
        found = self._continuity.judge(time_s, image)
        if found is not None:
            self._breaks[found] += 1
            if found in ("gap", "clock_jump"):
                self._gaps_s += time_s - self._last_s
        self._refuse_longer_than(time_s - self._gaps_s)
        self._num_frames, self._last_s = self._num_frames + 1, time_s
        return Frame(self._num_frames - 1, time_s, image, break_reason=found)

    def _ended_early(self) -> bool:
        """Whether fewer samples came than the index lists, or the last ended well before the declared end."""
        container = self._container.format.name
        if self._reader.has_failed or self._is_cut_off:
            return True
        if self._reader.is_cut and container != "mpegts":  # there a packet may be marked for other reasons
            return True
        if container.startswith("mov"):
            return self._reader.num_packets < len(self._stream.index_entries)
        declared_s = self._declared_s()
        end_s = self._seconds(self._reader.end_pts) - (self._start_s or 0.0)
        return declared_s is not None and end_s < declared_s - max(1.0, 0.02 * declared_s)

    def _believable_s(self) -> float | None:
        """Declared length; None where nothing is declared, or days for which the file has too few bytes."""
        duration_s = self._declared_s() or _over_base(self._container.duration)
        if duration_s is None or duration_s <= self._limits.max_duration_s:
            return duration_s
        is_enough = self._path.stat().st_size > _MIN_BYTES_PER_S * duration_s
        return duration_s if is_enough else None

    def _declared_s(self) -> float | None:
        """Length of the video stream itself, where its container declares one."""
        if self._container.format.name == "avi" and self._stream.frames:
            return self._seconds(self._stream.frames)  # its duration is guessed anew where the index is missing
        if self._stream.duration is not None:
            return self._seconds(self._stream.duration)
        return _clock_time(self._stream.metadata.get("DURATION", ""))  # Matroska's tag, "00:00:06.660000000"

    def _refuse_longer_than(self, time_s: float) -> None:
        if time_s > self._limits.max_duration_s:
            raise SourceTooLarge(
                f"{self._name}: {time_s:.0f} s long, at most {self._limits.max_duration_s:.0f} s are analysed"
            )


def _fps(stream: VideoStream) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _slow_motion(capture_fps: str, fps: float | None) -> float | None:
    """By how much a phone stretched time: the rate of the camera over that of the file."""
    try:
        factor = float(capture_fps) / fps if fps else 1.0
    except ValueError:
        return None
    return round(factor, 2) if math.isfinite(factor) and factor > _SLOW else None


def _over_base(duration: int | None) -> float | None:
    return None if duration is None else duration / av.time_base


def _clock_time(text: str) -> float | None:
    """Seconds of "hours:minutes:seconds", None for anything else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
