"""Action stage: the windows of all people through the action model, in one batch."""

import numpy as np

from models.arrays import FloatArray
from models.runtime.action import ActionModel
from models.runtime.contract import NONE_LABEL
from models.skeleton.layouts import COCO17, Layout, layout_map, require_layout
from pipelines.stream.actions.lying import LYING
from pipelines.types import ActionScores, PersonStatus, Window, WindowBatch, Withheld


class ActionStage:
    """Judges what is ready and passes on why the rest is not.

    layout: of the windows' joints; a joint that the model knows and the layout lacks counts as never seen.
    """

    def __init__(self, model: ActionModel, layout: Layout = COCO17) -> None:
        self._model = model
        self._joints = layout_map(layout, require_layout(model.contract.layout))
        self._nothing = np.zeros(len(model.labels), np.float32)

    def __call__(self, batch: WindowBatch) -> tuple[ActionScores, ...]:
        """One answer per window and per withheld person; empty for an empty batch."""
        withheld = [self._without(item) for item in batch.withheld]
        if not batch.ready:
            return tuple(withheld)
        keypoints = np.stack([window.keypoints for window in batch.ready])
        judged = self._model.judge(self._mapped(keypoints), np.stack([window.valid for window in batch.ready]))
        rows = zip(batch.ready, judged.probabilities, judged.is_unknown, strict=True)
        return (*(self._scores(window, row, bool(unknown)) for window, row, unknown in rows), *withheld)

    def _mapped(self, keypoints: FloatArray) -> FloatArray:
        """(B, T, V, 3) in the model's layout."""
        if self._joints == tuple(range(keypoints.shape[2])):
            return keypoints
        mapped: FloatArray = keypoints[:, :, [joint or 0 for joint in self._joints]]
        mapped[:, :, [joint is None for joint in self._joints]] = 0
        return mapped

    def _scores(self, window: Window, probabilities: FloatArray, is_unknown: bool) -> ActionScores:
        if not window.may_lie and self._model.labels[int(probabilities.argmax())] in LYING:
            return self._without(Withheld(window.track_id, window.end_s, "not_assessable", "edge_of_frame"))
        return ActionScores(window.track_id, window.end_s, probabilities, self._status(probabilities, is_unknown))

    def _status(self, probabilities: FloatArray, is_unknown: bool) -> PersonStatus:
        if is_unknown:
            return "unknown"
        return "none" if self._model.labels[int(probabilities.argmax())] == NONE_LABEL else "assessed"

    def _without(self, item: Withheld) -> ActionScores:
        return ActionScores(item.track_id, item.time_s, self._nothing, item.status, item.reason)
