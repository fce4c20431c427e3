"""Whether somebody may be judged as lying: not while cut by the picture's edge and never yet seen whole or upright.

Of a person who enters close to the camera only a part is seen, and the joints drawn for the rest may lie anywhere.
"""

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, Layout

LYING = frozenset({"lie", "fall"})
"""The labels that such a person does not get."""

_EDGE = 0.02  # of the picture's side: a box so near the edge is cut by it
_FEET_SCORE = 0.5
_UPRIGHT = np.deg2rad(35)
_PROOF_S = 0.25


class WholeBody:
    """Remembers of one person whether feet or an upright torso were ever seen for a moment."""

    def __init__(self, layout: Layout = COCO17) -> None:
        self._layout = layout
        self._whole_s = self._upright_s = 0.0
        self._time_s: float | None = None

    def see(self, time_s: float, keypoints: FloatArray, xyxy: FloatArray, size_wh: tuple[int, int]) -> bool:
        """Whether this frame may speak for lying; keypoints (V, 3) and box (4,) in source pixels."""
        step_s = 0.0 if self._time_s is None else min(max(time_s - self._time_s, 0.0), _PROOF_S)
        self._time_s = time_s
        if float(keypoints[list(self._layout.ankles), 2].mean()) >= _FEET_SCORE:
            self._whole_s += step_s
        shoulders, hips = keypoints[list(self._layout.shoulders), :2], keypoints[list(self._layout.hips), :2]
        torso = shoulders.mean(axis=0) - hips.mean(axis=0)
        if abs(float(np.arctan2(torso[0], -torso[1]))) < _UPRIGHT:
            self._upright_s += step_s
        is_proved = max(self._whole_s, self._upright_s) >= _PROOF_S
        return is_proved or not _is_cut(xyxy, size_wh)


def _is_cut(xyxy: FloatArray, size_wh: tuple[int, int]) -> bool:
    width, height = size_wh
    near_side = xyxy[0] < _EDGE * width or xyxy[2] > (1 - _EDGE) * width
    return bool(near_side or xyxy[1] < _EDGE * height or xyxy[3] > (1 - _EDGE) * height)
