"""Analyze: a whole source through the pipeline into sinks, with progress and a way to stop."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pipelines.errors import AnalysisCancelled
from pipelines.exercises.history import JointHistory
from pipelines.exercises.signals import ExerciseName
from pipelines.results import Header, RunStats, Summary
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.stream.file_names import printable
from pipelines.stream.interpolate import ENOUGH_HZ, results
from pipelines.stream.pipeline import Pipeline
from pipelines.stream.settle import Settled, settling_s
from pipelines.stream.sources import SourceCounts, SourceInfo
from pipelines.stream.stats import peak_rss_bytes
from pipelines.stream.timeline import Timeline
from pipelines.types import Event, Frame, FrameResult

FILE_RATE_HZ = 30.0
"""Frames per second that are read of files unless somebody asks for another rate; more adds nothing."""
_AHEAD_FRAMES = 8
_PROGRESS_S = 0.25


class FrameSource(Protocol):
    """A file, or anything else that ends."""

    @property
    def info(self) -> SourceInfo:
        """What it says of itself."""
        ...

    @property
    def counts(self) -> SourceCounts:
        """What was read so far."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...


class Sink(Protocol):
    """Where results go. Of `close` and `abort` one is called, once, after `open`."""

    @property
    def wants_pictures(self) -> bool:
        """Whether it looks at the frames' pictures; without anybody who does, they are black."""
        ...

    def open(self, header: Header) -> None:
        """Begin. Raises SinkError, DiskFull."""
        ...

    def write(self, result: FrameResult) -> None:
        """Take one frame, whose labels are final (`settle.py`)."""
        ...

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        """Take the events that the end closed, and make the result appear."""
        ...

    def abort(self) -> None:
        """Leave nothing behind; may be called before `open`."""
        ...


def _ignore(frames: int, percent: float | None, fps: float, eta_s: float | None) -> None:
    pass


