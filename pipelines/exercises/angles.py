"""Angles of joints over time, as a camera sees them: in the plane of the picture."""

from collections.abc import Mapping

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import LAYOUTS

SURE = 0.3
"""Score from which a joint counts as seen."""

_PARTS = {
    "knee": ("hip", "knee", "ankle"),
    "hip": ("shoulder", "hip", "knee"),
    "elbow": ("shoulder", "elbow", "wrist"),
    "shoulder": ("hip", "shoulder", "elbow"),
}
ANGLES = tuple(f"{side}_{part}" for part in _PARTS for side in ("left", "right"))
"""Names of all angles."""


class Joints:
    """One person's joints by name.

    keypoints: (T, V, 3) float32, pixels and score, in the order of `layout`. Joints that were not seen are NaN.
    """

    def __init__(self, keypoints: FloatArray, layout: str) -> None:
        self._names = {name: row for row, name in enumerate(LAYOUTS[layout].joints)}
        seen = keypoints[..., 2:] >= SURE
        self._xy = np.where(seen, keypoints[..., :2].astype(np.float64), np.nan)

    def at(self, name: str) -> FloatArray:
        """(T, 2) float64, pixels; NaN where it was not seen, or where the layout has no such joint."""
        row = self._names.get(name)
        return self._xy[:, row] if row is not None else np.full((len(self._xy), 2), np.nan)


def joint_angles(keypoints: FloatArray, layout: str) -> Mapping[str, FloatArray]:
    """Angle → (T,) float64 degrees, 180 for a stretched limb; NaN where one of its three joints was not seen.

    keypoints: (T, V, 3) float32, pixels and score. What points towards the camera looks shorter than it is, and its
    angle another one than a goniometer would say: compare angles of the same camera alone.
    """
    joints = Joints(keypoints, layout)
    return {f"{side}_{part}": _angle(joints, side, *_PARTS[part]) for part in _PARTS for side in ("left", "right")}


def _angle(joints: Joints, side: str, first: str, middle: str, last: str) -> FloatArray:
    corner = joints.at(f"{side}_{middle}")
    one, other = joints.at(f"{side}_{first}") - corner, joints.at(f"{side}_{last}") - corner
    lengths = np.hypot(*one.T) * np.hypot(*other.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (one * other).sum(axis=1) / lengths
    found: FloatArray = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return found
