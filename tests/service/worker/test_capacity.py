"""What a worker on a device promises: measured costs per batch become frames per second."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.action import ActionModel
from models.runtime.detector import DetectedPeople
from models.runtime.device import REHEARSAL
from models.runtime.pose import Landmarks
from models.runtime.session import Session
from pipelines.stream.config import PipelineConfig
from service.worker.capacity import BatchCosts, DeviceCapacity, measure_capacity, measure_costs
from tests.fakes import contract_of
from tests.models.runtime.networks import write_random
from tests.stream_fakes import FakeDetector, FakePoses, networks_of

_CONFIG = PipelineConfig()
_ONE_MS = BatchCosts({1: 0.001}, {1: 0.001}, {1: 0.001})


class Device:
    """A clock that moves on only when a network is asked, by what a call and each of its rows cost."""

    def __init__(self, call_s: float, row_s: float) -> None:
        self._call_s = call_s
        self._row_s = row_s
        self._lock = threading.Lock()
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def work(self, rows: int) -> None:
        with self._lock:
            self._now_s += self._call_s + self._row_s * rows


class SlowDetector(FakeDetector):
    """A detector whose calls take the device's time."""

    def __init__(self, device: Device, session: Session) -> None:
        super().__init__((120, 40, 200, 220))
        self._device = device
        self.sessions = (session,)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        self._device.work(len(images))
        return super().__call__(images)


class SlowPoses(FakePoses):
    """The same of a pose estimator."""

    def __init__(self, device: Device, session: Session) -> None:
        self._device = device
        self.sessions = (session,)

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        self._device.work(len(regions))
        return super().__call__(images, regions)


class SlowNetwork:
    """The same of an action network."""

    def __init__(self, device: Device, session: Session) -> None:
        self._device = device
        self.sessions = (session,)

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        (rows,) = {len(value) for value in feeds.values()}
        self._device.work(rows)
        return {"logits": np.zeros((rows, 3), np.float32)}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session that was declared for batches of 1, 2, 4 and 8."""
    return Session(write_random(tmp_path / "net.onnx", ("batch", 3, 32, 32), {"scores": (4,)}), REHEARSAL)


@pytest.mark.parametrize("count", [64, 200])
def test_worker_holds_more_streams_than_sixteen_when_the_device_carries_them(count: int) -> None:
    row_s = 1e-5
    costs = BatchCosts({1: 0.002, 64: 64 * row_s}, {1: 0.002, 64: 64 * row_s}, {1: 0.002, 64: 64 * row_s})

    budget = DeviceCapacity(costs, handled_hz=4000.0).fps_budget(_CONFIG)

    assert budget / 15 > count


@pytest.mark.parametrize(
    ("capacity", "budget"),
    [
        pytest.param(DeviceCapacity(_ONE_MS, 1e9), 343, id="(1/3 look + 1.5 joints + 0.5 windows) of a millisecond"),
        pytest.param(DeviceCapacity(_ONE_MS, 100.0), 80, id="the interpreter handles less"),
        pytest.param(
            DeviceCapacity(_ONE_MS, 1e9, is_continual=True), 240, id="an action network that steps each frame"
        ),
        pytest.param(
            DeviceCapacity(replace(_ONE_MS, pose={1: 0.001, 8: 0.002}), 1e9),
            662,
            id="eight joints for the price of two",
        ),
        pytest.param(
            DeviceCapacity(replace(_ONE_MS, pose={1: 0.001, 64: 0.3}), 1e9), 343, id="a batch that runs for too long"
        ),
        pytest.param(
            DeviceCapacity(replace(_ONE_MS, detect={1: 0.5}), 1e9),
            4.75,
            id="a network of which one call takes too long",
        ),
    ],
)
def test_budget_follows_from_what_was_measured(capacity: DeviceCapacity, budget: float) -> None:
    assert capacity.fps_budget(_CONFIG) == pytest.approx(budget, rel=0.03)


def test_costs_are_measured_at_every_declared_batch(session: Session) -> None:
    device = Device(call_s=0.01, row_s=0.001)
    action = ActionModel(contract_of(), SlowNetwork(device, session))
    networks = replace(
        networks_of(), detector=SlowDetector(device, session), pose=SlowPoses(device, session), action=action
    )

    costs = measure_costs(networks, device)

    for found in (costs.detect, costs.pose, costs.action):
        assert found == pytest.approx({size: 0.01 + 0.001 * size for size in (1, 2, 4, 8)})


def test_batches_larger_than_one_that_takes_too_long_are_not_measured(session: Session) -> None:
    device = Device(call_s=0.0, row_s=0.06)
    networks = replace(networks_of(), pose=SlowPoses(device, session))

    costs = measure_costs(networks, device)

    assert list(costs.pose) == [1, 2]
    assert list(costs.detect) == [1]


def test_handling_is_measured_without_the_networks(session: Session) -> None:
    device = Device(call_s=1.0, row_s=0.0)
    clock: Callable[[], float] = device
    networks = replace(networks_of(), detector=SlowDetector(device, session), pose=SlowPoses(device, session))

    capacity = measure_capacity(networks, _CONFIG, num_streams=2, clock=clock)

    assert capacity.handled_hz > 1e6
    assert min(capacity.costs.pose.values()) == 1.0
