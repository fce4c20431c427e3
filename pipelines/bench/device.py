"""A device measured from the bare networks to sixty-four cameras, within a given time."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from models.bench.budget import Budget
from models.errors import ModelError
from pipelines.bench.buckets import BUCKETS, BucketRow, measure_buckets, session_calls, session_name, stage_calls
from pipelines.bench.cameras import CameraPlan, CameraRow, measure_cameras
from pipelines.bench.clip_pairs import ClipRow, measure_clips
from pipelines.bench.device_use import ask_driver
from pipelines.bench.recorded import record, remembering
from pipelines.bench.torch_process import TorchRows, measure_torch
from pipelines.errors import PipelineError
from pipelines.stream.build import Networks

Part = Literal["buckets", "torch", "clips", "cameras"]
PARTS: tuple[Part, ...] = ("buckets", "torch", "clips", "cameras")
Recorded = Literal["no", "pictures", "detections"]
_SHARES: Mapping[Part, float] = {"buckets": 0.15, "torch": 0.38, "clips": 0.15, "cameras": 0.32}


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """What to measure, and how long.

    seconds: for all parts. parts: those wanted. clips: files. clip_seconds: of each. cameras: how many at once, a row
    each. recorded: whether cameras' pictures, or what the detector finds in them too, are held in memory.
    bucket_seconds: of each batch size. is_small: few and little networks, for a CPU.
    """

    device: str
    clips: tuple[Path, ...]
    seconds: float = 420.0
    parts: tuple[Part, ...] = PARTS
    clip_seconds: float = 20.0
    cameras: tuple[int, ...] = (1, 8, 16, 32, 64)
    camera: CameraPlan = field(default_factory=CameraPlan)
    recorded: Recorded = "no"
    buckets: tuple[int, ...] = BUCKETS
    bucket_seconds: float = 0.3
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Loading:
    """How the product's networks are had; each raises what loading raises.

    networks: on a device, as `analyze` uses them, warm. shared: the same as the streams of a worker share them.
    """

    networks: Callable[[str], Networks]
    shared: Callable[[Networks, str], Networks]


@dataclass(slots=True)
class DeviceReport:
    """What was found; a part that could not be measured is empty, and `left_out` says why.

    providers: of each network's session, the one in use first. ready_s: to load the networks and run every shape once.
    seconds: that each part took.
    """

    device: str
    networks: tuple[str, ...] = ()
    providers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ready_s: float | None = None
    buckets: list[BucketRow] = field(default_factory=list)
    torch: TorchRows | None = None
    clips: list[ClipRow] = field(default_factory=list)
    cameras: list[CameraRow] = field(default_factory=list)
    seconds: dict[Part, float] = field(default_factory=dict)
    left_out: dict[Part, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was measured."""
        has_torch = self.torch is not None and self.torch.networks
        return not (self.buckets or has_torch or self.clips or self.cameras)


class DeviceBench:
    """Runs the parts one after another; a part that fails is told and the others go on."""

    def __init__(self, plan: DevicePlan, loading: Loading, progress: Callable[[str], None]) -> None:
        self._plan = plan
        self._loading = loading
        self._progress = progress
        self._report = DeviceReport(plan.device)
        self._networks: Networks | None = None

    def run(self) -> DeviceReport:
        """All parts that are wanted. A share of the time that a part does not use goes to those after it."""
        steps: Mapping[Part, Callable[[Budget], None]] = {
            "buckets": self._buckets, "torch": self._torch, "clips": self._clips, "cameras": self._cameras,
        }  # fmt: skip
        whole, wanted = Budget(self._plan.seconds), [part for part in PARTS if part in self._plan.parts]
        for index, part in enumerate(wanted):
            share = _SHARES[part] / sum(_SHARES[later] for later in wanted[index:])
            budget = whole.share(share)
            self._progress(f"{part}: up to {budget.left_s:.0f} s")
            with self._timed(part, budget):
                steps[part](budget)
        return self._report

    @contextmanager
    def _timed(self, part: Part, budget: Budget) -> Iterator[None]:
        began_s = time.monotonic()
        try:
            yield
        except (ModelError, PipelineError) as error:
            budget.leave_out(part, f"{error.code}: {error}")
        self._report.seconds[part] = time.monotonic() - began_s
        told = self._report.torch.left_out if part == "torch" and self._report.torch is not None else ()
        self._report.left_out[part] = (*budget.left_out, *told)

    def _require(self) -> Networks:
        if self._networks is None:
            began_s = time.monotonic()
            self._networks = self._loading.networks(self._plan.device)
            self._report.ready_s = time.monotonic() - began_s
            self._report.networks = self._networks.names
            # A provider in onnxruntime's list need not be the one that runs: only the session knows.
            found = {session_name(session): session.providers for session in self._networks.sessions}
            self._report.providers = found
        return self._networks

    def _buckets(self, budget: Budget) -> None:
        plan, networks = self._plan, self._require()
        alone, half = session_calls(networks.sessions), budget.share(0.5)
        self._report.buckets += measure_buckets(alone, "session", plan.buckets, plan.bucket_seconds, half)
        calls = stage_calls(networks)
        self._report.buckets += measure_buckets(calls, "stage", plan.buckets, plan.bucket_seconds, budget)
        for item in half.left_out:
            budget.leave_out(*item.split(": ", 1))

    def _torch(self, budget: Budget) -> None:
        self._report.torch = measure_torch(self._plan.device, budget.left_s, is_small=self._plan.is_small)

    def _clips(self, budget: Budget) -> None:
        plan = self._plan
        on_cpu = self._loading.networks("cpu")
        for row in measure_clips(plan.clips, self._require(), on_cpu, plan.clip_seconds, budget):
            self._report.clips.append(row)
            self._progress(f"clips: {row.clip}, {row.frames_per_s:.1f} frames/s")

    def _cameras(self, budget: Budget) -> None:
        plan, camera = self._plan, self._plan.camera
        networks = self._loading.shared(self._require(), plan.device)
        if plan.recorded != "no":
            camera = CameraPlan(
                camera.rate_hz, camera.settle_s, camera.seconds,
                tuple(record(path, camera.rate_hz, plan.clip_seconds) for path in plan.clips),
            )  # fmt: skip
        if plan.recorded == "detections":
            networks = remembering(networks, camera.recordings)
        for count in plan.cameras:
            self._progress(f"cameras: {count}")
            ask = partial(ask_driver, plan.device)
            self._report.cameras += measure_cameras([count], plan.clips, networks, camera, ask, budget)
