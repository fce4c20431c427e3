"""Clips analysed on a device and on the CPU beside it: how fast, and whether the same is said."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.bench.budget import Budget
from pipelines.bench.transcript import Transcript, compare
from pipelines.results import Header, Summary
from pipelines.stream.analyze import FrameSource, Run, analyze
from pipelines.stream.build import Networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources import FileSource, SourceCounts, SourceInfo
from pipelines.types import Event, Frame, FrameResult

_RATE_HZ = 30.0


@dataclass(frozen=True, slots=True)
class ClipRow:
    """One clip on both.

    frames: read of the clip; is_cut: the time was used before all of them were analysed on the device.
    frames_per_s, cpu_frames_per_s: None where not measured.
    stage_ms: mean milliseconds per analysed frame on the device.
    same_labels, same_events: whether every person has the same sequence of shown labels, of announced actions.
    first: seconds and kind of the first decision that differs.
    """

    clip: str
    frames: int
    is_cut: bool
    frames_per_s: float
    stage_ms: Mapping[str, float]
    cpu_frames_per_s: float | None = None
    same_labels: bool | None = None
    same_events: bool | None = None
    first: tuple[float, str] | None = None


class _Start:
    """The first frames of a source: at most so many seconds of it, and none after a moment of the clock."""

    def __init__(self, source: FrameSource, seconds: float, until_s: float) -> None:
        self._source = source
        self._seconds = seconds
        self._until_s = until_s
        self.frames = 0
        self.is_cut = False

    @property
    def info(self) -> SourceInfo:
        """The whole source's."""
        return self._source.info

    @property
    def counts(self) -> SourceCounts:
        """The whole source's."""
        return self._source.counts

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._source:
            if frame.time_s > self._seconds:
                return
            if time.monotonic() > self._until_s and self.frames:
                self.is_cut = True
                return
            self.frames += 1
            yield frame


class TranscriptSink:
    """Writes down what is said.

    wants_pictures: False, so that no picture is held until what is said of it is settled.
    """

    wants_pictures = False

    def __init__(self) -> None:
        self.transcript = Transcript()
        self._last_s = 0.0

    def open(self, header: Header) -> None:
        """Nothing is to be opened."""

    def write(self, result: FrameResult) -> None:
        """Take one frame."""
        self.transcript.add(result)
        self._last_s = result.frame.time_s

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:  # noqa: ARG002 - a sink's signature
        """Take the events that the end closed."""
        self.transcript.add_events(events, self._last_s)

    def abort(self) -> None:
        """Nothing is left behind."""


def measure_clips(
    paths: Sequence[Path], on_device: Networks, on_cpu: Networks, seconds: float, budget: Budget
) -> Iterator[ClipRow]:
    """A row per clip, of its first `seconds`; raises what reading a clip and running a network raise."""
    for index, path in enumerate(paths):
        if budget.allows(path.name):
            # A device that is far too slow must not take the other clips' time.
            share_s = 2 * budget.left_s / (len(paths) - index)
            yield _measure(path, on_device, on_cpu, seconds, min(share_s, budget.left_s))


def _measure(path: Path, on_device: Networks, on_cpu: Networks, seconds: float, left_s: float) -> ClipRow:
    until_s = time.monotonic() + left_s
    start, said, summary = _analyzed(path, on_device, seconds, time.monotonic() + left_s / 2)
    row = ClipRow(path.name, start.frames, start.is_cut, summary.stats.fps, summary.stats.stage_ms)
    if start.is_cut:
        return row
    beside, heard, other = _analyzed(path, on_cpu, seconds, until_s)
    if beside.is_cut:
        return row
    difference = compare(said, heard)
    return ClipRow(
        row.clip, row.frames, row.is_cut, row.frames_per_s, row.stage_ms,
        other.stats.fps, difference.labels, difference.events, difference.first,
    )  # fmt: skip


def _analyzed(path: Path, networks: Networks, seconds: float, until_s: float) -> tuple[_Start, Transcript, Summary]:
    sink = TranscriptSink()
    with FileSource(path, rate_hz=_RATE_HZ) as source:
        start = _Start(source, seconds, until_s)
        summary = analyze(start, networks, PipelineConfig(), [sink], Run(path.name))
    return start, sink.transcript, summary
