"""From a model's probabilities to the answer for one person."""

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray
from models.runtime.contract import NONE_LABEL
from pipelines.stream.actions.lying import LYING
from pipelines.types import ActionScores, PersonStatus, Window, Withheld


class Answers:
    """Makes the answers of one model; `labels` are its own."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._nothing = np.zeros(len(self._labels), np.float32)

    def of(
        self, window: Window, probabilities: FloatArray, is_unknown: bool, partner: int | None = None
    ) -> ActionScores:
        """What is said of a window; nothing where it seems to lie and may not be judged as lying."""
        if not window.may_lie and self._labels[int(probabilities.argmax())] in LYING:
            return self.without(Withheld(window.track_id, window.end_s, "not_assessable", "edge_of_frame"))
        status = self._status(probabilities, is_unknown)
        return ActionScores(window.track_id, window.end_s, probabilities, status, partner=partner)

    def without(self, item: Withheld) -> ActionScores:
        """What is said of somebody who is not judged now."""
        return ActionScores(item.track_id, item.time_s, self._nothing, item.status, item.reason)

    def _status(self, probabilities: FloatArray, is_unknown: bool) -> PersonStatus:
        if is_unknown:
            return "unknown"
        return "none" if self._labels[int(probabilities.argmax())] == NONE_LABEL else "assessed"
