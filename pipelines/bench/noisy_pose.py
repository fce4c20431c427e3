"""Seeded noise on a landmark network's raw output, as another processor's rounding would put there, only larger."""

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.blaze import follow_region
from models.runtime.pose import FOLLOW_FACTOR, Landmarks, PoseEstimator, sigmoid

_CROP_PX = 256
_LIMIT = 1e-6


class NoisyPoses:
    """A pose estimator whose landmarks tremble.

    sigma: standard deviation of Gaussian noise on every landmark, pixels of the 256-pixel crop. The two points that say
    where to look next tremble like the joints; the logits of visibility and presence by the same number, where
    `on_scores` is set.
    """

    def __init__(self, estimator: PoseEstimator, sigma: float, seed: int, *, on_scores: bool = True) -> None:
        self._estimator = estimator
        self._sigma = sigma
        self._on_scores = on_scores
        self._generator = np.random.default_rng(seed)
        self.layout = estimator.layout

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """As the estimator, and noise."""
        found = self._estimator(images, regions)
        if not len(found) or self._sigma == 0:
            return found
        pixel = np.asarray(regions[:, 2] / _CROP_PX, np.float32)
        keypoints = found.keypoints.copy()
        keypoints[..., :2] += self._noise(*keypoints.shape[:2], 2) * pixel[:, None, None]
        keypoints[..., 2] = self._trembled(keypoints[..., 2])
        following = self._moved(found.next_region, pixel) if found.follows_region else found.next_region
        return Landmarks(keypoints, self._trembled(found.presence), following, found.follows_region)

    def _moved(self, region: FloatArray, pixel: FloatArray) -> FloatArray:
        """Regions (N, 4) made anew from their two points, each moved by noise."""
        reach, angle = region[:, 2] / (2 * FOLLOW_FACTOR), region[:, 3]
        centre = region[:, :2]
        top = centre - np.stack([np.sin(angle), np.cos(angle)], axis=1) * reach[:, None]
        centre, top = (point + self._noise(len(region), 2) * pixel[:, None] for point in (centre, top))
        return follow_region(centre, top)

    def _trembled(self, score: FloatArray) -> FloatArray:
        if not self._on_scores:
            return score
        clipped = np.clip(score.astype(np.float64), _LIMIT, 1 - _LIMIT)
        return sigmoid((np.log(clipped / (1 - clipped)) + self._noise(*score.shape)).astype(np.float32))

    def _noise(self, *shape: int) -> FloatArray:
        return self._generator.normal(0.0, self._sigma, shape).astype(np.float32)
