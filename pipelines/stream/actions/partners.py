"""Who stands beside whom: for networks that look at more than one person at a time."""

from collections.abc import Sequence

import numpy as np

from models.arrays import FloatArray
from models.skeleton.features import VISIBLE_SCORE
from pipelines.types import Window

REACH = 2.0
"""Body lengths between the middles of two people beyond which they have nothing to do with each other."""


def nearest(windows: Sequence[Window], num_partners: int) -> list[tuple[int, ...]]:
    """For each window, the indexes of the nearest others, nearest first, at most `num_partners`; none beyond reach.

    The windows end at the same time. A distance is the median over the samples in which both people were seen.
    """
    if num_partners == 0 or len(windows) < 2:
        return [()] * len(windows)
    middles, lengths = zip(*(_trace(window) for window in windows), strict=True)
    apart = _distances(np.stack(middles), np.stack(lengths))
    found = []
    for row in apart:
        order = np.argsort(row, kind="stable")[:num_partners]
        found.append(tuple(int(index) for index in order if row[index] <= REACH))
    return found


def _trace(window: Window) -> tuple[FloatArray, FloatArray]:
    """(T, 2) middle of the box around the visible joints, and (T,) its longer side; NaN where nothing was seen."""
    seen = (window.keypoints[..., 2] >= VISIBLE_SCORE) & window.valid[:, None]
    xy = window.keypoints[..., :2]
    low = np.where(seen[..., None], xy, np.inf).min(axis=1)
    high = np.where(seen[..., None], xy, -np.inf).max(axis=1)
    is_seen = np.asarray(seen.any(axis=1))[:, None]
    low, high = np.where(is_seen, low, np.nan), np.where(is_seen, high, np.nan)
    return ((low + high) / 2).astype(np.float32), (high - low).max(axis=1).astype(np.float32)


def _distances(middles: FloatArray, lengths: FloatArray) -> FloatArray:
    """(N, N) body lengths between people, of (N, T, 2) and (N, T); infinite to oneself and to whom one never met."""
    N = len(middles)
    apart = np.full((N, N), np.inf, np.float32)
    for a in range(N):
        for b in range(a + 1, N):
            gap = np.linalg.norm(middles[a] - middles[b], axis=1)
            share = gap / np.maximum((lengths[a] + lengths[b]) / 2, 1.0)
            known = share[np.isfinite(share)]
            if len(known):
                apart[a, b] = apart[b, a] = np.median(known)
    return apart
