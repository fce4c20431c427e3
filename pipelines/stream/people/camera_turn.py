"""Whether the camera hangs upside down or on its side, told by the people before it.

To a camera that hangs on its side everybody who stands lies. What gives it away is that whole bodies, seen from the
front and straight as only those who stand are, point along one side of the picture, and nobody is ever upright.
Whoever lies before an upright camera is seen in perspective, or cut by the picture's edge, or stood before.
"""

from typing import Literal

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, Layout
from pipelines.orientation import Rotation
from pipelines.types import Poses

Quarter = Literal[0, 1, 2, 3]
"""Which way a body's head points in the picture, in quarters of a turn clockwise: up, right, down, left."""

_FACE = frozenset({"nose", "left_eye", "right_eye", "left_ear", "right_ear"})

_MAX_SHOULDERS = (
    0.85  # of the torso's length; more: seen along the body, as one who lies with head or feet to the camera
)
_HEAD_LENGTH = (0.2, 0.6)  # of the torso's length, from shoulders to face
_LEGS_LENGTH = (0.7, 1.7)
_MAX_LEAN = np.deg2rad([35.0, 20.0, 25.0, 20.0])  # from the quarter's direction
_MAX_BEND = np.deg2rad([180.0, 20.0, 45.0, 20.0])  # of the legs against the torso
_MIN_SCORE = (0.5, 0.7, 0.6, 0.7)  # mean of the body's joints: those of one who lies are seen badly
_MIN_ANKLES = (0.0, 0.6, 0.3, 0.6)
_MIN_INSIDE = (8, 12, 11, 12)  # joints within the picture

_HEARD_S = 5.0  # of each person: nobody who lies for hours outvotes all those who walked by
_FEWEST_S = 0.7
_MOST = 0.5  # of the time for which anybody was seen
_FOR_ONE_UPRIGHT = 4.0
_KEEP = 0.6  # of both limits, for as long as the verdict stands
_MEMORY_S = 600.0
_LONGEST_STEP_S = 0.2


class CameraTurn:
    """Gathers which way people's heads point; one per stream. Without evidence there is no verdict."""

    def __init__(self, layout: Layout = COCO17) -> None:
        self._layout = layout
        self._voted_s = np.zeros(4)
        self._seen_s = 0.0
        self._heard_s: dict[int, float] = {}
        self._time_s: float | None = None
        self._size_wh = (0, 0)
        self.quarter: Quarter = 0

    def __call__(self, poses: Poses) -> Quarter:
        """Which way heads point before this camera, after one more frame: 0 for an upright one, or an unknown one."""
        if poses.size_wh != self._size_wh:
            self.forget()
            self._size_wh = poses.size_wh
        step_s = 0.0 if self._time_s is None else min(max(poses.time_s - self._time_s, 0.0), _LONGEST_STEP_S)
        self._time_s = poses.time_s
        for row, track_id in enumerate(poses.track_id.tolist()):
            self._hear(track_id, poses, row, step_s)
        present = set(poses.track_id.tolist()) | (self._heard_s.keys() - {track_id for track_id, _ in poses.ended})
        self._heard_s = {track_id: heard_s for track_id, heard_s in self._heard_s.items() if track_id in present}
        self.quarter = self._verdict()
        return self.quarter

    def forget(self) -> None:
        """The camera was moved, or is another one: what was seen says nothing any more."""
        self._voted_s[:] = 0
        self._seen_s, self._heard_s, self.quarter = 0.0, {}, 0

    def _hear(self, track_id: int, poses: Poses, row: int, step_s: float) -> None:
        heard_s = self._heard_s.get(track_id, 0.0)
        if heard_s >= _HEARD_S or poses.reason[row] is not None:
            return
        self._heard_s[track_id] = heard_s + step_s
        vote = head_points(poses.keypoints[row], poses.size_wh, self._layout)
        self._seen_s += step_s
        if vote is not None:
            self._voted_s[vote] += step_s
        if self._seen_s > _MEMORY_S:
            self._voted_s /= 2
            self._seen_s /= 2

    def _verdict(self) -> Quarter:
        quarters: tuple[Quarter, ...] = (1, 2, 3)
        best = max(quarters, key=lambda quarter: float(self._voted_s[quarter]))
        slack = _KEEP if best == self.quarter else 1.0
        turned_s = float(self._voted_s[best])
        is_most = turned_s >= slack * max(_FEWEST_S, _MOST * self._seen_s)
        return best if is_most and turned_s >= slack * _FOR_ONE_UPRIGHT * self._voted_s[0] else 0


def head_points(keypoints: FloatArray, size_wh: tuple[int, int], layout: Layout = COCO17) -> Quarter | None:
    """Which way a body that is plainly seen points, None where it is not plain; (V, 3) in source pixels."""
    face = [joint for joint, name in enumerate(layout.joints) if name in _FACE]
    if not face:
        return None
    points, score = keypoints[:, :2], keypoints[:, 2]
    shoulders_xy, hips_xy = points[list(layout.shoulders)], points[list(layout.hips)]
    torso = shoulders_xy.mean(axis=0) - hips_xy.mean(axis=0)
    legs = hips_xy.mean(axis=0) - points[list(layout.ankles)].mean(axis=0)
    length = max(float(np.hypot(*torso)), 1.0)
    head = float(np.hypot(*(points[face].mean(axis=0) - shoulders_xy.mean(axis=0)))) / length
    shoulders = float(np.hypot(*(shoulders_xy[0] - shoulders_xy[1]))) / length
    if shoulders > _MAX_SHOULDERS or not _HEAD_LENGTH[0] < head < _HEAD_LENGTH[1]:
        return None
    quarter = _quarter(torso)
    body = points[list(layout.body)]
    num_inside = int(((body >= 0) & (body < np.array(size_wh))).all(axis=1).sum())
    is_seen = num_inside >= _MIN_INSIDE[quarter] and float(score[list(layout.body)].mean()) >= _MIN_SCORE[quarter]
    is_seen = is_seen and float(score[list(layout.ankles)].mean()) >= _MIN_ANKLES[quarter]
    lean = abs(_wrapped(_angle(torso) - quarter * np.pi / 2))
    is_straight = lean <= _MAX_LEAN[quarter] and abs(_wrapped(_angle(legs) - _angle(torso))) <= _MAX_BEND[quarter]
    is_long = quarter == 0 or _LEGS_LENGTH[0] < float(np.hypot(*legs)) / length < _LEGS_LENGTH[1]
    return quarter if is_seen and is_straight and is_long else None


def rotation_deg(quarter: Quarter) -> Rotation:
    """By how many degrees the picture must be turned clockwise for heads that point so to point up."""
    rotations: tuple[Rotation, ...] = (0, 270, 180, 90)
    return rotations[quarter]


def _quarter(vector: FloatArray) -> Quarter:
    quarters: tuple[Quarter, ...] = (0, 1, 2, 3)
    return quarters[round(_angle(vector) / (np.pi / 2)) % 4]


def _angle(vector: FloatArray) -> float:
    """Clockwise from straight up, radians."""
    return float(np.arctan2(vector[0], -vector[1]))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
