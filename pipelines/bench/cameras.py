"""Many cameras on one worker's networks, in real time: how old labels are, and how many there are."""

import os
import resource
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from models.bench.budget import Budget
from pipelines.addresses.policy import AddressPolicy
from pipelines.bench.device_use import Ask, UseMeter
from pipelines.bench.percentiles import percentiles
from pipelines.bench.recorded import RecordedCamera, Recording
from pipelines.stream.buffer import FrameBuffer
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources.open import build_reader
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.watch import watch
from pipelines.types import FrameResult

_BUFFER_FRAMES = 1
_TICK_S = 0.01
_STOP_S = 10.0
"""Longest wait for the cameras of one row to end, whatever they hang in."""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """How cameras are measured.

    rate_hz: pictures a second of each. settle_s: before the measurement. seconds: of it.
    recordings: pictures that are held in memory instead of decoded; empty plays the files.
    """

    rate_hz: float = 15.0
    settle_s: float = 3.0
    seconds: float = 12.0
    recordings: tuple[Recording, ...] = ()

    @property
    def row_s(self) -> float:
        """Seconds that one row takes."""
        return self.settle_s + self.seconds


@dataclass(frozen=True, slots=True)
class CameraRow:
    """So many cameras at once.

    labels_per_s: pictures of all cameras for which people and their labels were told. lowest_per_s: of the camera with
    the fewest. label_age_ms: from the arrival of a picture to its labels, by percentile. people: mean per picture.
    dropped: pictures that a newer one replaced, as a share of all. cores: processor cores in use.
    interpreter_wait_ms: how much later than asked a sleeping thread gets to run, by percentile: Python's lock, and a
    busy machine. gpu_percent, gpu_bytes: None where no driver tells them. errors: of cameras that ended, by their text.
    """

    cameras: int
    labels_per_s: float
    lowest_per_s: float
    label_age_ms: dict[str, float | None]
    people: float | None
    dropped: float | None
    cores: float
    memory_bytes: int
    interpreter_wait_ms: dict[str, float | None]
    gpu_percent: float | None
    gpu_bytes: int | None
    errors: dict[str, int]


class Camera(Protocol):
    """Puts pictures into a buffer at their pace until it is stopped."""

    def start(self) -> None:
        """Begin, in a thread of its own."""

    def stop(self) -> None:
        """Ask it to end."""


@dataclass(slots=True)
class _Watched:
    """One camera's pipeline: what was told since `count` was set."""

    buffer: FrameBuffer
    ages_s: list[float] = field(default_factory=list)
    people: int = 0
    is_counting: bool = False
    error: str | None = None

    def take(self, result: FrameResult, began_s: float) -> None:  # noqa: ARG002 - watch's signature
        if self.is_counting and result.frame.wall_s is not None:
            self.ages_s.append(time.monotonic() - result.frame.wall_s)
            self.people += len(result.poses)


def measure_cameras(
    counts: Sequence[int], paths: Sequence[Path], networks: Networks, plan: CameraPlan, ask: Ask, budget: Budget
) -> list[CameraRow]:
    """A row per number of cameras, which play the files in turn."""
    return [
        _measure(count, paths, networks, plan, ask)
        for count in counts
        if budget.allows(f"{count} cameras", plan.row_s)
    ]  # fmt: skip


def _measure(count: int, paths: Sequence[Path], networks: Networks, plan: CameraPlan, ask: Ask) -> CameraRow:
    watched = [_Watched(FrameBuffer(_BUFFER_FRAMES, "drop_oldest")) for _ in range(count)]
    stopped = threading.Event()
    cameras = [_open(index, paths, one.buffer, plan) for index, one in enumerate(watched)]
    threads = [
        threading.Thread(target=_run, args=(one, networks, index, stopped), name=f"camera {index}", daemon=True)
        for index, one in enumerate(watched)
    ]
    with ExitStack() as stack:
        stack.callback(_join, threads)
        for one in watched:
            stack.callback(one.buffer.stop)
        stack.callback(stopped.set)
        for camera, thread in zip(cameras, threads, strict=True):
            stack.callback(camera.stop)
            thread.start()
            camera.start()
        stopped.wait(plan.settle_s)
        return _listen(watched, plan, stack.enter_context(UseMeter(ask)))


def _open(index: int, paths: Sequence[Path], buffer: FrameBuffer, plan: CameraPlan) -> Camera:
    if plan.recordings:
        # Cameras do not take their pictures at the same moment.
        return RecordedCamera(plan.recordings[index % len(plan.recordings)], buffer, index / (7 * plan.rate_hz))
    path = paths[index % len(paths)].resolve()
    policy = AddressPolicy(frozenset({"file"}), folders=(path.parent,))
    return build_reader(path.as_uri(), buffer, policy, LiveOptions(rate_hz=plan.rate_hz, loops=True))


def _run(one: _Watched, networks: Networks, index: int, stopped: threading.Event) -> None:
    try:
        pipeline = build_pipeline(networks, PipelineConfig(), f"bench-{index}")
        watch(one.buffer, pipeline, one.take, lambda: None, stopped.is_set)
    except Exception as error:  # noqa: BLE001 - the thread's edge: the row tells it
        one.error = f"{type(error).__name__}: {error}"[:200]


def _join(threads: Sequence[threading.Thread]) -> None:
    until_s = time.monotonic() + _STOP_S
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))


def _listen(watched: Sequence[_Watched], plan: CameraPlan, meter: UseMeter) -> CameraRow:
    dropped_before = sum(one.buffer.dropped for one in watched)
    began_s, began_cpu_s = time.monotonic(), _cpu_s()
    for one in watched:
        one.is_counting = True
    waits_s = _interpreter_waits(plan.seconds)
    for one in watched:
        one.is_counting = False
    spent_s = time.monotonic() - began_s
    cores = (_cpu_s() - began_cpu_s) / spent_s
    ages_s = [age for one in watched for age in one.ages_s]
    dropped = sum(one.buffer.dropped for one in watched) - dropped_before
    return CameraRow(
        cameras=len(watched),
        labels_per_s=len(ages_s) / spent_s,
        lowest_per_s=min(len(one.ages_s) for one in watched) / spent_s,
        label_age_ms=percentiles([1000 * age for age in ages_s]),
        people=sum(one.people for one in watched) / len(ages_s) if ages_s else None,
        dropped=dropped / (dropped + len(ages_s)) if dropped + len(ages_s) else None,
        cores=cores,
        memory_bytes=_resident_bytes(),
        interpreter_wait_ms=percentiles([1000 * wait for wait in waits_s]),
        gpu_percent=meter.mean_percent,
        gpu_bytes=meter.peak_bytes,
        errors=dict(Counter(one.error for one in watched if one.error is not None)),
    )


def _interpreter_waits(seconds: float) -> list[float]:
    """Sleep in short ticks for so long; by how many seconds each tick came late."""
    waits_s: list[float] = []
    until_s = time.monotonic() + seconds
    while (began_s := time.monotonic()) < until_s:
        time.sleep(_TICK_S)
        waits_s.append(max(0.0, time.monotonic() - began_s - _TICK_S))
    return waits_s


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _resident_bytes() -> int:
    pages = Path("/proc/self/statm")
    if pages.is_file():
        return int(pages.read_text("ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
