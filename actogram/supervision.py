"""People as values of the package `supervision`: for its annotators, zones and sinks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.arrays import AnyArray, FloatArray
from pipelines.errors import PackageMissing

if TYPE_CHECKING:
    import supervision as sv

    from actogram.analysis import Skeleton
    from actogram.watching import Moment


@dataclass(frozen=True, slots=True)
class SupervisionFrame:
    """Everybody in one frame, twice, in the same order.

    time_s: media seconds. detections: boxes with `tracker_id`, and the action in `data["class_name"]`, or "".
    key_points: the same people's joints, pixels.
    """

    time_s: float
    detections: "sv.Detections"
    key_points: "sv.KeyPoints"


def frames_of(labels: Sequence[str], skeletons: "Mapping[int, Skeleton]") -> Iterator[SupervisionFrame]:
    """Every frame of a video in which somebody is, in the order of time. Raises PackageMissing."""
    _require()
    rows = sorted(
        (at_s, track_id, row) for track_id, one in skeletons.items() for row, at_s in enumerate(one.time_s.tolist())
    )
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end][0] != rows[start][0]:
            found = [(track_id, skeletons[track_id], row) for _, track_id, row in rows[start:end]]
            yield _frame(
                rows[start][0], [track_id for track_id, _, _ in found],
                np.stack([one.xyxy[row] for _, one, row in found]),
                np.array([one.score[row] for _, one, row in found], np.float32),
                [one.action[row] for _, one, row in found],
                np.stack([one.keypoints[row] for _, one, row in found]), labels,
            )  # fmt: skip
            start = end


def frame_of(moment: "Moment", labels: Sequence[str] = ()) -> SupervisionFrame:
    """A moment of a camera. labels: of the action model, for `class_id`. Raises PackageMissing."""
    _require()
    people = moment.people
    joints = np.stack([one.keypoints for one in people]) if people else np.zeros((0, 17, 3), np.float32)
    return _frame(
        moment.time_s, [one.track_id for one in people],
        np.array([one.xyxy for one in people], np.float32).reshape(-1, 4),
        np.array([one.score for one in people], np.float32), [one.action for one in people], joints, labels,
    )  # fmt: skip


def _frame(
    time_s: float, track_ids: list[int], xyxy: FloatArray, score: FloatArray, actions: list[str | None],
    joints: FloatArray, labels: Sequence[str],
) -> SupervisionFrame:  # fmt: skip
    import supervision as sv

    # supervision drops all people of a frame where classes are missing for some: -1 stands for "nothing is named".
    classes = np.array([labels.index(one) if one in labels else -1 for one in actions], int)
    names: AnyArray = np.array([one or "" for one in actions], dtype=str)
    detections = sv.Detections(
        xyxy=xyxy, confidence=score, class_id=classes, tracker_id=np.array(track_ids, int), data={"class_name": names}
    )
    return SupervisionFrame(time_s, detections, _key_points(joints, classes, names))


def _key_points(joints: FloatArray, classes: AnyArray, names: AnyArray) -> "sv.KeyPoints":
    import supervision as sv

    fields = sv.KeyPoints.__dataclass_fields__
    confidence = "keypoint_confidence" if "keypoint_confidence" in fields else "confidence"
    found = {"xy": joints[..., :2], confidence: joints[..., 2], "class_id": classes, "data": {"class_name": names}}
    return sv.KeyPoints(**found)


def _require() -> None:
    try:
        import supervision  # noqa: F401 - whether it is there
    except ImportError as error:
        raise PackageMissing("supervision is not installed: pip install supervision") from error
