"""Where a tracked box will be: a Kalman filter with constant velocity, clocked by media time.

State as in ByteTrack (Zhang et al., ECCV 2022) after SORT: centre, size and their velocities. The four coordinates
share no noise, so the 8 x 8 filter falls apart into four filters of two numbers each.
"""

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray

_ACCELERATION = 4.0  # body heights per second squared, about a quick start or a fall
_MEASURE = 0.04  # body heights: how far a detector's or a landmark box trembles
COAST_S = 0.8
"""How long an unseen person is thought to walk on: an occlusion by somebody who passes."""
_MAX_STEP_S = 0.5  # a longer silence says nothing of the speed any more


class BoxKalman:
    """One box's position and velocity.

    xyxy: (4,) the first box, source-frame pixels, seen at `time_s` media seconds.
    """

    def __init__(self, xyxy: FloatArray, time_s: float) -> None:
        self.time_s = time_s
        self._mean: NDArray[np.float64] = np.zeros((4, 2))
        self._mean[:, 0] = _centre_size(xyxy)
        self._seen = self._mean[:2, 0].copy()
        scale = self._scale()
        self._cov: NDArray[np.float64] = np.tile(np.diag([(_MEASURE * scale) ** 2, scale**2]), (4, 1, 1))

    def predict(self, time_s: float) -> None:
        """Move the box on to `time_s`; an earlier time changes nothing."""
        step_s = min(time_s - self.time_s, _MAX_STEP_S)
        if step_s <= 0:
            return
        self.time_s = time_s
        move = np.array([[1.0, step_s], [0.0, 1.0]])
        gain = np.array([step_s**2 / 2, step_s]) * _ACCELERATION * self._scale()
        self._mean = self._mean @ move.T
        self._cov = move @ self._cov @ move.T + np.outer(gain, gain)
        self._mean[2:, 0] = np.maximum(self._mean[2:, 0], 1.0)

    def update(self, xyxy: FloatArray) -> None:
        """Take a box seen at the time of the last `predict`."""
        noise = (_MEASURE * self._scale()) ** 2
        gain = self._cov[:, :, 0] / (self._cov[:, 0, 0] + noise)[:, None]
        self._mean = self._mean + gain * (_centre_size(xyxy) - self._mean[:, 0])[:, None]
        self._cov = self._cov - gain[:, :, None] * self._cov[:, None, 0, :]
        self._seen = self._mean[:2, 0].copy()

    @property
    def moved_px(self) -> FloatArray:
        """(2,) how far the expected centre lies from the one last updated, pixels."""
        return (self._mean[:2, 0] - self._seen).astype(np.float32)

    def coast(self, unseen_s: float) -> None:
        """Go on without a sight: the size stays, and after `COAST_S` seconds the box rests where it has got to."""
        self._mean[2:, 1] = 0.0
        if unseen_s > COAST_S:
            self._mean[:, 1] = 0.0

    @property
    def xyxy(self) -> FloatArray:
        """(4,) the expected box, source-frame pixels."""
        centre, size = self._mean[:2, 0], self._mean[2:, 0]
        return np.concatenate([centre - size / 2, centre + size / 2]).astype(np.float32)

    def _scale(self) -> float:
        return float(max(self._mean[2, 0], self._mean[3, 0], 1.0))


def _centre_size(xyxy: FloatArray) -> NDArray[np.float64]:
    box = xyxy.astype(np.float64)
    return np.concatenate([(box[:2] + box[2:]) / 2, np.maximum(box[2:] - box[:2], 1.0)])
