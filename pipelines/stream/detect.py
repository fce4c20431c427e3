"""Asks the detector for people when it is due: poses carry the tracks between two detections."""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Image
from models.runtime.detector import DetectedPeople
from pipelines.stream.boxes import areas
from pipelines.stream.config import DetectConfig
from pipelines.types import Boxes, Demand, Frame

DetectPeople = Callable[[Sequence[Image]], list[DetectedPeople]]


class DetectStage:
    """Decides frame by frame whether the detector looks, by media time, so that any frame rate works.

    detector: the network, or a batcher before it; called with one picture.
    """

    def __init__(self, detector: DetectPeople, config: DetectConfig) -> None:
        self._detector = detector
        self._config = config
        self._last_s: float | None = None

    def __call__(self, frame: Frame, demand: Demand) -> Boxes | None:
        """The people detected in this frame, best first; None when the detector was not asked."""
        if not self._is_due(frame.time_s, demand):
            return None
        self._last_s = frame.time_s
        people = self._detector([frame.image])[0]
        width, height = frame.size_wh
        big = areas(people.xyxy) >= self._config.min_area * width * height
        keep = np.flatnonzero(big & (people.score >= self._config.min_score))
        order = keep[np.argsort(-people.score[keep], kind="stable")]
        return Boxes(people.xyxy[order], people.score[order])

    def _is_due(self, time_s: float, demand: Demand) -> bool:
        if self._last_s is None or time_s < self._last_s:
            return True
        period_s = self._config.period_s if demand == "calm" else self._config.alert_period_s
        return time_s - self._last_s >= period_s - 1e-3  # timestamps are rounded to the container's ticks
