"""Action stage: the windows of all people through the action model, in one batch."""

from collections.abc import Callable, Sequence

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.action import ActionModel, Judgement
from models.skeleton.derive import derive
from models.skeleton.layouts import COCO17, Layout, layout_map, require_layout
from pipelines.stream.actions.answers import Answers
from pipelines.stream.actions.partners import nearest
from pipelines.stream.actions.pictures import PictureRing
from pipelines.types import ActionScores, Poses, Window, WindowBatch


class ActionStage:
    """Judges what is ready and passes on why the rest is not.

    layout: of the windows' joints. For our own features, a joint that the model knows and the layout lacks counts as
    never seen; an imported network must get every joint: raises LayoutNotServed.
    pictures: of the last seconds, for a model that looks at them.
    """

    def __init__(self, model: ActionModel, layout: Layout = COCO17, pictures: PictureRing | None = None) -> None:
        self._model = model
        self._mapped = _mapping(model, layout)
        self._pictures = pictures
        self._answers = Answers(model.labels)

    def see(self, poses: Poses, image: Image | None) -> None:
        """Keep the picture of one more frame, where the model looks at them."""
        if self._pictures is not None and image is not None:
            self._pictures.add(poses.time_s, image)

    def reset(self) -> None:
        """Forget every picture."""
        if self._pictures is not None:
            self._pictures.reset()

    def __call__(self, batch: WindowBatch) -> tuple[ActionScores, ...]:
        """One answer per window and per withheld person; empty for an empty batch."""
        withheld = [self._answers.without(item) for item in batch.withheld]
        if not batch.ready:
            return tuple(withheld)
        partners = nearest(batch.ready, self._model.contract.num_persons - 1)
        judged = self._judge(batch.ready, partners)
        rows = zip(batch.ready, judged.probabilities, judged.is_unknown, partners, strict=True)
        return (
            *(
                self._answers.of(window, row, bool(unknown), _first(batch.ready, near))
                for window, row, unknown, near in rows
            ),
            *withheld,
        )

    def _judge(self, windows: Sequence[Window], partners: Sequence[tuple[int, ...]]) -> Judgement:
        """Each window with those of the people beside its person."""
        keypoints = self._mapped(np.stack([window.keypoints for window in windows]))
        valid = np.stack([window.valid for window in windows])
        size_wh = np.array([window.size_wh for window in windows], np.float32)
        pictures = [self._shown(window) for window in windows] if self._pictures is not None else ()
        if not any(partners):
            return self._model.judge(keypoints, valid, size_wh, pictures)
        slots = max(map(len, partners)) + 1
        people = np.zeros((len(windows), slots, *keypoints.shape[1:]), np.float32)
        seen = np.zeros((len(windows), slots, valid.shape[1]), np.bool_)
        for index, near in enumerate(partners):
            order = [index, *near]
            people[index, : len(order)], seen[index, : len(order)] = keypoints[order], valid[order]
        return self._model.judge(people, seen, size_wh, pictures)

    def _shown(self, window: Window) -> list[Image]:
        """The picture at each sample of a window."""
        assert self._pictures is not None
        return self._pictures.at(np.linspace(window.start_s, window.end_s, len(window.valid)))


def _first(windows: Sequence[Window], partners: tuple[int, ...]) -> int | None:
    """The track of the nearest partner."""
    return windows[partners[0]].track_id if partners else None


def _mapping(model: ActionModel, layout: Layout) -> Callable[[FloatArray], FloatArray]:
    target = require_layout(model.contract.layout)
    if model.contract.features != "everyday13":
        return derive(layout, target)
    joints = layout_map(layout, target)

    def mapped(keypoints: FloatArray) -> FloatArray:
        """(B, T, V, 3) in the model's layout."""
        if joints == tuple(range(keypoints.shape[2])):
            return keypoints
        found: FloatArray = keypoints[:, :, [joint or 0 for joint in joints]]
        found[:, :, [joint is None for joint in joints]] = 0
        return found

    return mapped
