"""The served networks at fixed batch sizes: what a device gets out of a network whose shapes stand still."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import AnyArray
from models.bench.budget import Budget
from models.errors import ModelError
from models.runtime.session import Session
from models.skeleton.layouts import require_layout
from pipelines.stream.build import Networks

BUCKETS = (1, 2, 4, 8, 16, 32, 64)
_PICTURE_HW = (360, 640)
_BODY_PX = 200.0
_WARM_RUNS = 2
_RUNS_MIN = 3

Call = Callable[[int], Callable[[], object]]
"""Makes a call of that batch size."""


@dataclass(frozen=True, slots=True)
class BucketRow:
    """One network at one batch size.

    kind: `session` is the network alone, as onnxruntime runs it; `stage` with what the product does around it.
    call_ms: median of a call; None where it failed, and `why` then says why.
    """

    network: str
    kind: str
    batch: int
    call_ms: float | None
    why: str | None = None

    @property
    def per_second(self) -> float | None:
        """Pictures, crops or windows a second."""
        return None if self.call_ms is None else 1000 * self.batch / self.call_ms


def stage_calls(networks: Networks) -> dict[str, Call]:
    """Detector, pose estimator and action model as the stages call them."""
    detector, pose, action = networks.detector, networks.pose, networks.action
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (*_PICTURE_HW, 3), np.uint8)
    region = np.array([320, 180, _BODY_PX, 0], np.float32)
    contract = action.contract
    shape = (contract.num_samples, len(require_layout(contract.layout)), 3)
    window = generator.uniform([100, 100, 0.5], [300, 300, 1], shape).astype(np.float32)

    def judge(batch: int) -> Callable[[], object]:
        keypoints, valid = np.stack([window] * batch), np.ones((batch, len(window)), np.bool_)
        return lambda: action(keypoints, valid)

    calls: dict[str, Call] = {
        "detect": lambda batch: lambda: detector([picture] * batch),
        "pose": lambda batch: lambda: pose([picture] * batch, np.tile(region, (batch, 1))),
    }
    # A model that looks at pictures as well cannot be asked about joints alone.
    return calls if action.wants_pictures else calls | {"action": judge}


def session_call(session: Session, side_wh: tuple[int, int]) -> Call:
    """A network alone; `side_wh` where its file leaves the picture's size open."""

    def make(batch: int) -> Callable[[], object]:
        feeds = {spec.name: _ones(spec.shape, batch, side_wh) for spec in session.inputs}
        return lambda: session.run(feeds)

    return make


def open_sessions(files: Mapping[str, Path], device: str, threads: int) -> dict[str, Session]:
    """Networks by name, each in a session of its own; raises what `Session` raises."""
    return {name: Session(path, device, threads) for name, path in files.items()}


def measure_buckets(
    calls: Mapping[str, Call], kind: str, buckets: Sequence[int], seconds: float, budget: Budget
) -> list[BucketRow]:
    """Every network at every batch size, each for about so many seconds after runs to warm up."""
    return [
        _measure(name, kind, batch, make, seconds)
        for name, make in calls.items()
        for batch in buckets
        if budget.allows(f"{name} ({kind}) at batch {batch}")
    ]


def _measure(name: str, kind: str, batch: int, make: Call, seconds: float) -> BucketRow:
    try:
        call = make(batch)
        for _ in range(_WARM_RUNS):
            call()
        return BucketRow(name, kind, batch, 1000 * _median_s(call, seconds))
    except ModelError as error:
        return BucketRow(name, kind, batch, None, f"{error.code}: {str(error)[:200]}")


def _median_s(call: Callable[[], object], seconds: float) -> float:
    times_s: list[float] = []
    until_s = time.perf_counter() + seconds
    while len(times_s) < _RUNS_MIN or time.perf_counter() < until_s:
        began_s = time.perf_counter()
        call()
        times_s.append(time.perf_counter() - began_s)
    return sorted(times_s)[len(times_s) // 2]


def _ones(shape: Sequence[int | str | None], batch: int, side_wh: tuple[int, int]) -> AnyArray:
    free = {2: side_wh[1], 3: side_wh[0]}
    rest = [size if isinstance(size, int) else free.get(axis, 1) for axis, size in enumerate(shape[1:], 1)]
    # Not zeros, which an action network takes for nobody and answers for nothing.
    return np.ones((batch, *rest), np.float32)