def _look_away(result: FrameResult) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis.

    name: of the video, as results show it. source_id: goes into event ids; the name where empty.
    on_progress: called a few times a second with frames, percent, frames per second and seconds left; percent and
                 seconds are None where the source declares no length.
    is_cancelled: asked before every frame.
    on_result: called with every frame at once, with its picture, before its labels are final.
    exercises: what is counted of everybody.
    enough_hz: frames per second that must be analysed; joints in those between are interpolated. None analyses all.
    """

    name: str
    source_id: str = ""
    on_progress: Callable[[int, float | None, float, float | None], None] = _ignore
    is_cancelled: Callable[[], bool] = lambda: False
    on_result: Callable[[FrameResult], None] = _look_away
    enough_hz: float | None = ENOUGH_HZ
    exercises: tuple[ExerciseName, ...] = ()


def analyze(
    source: FrameSource, networks: Networks, config: PipelineConfig, sinks: Sequence[Sink], run: Run
) -> Summary:
    """A whole source through a new pipeline; the same file gives the same events.

    Raises SourceError, ModelError, SinkError, or AnalysisCancelled; then no sink leaves anything behind.
    """
    pipeline = build_pipeline(networks, config, printable(run.source_id or run.name))
    contract = networks.action.contract
    header = Header(
        printable(run.name),
        source.info.duration_s,
        source.info.size_wh,
        contract.name,
        networks.pose.layout,
        contract.labels,
        networks.used,
    )
    try:
        held = Settled(settling_s(contract, config), keeps_pictures=any(sink.wants_pictures for sink in sinks))
        return _run(source, pipeline, header, _Outlets(sinks, held), run)
    except BaseException:
        for sink in sinks:
            sink.abort()
        raise


class _Outlets:
    """All sinks of a run, behind what holds results back until their labels are settled."""

    def __init__(self, sinks: Sequence[Sink], held: Settled) -> None:
        self._sinks = sinks
        self._held = held

    def open(self, header: Header) -> None:
        for sink in self._sinks:
            sink.open(header)

    def write(self, result: FrameResult) -> None:
        self._pass(self._held.add(result))

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        self._pass(self._held.finish(events))
        for sink in self._sinks:
            sink.close(events, summary)

    def _pass(self, settled: Iterable[FrameResult]) -> None:
        for result in settled:
            for sink in self._sinks:
                sink.write(result)


def _run(source: FrameSource, pipeline: Pipeline, header: Header, outlets: _Outlets, run: Run) -> Summary:
    timeline, meter, last_s = Timeline(), _Meter(source.info, run), 0.0
    joints = JointHistory()
    outlets.open(header)
    with _ahead(source) as frames:
        for result in results(frames, meter.counting(pipeline.process), run.enough_hz):
            if run.is_cancelled():
                raise AnalysisCancelled(f"{printable(run.name)}: stopped after {meter.frames} frames")
            run.on_result(result)
            timeline.add(result)
            if run.exercises:
                joints.add(result.poses)
            outlets.write(result)
            last_s = result.frame.time_s
            meter.tick(last_s)
    events = pipeline.finish()
    timeline.add_events(events)
    meter.done()
    stats = _stats(meter, pipeline, source)
    summary = Summary(
        header, max(header.duration_s or 0.0, last_s), timeline.tracks(), stats, joints.count(run.exercises)
    )
    outlets.close(events, summary)
    return summary


def _stats(meter: "_Meter", pipeline: Pipeline, source: FrameSource) -> RunStats:
    counts = source.counts
    return RunStats(
        frames=meter.frames,
        analysed=meter.analysed,
        seconds=meter.elapsed_s,
        fps=meter.fps,
        stage_ms=pipeline.stage_ms,
        label_flips=pipeline.label_flips,
        peak_rss_bytes=peak_rss_bytes(),
        camera_moved=pipeline.camera.moved_frames,
        rotate_deg=pipeline.camera.rotate_deg,
        corrupt=counts.corrupt,
        out_of_order=counts.out_of_order,
        skipped_rate=counts.skipped_rate,
        breaks=dict(counts.breaks),
        slow_motion=source.info.slow_motion,
        is_truncated=counts.is_truncated,
    )


class _Meter:
    """Counts frames and reports progress."""

    def __init__(self, info: SourceInfo, run: Run) -> None:
        self._info = info
        self._run = run
        self._start_s = self._told_s = time.monotonic()
        self.frames = self.analysed = 0
        self.elapsed_s = 0.0

    def counting(self, process: Callable[[Frame], FrameResult]) -> Callable[[Frame], FrameResult]:
        """The same, and counted."""

        def counted(frame: Frame) -> FrameResult:
            self.analysed += 1
            return process(frame)

        return counted

    @property
    def fps(self) -> float:
        return self.frames / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def tick(self, media_s: float) -> None:
        now_s = time.monotonic()
        self.frames += 1
        self.elapsed_s = now_s - self._start_s
        if now_s - self._told_s >= _PROGRESS_S:
            self._told_s = now_s
            share = self._share(media_s)
            eta_s = self.elapsed_s * (1 - share) / share if share else None
            self._run.on_progress(self.frames, None if share is None else 100 * share, self.fps, eta_s)

    def done(self) -> None:
        self.elapsed_s = time.monotonic() - self._start_s
        self._run.on_progress(self.frames, 100.0, self.fps, 0.0)

    def _share(self, media_s: float) -> float | None:
        if self._info.duration_s:
            return min(media_s / self._info.duration_s, 1.0)
        return min(self.frames / self._info.num_frames, 1.0) if self._info.num_frames else None


@contextmanager
def _ahead(source: FrameSource) -> Iterator[FrameBuffer]:
    """The source's frames, decoded a little ahead in a thread: the same frames, and the second core is used."""
    buffer = FrameBuffer(_AHEAD_FRAMES, policy="wait")
    thread = threading.Thread(target=_decode, args=(source, buffer), name="decode", daemon=True)
    thread.start()
    try:
        yield buffer
    finally:
        buffer.stop()
        thread.join()


def _decode(source: FrameSource, buffer: FrameBuffer) -> None:
    try:
        for frame in source:
            if not buffer.put(frame):
                return
    except Exception as error:  # noqa: BLE001 - the thread's edge: the consumer raises it
        buffer.end(error)
    else:
        buffer.end()
