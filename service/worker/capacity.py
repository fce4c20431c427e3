"""How many frames per second a worker on a device can analyse, measured on that device when it starts."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.action import ActionModel, Network
from models.runtime.continual import ContinualModel
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks
from models.runtime.session import sessions_of
from models.runtime.windows import sample_window
from models.skeleton.layouts import require_layout
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.stream.pipeline import Pipeline
from pipelines.types import Frame

RATE_HZ = 15.0
"""Frames per second of a stream at the default rate."""
_PICTURE_HW = (360, 640)
_PEOPLE = 1.5
"""People in a calm scene, on average."""
_FREE_SHARE = 0.2
"""Kept free for bursts."""
_BATCH_S_MAX = 0.1
"""A batch that runs for longer makes labels too old, however cheap each of its rows is."""
_REPEATS = 2
_HANDLED_FRAMES = 45
_INSTANT_S = 1e-9

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class BatchCosts:
    """Seconds that one call of each network takes, by its batch size; measured with what is before and after it."""

    detect: Mapping[int, float]
    pose: Mapping[int, float]
    action: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class DeviceCapacity:
    """What was measured.

    costs: of the networks.  handled_hz: frames per second of all streams together that everything else can do, where
    the networks answer at once: the interpreter's lock and the processor's cores bound it.
    is_continual: whether the action network is asked about every frame, rather than about windows.
    """

    costs: BatchCosts
    handled_hz: float
    is_continual: bool = False

    def fps_budget(self, config: PipelineConfig) -> float:
        """Frames per second that the worker can analyse, a fifth kept free."""
        looks = 1 / (RATE_HZ * max(config.detect.period_s, 1 / RATE_HZ))
        windows = _PEOPLE if self.is_continual else _PEOPLE / (RATE_HZ * config.window.stride_s)
        costs = self.costs
        frame_s = looks * _row_s(costs.detect) + _PEOPLE * _row_s(costs.pose) + windows * _row_s(costs.action)
        return round((1 - _FREE_SHARE) * min(1 / max(frame_s, _INSTANT_S), self.handled_hz), 1)


def measure_capacity(
    networks: Networks, config: PipelineConfig, num_streams: int, clock: Clock = time.perf_counter
) -> DeviceCapacity:
    """Measure warm networks, and what is around them, with so many streams at once; takes a few seconds."""
    return DeviceCapacity(
        measure_costs(networks, clock), measure_handling(networks, config, num_streams, clock),
        isinstance(networks.action, ContinualModel),
    )  # fmt: skip


def measure_costs(networks: Networks, clock: Clock = time.perf_counter) -> BatchCosts:
    """The best of a few calls at every batch size that the networks take."""

    def pose(size: int) -> None:
        networks.pose(_pictures(size), np.tile(np.array([320, 180, 200, 0], np.float32), (size, 1)))

    return BatchCosts(
        detect=_timed(lambda size: networks.detector(_pictures(size)), _batches(networks.detector), clock),
        pose=_timed(pose, _batches(networks.pose), clock),
        action=_timed(partial(_ask, networks.action), _batches(networks.action), clock),
    )


def measure_handling(
    networks: Networks, config: PipelineConfig, num_streams: int, clock: Clock = time.perf_counter
) -> float:
    """Frames per second of all streams together, each in a thread, where every network answers at once."""
    person = _StillPerson(networks.pose.layout)
    instant = replace(
        networks, detector=person.detect, glance=None, crop_detector=None, pose=person,
        action=networks.action.over(_Remembering),
    )  # fmt: skip
    pipelines = [build_pipeline(instant, config, f"measured-{number}") for number in range(num_streams)]
    frames = [Frame(index, index / RATE_HZ, picture) for index, picture in enumerate(_pictures(_HANDLED_FRAMES))]
    for pipeline in pipelines:
        pipeline.process(frames[0])

    def stream(pipeline: Pipeline) -> None:
        for frame in frames[1:]:
            pipeline.process(frame)

    began_s = clock()
    with ThreadPoolExecutor(num_streams) as pool:
        list(pool.map(stream, pipelines))
    return num_streams * (len(frames) - 1) / max(clock() - began_s, _INSTANT_S)


class _StillPerson:
    """A detector and a pose estimator that see one person who never moves, at no cost."""

    def __init__(self, layout: str) -> None:
        self.layout = layout
        down = np.linspace(-0.4, 0.4, len(require_layout(layout)), dtype=np.float32)
        self._body = np.stack([np.where(np.arange(len(down)) % 2, 0.1, -0.1), down, np.full_like(down, 0.9)], axis=1)

    def detect(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """The same box in every picture."""
        xyxy = np.array([[270, 80, 370, 280]], np.float32)
        return [DetectedPeople(xyxy, np.full(1, 0.9, np.float32)) for _ in images]

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:  # noqa: ARG002 - it sees no picture
        """Somebody upright in every region."""
        keypoints = np.tile(self._body, (len(regions), 1, 1)).astype(np.float32)
        keypoints[..., :2] = keypoints[..., :2] * regions[:, None, 2:3] + regions[:, None, :2]
        return Landmarks(keypoints, np.full(len(regions), 0.99, np.float32), regions.copy(), follows_region=True)


class _Remembering:
    """A network that is asked once per number of rows, and says the same ever after."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[int, Mapping[str, AnyArray]] = {}

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        """The outputs of the first batch of this size."""
        size = len(next(iter(feeds.values())))
        if size not in self._known:
            self._known[size] = self._network.run(feeds)
        return self._known[size]


def _ask(model: ActionModel, size: int) -> None:
    """Judge windows of people who stand still, or step their tracks."""
    people = sample_window(model.contract)
    if isinstance(model, ContinualModel):
        model.step(np.repeat(people.keypoints[:, 0, 0], size, axis=0), (640, 360), model.new_state(size))
        return
    assert people.size_wh is not None
    keypoints, valid, size_wh = (np.repeat(part, size, 0) for part in (people.keypoints, people.valid, people.size_wh))
    model.judge(keypoints, valid, size_wh, list(people.pictures) * size)


def _timed(call: Callable[[int], object], sizes: Sequence[int], clock: Clock) -> dict[int, float]:
    costs: dict[int, float] = {}
    for size in sizes:
        if costs and max(costs.values()) > _BATCH_S_MAX:
            break  # larger ones only take longer
        times_s = []
        for _ in range(_REPEATS):
            began_s = clock()
            call(size)
            times_s.append(clock() - began_s)
        costs[size] = min(times_s)
    return costs


def _batches(part: object) -> tuple[int, ...]:
    """The batch sizes of what a network runs on; one at a time where nothing was declared."""
    sizes = {size for session in sessions_of(part) for size in session.batches}
    return tuple(sorted(sizes)) or (1,)


def _row_s(costs: Mapping[int, float]) -> float:
    """Seconds per row at the cheapest batch size that does not run for too long."""
    fitting = {size: cost for size, cost in costs.items() if cost <= _BATCH_S_MAX}
    return min(cost / size for size, cost in (fitting or {min(costs): costs[min(costs)]}).items())


def _pictures(count: int) -> list[Image]:
    """Black pictures, each an object of its own: networks that know pictures by identity see each."""
    return [np.zeros((*_PICTURE_HW, 3), np.uint8) for _ in range(count)]
