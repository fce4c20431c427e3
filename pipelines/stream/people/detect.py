"""Asks the detector for people when it is due: poses carry the tracks between two detections."""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import Image
from models.runtime.detector import DetectedPeople
from pipelines.stream.config import DetectConfig
from pipelines.stream.people.boxes import areas
from pipelines.stream.people.still import StillScene
from pipelines.types import Boxes, Demand, Frame

_TICK_S = 1e-3  # timestamps are rounded to the container's ticks

DetectPeople = Callable[[Sequence[Image]], list[DetectedPeople]]


class DetectStage:
    """Decides frame by frame whether the detector looks, by media time, so that any frame rate works.

    detector: the network, or a batcher before it; called with one picture.
    glance: the same with a smaller input, for the looks between; None leaves all of them to the detector.
    Where nobody is followed and nothing moved since the last look, glances are left out down to `still_period_s`; the
    others come when they would have come.
    """

    def __init__(self, detector: DetectPeople, config: DetectConfig, glance: DetectPeople | None = None) -> None:
        self._detector = detector
        self._glance = glance or detector
        self._config = config
        self._last_s = self._asked_s = self._looked_s = -np.inf
        self._still = StillScene()
        self.num_left_out = 0

    def __call__(self, frame: Frame, demand: Demand) -> Boxes | None:
        """The people detected in this frame, best first; None when the detector was not asked."""
        self._forget_later(frame.time_s)
        period_s, look_period_s = self._periods(demand)
        if not _is_over(period_s, self._last_s, frame.time_s):
            return None
        is_look = _is_over(look_period_s, self._looked_s, frame.time_s)
        self._last_s = frame.time_s
        if demand == "nobody" and not is_look and self._may_wait(frame):
            self.num_left_out += 1
            return None
        self._asked_s = frame.time_s
        if demand == "nobody":
            self._still.mark(frame.image)
        else:
            self._still.forget()
        if is_look:
            self._looked_s = frame.time_s
        people = (self._detector if is_look else self._glance)([frame.image])[0]
        width, height = frame.size_wh
        big = areas(people.xyxy) >= self._config.min_area * width * height
        keep = np.flatnonzero(big & (people.score >= self._config.min_score))
        order = keep[np.argsort(-people.score[keep], kind="stable")]
        return Boxes(people.xyxy[order], people.score[order])

    def reset(self) -> None:
        """Look at the next frame at full input size, whenever the last look was."""
        self._last_s = self._asked_s = self._looked_s = -np.inf
        self._still.forget()

    def _may_wait(self, frame: Frame) -> bool:
        """Whether a look at an empty scene that is due may be left out."""
        is_due = _is_over(self._config.still_period_s, self._asked_s, frame.time_s)
        return not is_due and self._still(frame.image)

    def _periods(self, demand: Demand) -> tuple[float, float]:
        """Seconds between two detections, and between two at full input size."""
        config = self._config
        match demand:
            case "nobody" | "calm":
                return config.period_s, config.look_period_s
            case "wary":
                return config.period_s, config.period_s
            case "alert":
                return config.alert_period_s, config.period_s
            case "search":
                return config.alert_period_s, config.alert_period_s

    def _forget_later(self, time_s: float) -> None:
        """A source whose time jumps back begins anew."""
        if time_s < self._last_s:
            self.reset()


def _is_over(period_s: float, since_s: float, now_s: float) -> bool:
    return now_s - since_s >= period_s - _TICK_S
