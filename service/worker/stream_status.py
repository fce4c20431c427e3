"""What a stream's worker says once a second of how it goes: rates, latencies, drops, and the same as metrics."""

import multiprocessing
from collections import Counter

from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.pipeline import Pipeline
from pipelines.stream.sources.status import SourceStatus
from service.protocol.messages import StreamStatus, StreamTask, Values
from service.protocol.metrics import FRAME_AGE, FRAMES_DROPPED, STREAM_RECONNECTS, TRACKS_ACTIVE
from service.worker.channel import Channel
from service.worker.report import Reporter

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class StatusTeller:
    """Remembers what it has counted, so that metrics only grow by what is new.

    buffer: its drops count too.
    """

    def __init__(self, task: StreamTask, channel: Channel, reporter: Reporter, buffer: FrameBuffer) -> None:
        self._task = task
        self._channel = channel
        self._reporter = reporter
        self._buffer = buffer
        self._counted: Counter[str] = Counter()
        self._reconnects = 0

    def tell(self, status: SourceStatus, pipeline: Pipeline, now_s: float) -> None:
        """Say how it goes; `now_s` is monotonic."""
        figures = self._reporter.figures
        dropped = Counter(status.dropped) + Counter(dict(self._buffer.dropped_by_reason))
        age_ms = round(1000 * (now_s - figures.times_s[-1]) + figures.latencies_ms[-1], 1) if figures.times_s else None
        data: Values = {
            "fps_in": round(status.fps_in, 2), "fps_analysed": figures.rate_hz(now_s), "frame_age_ms": age_ms,
            "latency_ms": {name: figures.percentile(share) for name, share in _PERCENTILES.items()},
            "dropped": {reason: int(count) for reason, count in dropped.items()}, "reconnects": status.reconnects,
            "breaks": {reason: int(count) for reason, count in status.breaks.items()},
            "tracks_active": len(figures.tracks), "stage_ms": {k: round(v, 2) for k, v in figures.stage_ms.items()},
            "frame_size": None if figures.frame_size is None else list(figures.frame_size),
            "camera_moved": pipeline.camera.moved_frames, "rotate_deg": pipeline.camera.rotate_deg,
            "looks_left_out": pipeline.looks_left_out,
            "worker": multiprocessing.current_process().name.removeprefix("actogram-"),
        }  # fmt: skip
        self._channel.offer(StreamStatus(self._task.task_id, self._task.generation, data))
        self._measure(status, dropped, age_ms)

    def _measure(self, status: SourceStatus, dropped: Counter[str], age_ms: float | None) -> None:
        stream, measure = self._task.task_id, self._reporter.measure
        for reason, count in (dropped - self._counted).items():
            measure(FRAMES_DROPPED.add(count, stream=stream, reason=reason))
        self._counted = dropped
        if status.reconnects > self._reconnects:
            code = status.last_error.code if status.last_error else "unknown"
            measure(STREAM_RECONNECTS.add(status.reconnects - self._reconnects, code=code))
            self._reconnects = status.reconnects
        if age_ms is not None:
            measure(FRAME_AGE.set(age_ms / 1000, stream=stream))
        measure(TRACKS_ACTIVE.set(len(self._reporter.figures.tracks), stream=stream))
        self._reporter.flush()
