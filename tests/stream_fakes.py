"""Stand-ins for a whole stream: a detector, a pose estimator, a source, and the networks of a pipeline."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.action import ActionModel
from models.runtime.detector import DetectedPeople
from models.runtime.pose import FOLLOW_FACTOR, Landmarks
from pipelines.stream.build import Networks
from pipelines.stream.sources import SourceCounts, SourceInfo
from pipelines.types import BreakReason, Frame
from tests.fakes import FakeNetwork, contract_of, waving_keypoints


class FakeDetector:
    """Finds the same people in every picture."""

    def __init__(self, *boxes: tuple[float, float, float, float], score: float = 0.9) -> None:
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self._score = np.full(len(self._boxes), score, np.float32)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        return [DetectedPeople(self._boxes, self._score) for _ in images]


class FakePoses:
    """Sees an upright person in the middle of every region it is asked for."""

    layout = "coco17"

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        body = waving_keypoints(0.0, (0.0, 0.0))
        keypoints = np.tile(body, (len(regions), 1, 1))
        keypoints[..., :2] *= regions[:, None, 2:3] / FOLLOW_FACTOR / 200
        keypoints[..., :2] += regions[:, None, :2]
        return Landmarks(keypoints, np.full(len(regions), 0.99, np.float32), regions.copy(), follows_region=True)


class FakeSource:
    """Blank frames at a steady rate; `error` is raised after the last one.

    breaks: why the frame of an index does not follow on the one before.
    """

    def __init__(
        self,
        num_frames: int = 90,
        rate_hz: float = 30.0,
        size_wh: tuple[int, int] = (320, 240),
        error: Exception | None = None,
        breaks: Mapping[int, BreakReason] | None = None,
    ) -> None:
        self._num_frames = num_frames
        self._rate_hz = rate_hz
        self._error = error
        self._breaks = breaks or {}
        self._image = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
        self.info = SourceInfo(size_wh, size_wh, num_frames / rate_hz, num_frames, rate_hz, "fake", "fake")
        self.counts = SourceCounts(num_frames, breaks=Counter(self._breaks.values()))

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self._num_frames):
            yield Frame(index, index / self._rate_hz, self._image, break_reason=self._breaks.get(index))
        if self._error is not None:
            raise self._error


def networks_of(logits: Sequence[float] = (5.0, 0.0, 0.0), *boxes: tuple[float, float, float, float]) -> Networks:
    """Networks that see people in the given boxes (one, where none is given) and always say the same of them."""
    detector = FakeDetector(*(boxes or ((120.0, 40.0, 200.0, 220.0),)))
    action = ActionModel(contract_of(), FakeNetwork(logits))
    return Networks(detector=detector, pose=FakePoses(), names=("fake", "fake", "fake"), action=action)
