"""The served networks at fixed batch sizes: what a device gets out of a network whose shapes stand still."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.bench.budget import Budget
from models.errors import ModelError
from models.runtime.engines.types import TensorSpec
from models.runtime.session import Session
from models.runtime.shapes import BATCHES
from models.skeleton.layouts import require_layout
from pipelines.stream.build import Networks

BUCKETS = BATCHES
_PICTURE_HW = (360, 640)
_BODY_PX = 200.0
_FREE_SIDE_PX, _FIRST_PICTURE_AXIS = 640, 2
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


def session_name(session: Session) -> str:
    """The name of the network that a session runs: its file's, or its folder's where every file is `model.onnx`."""
    return session.path.parent.name if session.path.stem == "model" else session.path.stem


def session_calls(sessions: Sequence[Session]) -> dict[str, Call]:
    """Networks alone, as onnxruntime runs them, by their names."""
    return {session_name(session): _session_call(session) for session in sessions}


def _session_call(session: Session) -> Call:
    def make(batch: int) -> Callable[[], object]:
        feeds = {spec.name: np.ones((batch, *_row(session, spec)), np.float32) for spec in session.inputs}
        # Ones: an action network takes zeros for nobody and answers for nothing.
        return lambda: session.run(feeds)

    return make


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


def _row(session: Session, spec: TensorSpec) -> tuple[int, ...]:
    """The shape of one row of an input: the declared one on a device; else the file's, with sizes where it has none."""
    if session.declared_shapes:
        return session.declared_shapes[0][spec.name][1:]
    return tuple(size if isinstance(size, int) else _free(axis) for axis, size in enumerate(spec.shape[1:], 1))


def _free(axis: int) -> int:
    return 1 if axis < _FIRST_PICTURE_AXIS else _FREE_SIDE_PX
