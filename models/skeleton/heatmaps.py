"""Heatmap volumes of joints and limbs, vectorised: what PoseConv3D sees.

The rules are the reference implementation's (PYSKL: PoseCompact and GeneratePoseTarget), so that its weights fit:
Gaussians of sigma 0.6 pixels within a window of 3 sigma whose corners are truncated towards zero, peak = the joint's
score, the maximum over people, scores under 1e-3 skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, FloatArray

SIGMA_PX = 0.6
MIN_SCORE = 1e-3
CROP_PADDING = 0.25
MIN_SIDE_PX = 10.0

COCO17_LIMBS: tuple[tuple[int, int], ...] = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10), (5, 11), (11, 13), (13, 15),
    (6, 12), (12, 14), (14, 16), (11, 12),
)  # fmt: skip
"""The limbs of PoseConv3D's published limb networks, in their order."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A square of the picture around everyone in a clip: left and top in pixels, and the side."""

    left: float
    top: float
    side: float


def crop_around(xy: FloatArray, size_wh: tuple[int, int]) -> tuple[Crop, float]:
    """The crop that holds everyone of a clip, and its height over its width (1 unless the crop is left alone).

    xy: (..., 2) pixels; NaN counts as 0, and a coordinate of exactly 0 is missing.
    A body of less than 10 pixels in either direction leaves the whole picture.
    """
    known = np.nan_to_num(np.asarray(xy, np.float64)).reshape(-1, 2)
    low, high = (_bound(known, side) for side in ("low", "high"))
    if not (high - low >= MIN_SIDE_PX).all():
        return Crop(0.0, 0.0, float(size_wh[0])), size_wh[1] / size_wh[0]
    centre, half = (low + high) / 2, (high - low) / 2 * (1 + CROP_PADDING)
    left, top = np.trunc(centre - half.max())
    right = np.trunc(centre + half.max())[0]
    return Crop(float(left), float(top), float(right - left)), 1.0


def to_heatmap_pixels(xy: FloatArray, size_wh: tuple[int, int], heatmap_hw: tuple[int, int]) -> FloatArray:
    """Joints of a clip, (..., 2) picture pixels, as pixels of heatmaps that show the crop around everyone.

    Missing coordinates (0) are shifted by nothing and scaled like the others, as in the reference: their score hides
    them.
    """
    known = np.nan_to_num(np.asarray(xy, np.float64))
    crop, ratio = crop_around(xy, size_wh)
    moved = np.where(known != 0, known - np.array([crop.left, crop.top]), known)
    height, width = heatmap_hw
    scale = np.array([width / crop.side, height / (crop.side * ratio)])
    scaled: FloatArray = (moved * scale).astype(np.float32)
    return scaled


def joint_heatmaps(xy: FloatArray, score: FloatArray, heatmap_hw: tuple[int, int]) -> FloatArray:
    """Gaussians at every joint: (M, T, V, 2) heatmap pixels and (M, T, V) scores to (V, T, H, W)."""
    columns = _profile(xy[..., 0], heatmap_hw[1])
    rows = _profile(xy[..., 1], heatmap_hw[0])
    peak = np.where(score < MIN_SCORE, 0, score).astype(np.float32)
    maps = rows[..., :, None] * (columns * peak[..., None])[..., None, :]
    return np.ascontiguousarray(maps.max(axis=0, initial=0).transpose(1, 0, 2, 3), np.float32)


def limb_heatmaps(
    xy: FloatArray, score: FloatArray, heatmap_hw: tuple[int, int], limbs: Sequence[tuple[int, int]] = COCO17_LIMBS
) -> FloatArray:
    """Gaussians around every limb, by distance to its segment: (M, T, V, 2) and (M, T, V) to (L, T, H, W).

    The peak is the smaller score of the two ends; a limb shorter than a pixel is the Gaussian of its first end.
    """
    first, second = (np.array([limb[end] for limb in limbs], np.int64) for end in (0, 1))
    M, T = xy.shape[:2]
    volume = np.zeros((len(limbs), T, *heatmap_hw), np.float32)
    for person in range(M):
        a, b = xy[person][:, first].astype(np.float64), xy[person][:, second].astype(np.float64)
        peak = np.minimum(score[person][:, first], score[person][:, second])
        segment = np.exp(-_segment_distance2(a, b, heatmap_hw) / (2 * SIGMA_PX**2)) * _window(a, b, heatmap_hw)
        dots = _profile(a[..., 1], heatmap_hw[0])[..., :, None] * _profile(a[..., 0], heatmap_hw[1])[..., None, :]
        is_dot = (((a - b) ** 2).sum(-1) < 1)[..., None, None]
        height = np.where(is_dot[..., 0, 0], score[person][:, first], peak)
        maps = np.where(is_dot, dots, segment) * np.where(peak < MIN_SCORE, 0, height)[..., None, None]
        np.maximum(volume, maps.transpose(1, 0, 2, 3), out=volume)
    return volume


def _bound(known: AnyArray, side: str) -> AnyArray:
    """The least or greatest coordinate in each direction among those that are known; infinite where none is."""
    sign = 1.0 if side == "low" else -1.0
    bound: AnyArray = sign * np.where(known != 0, sign * known, np.inf).min(axis=0, initial=np.inf)
    return bound


def _profile(centre: AnyArray, size: int) -> FloatArray:
    """A Gaussian along one axis within its window: (...) positions to (..., size)."""
    pixels = np.arange(size, dtype=np.float32)
    distance = pixels - centre[..., None]
    reach = 3 * SIGMA_PX
    first, last = np.trunc(centre - reach)[..., None], np.trunc(centre + reach)[..., None]
    inside = (pixels >= first) & (pixels <= last)
    return np.where(inside, np.exp(-(distance**2) / (2 * SIGMA_PX**2)), 0).astype(np.float32)


def _window(a: AnyArray, b: AnyArray, heatmap_hw: tuple[int, int]) -> AnyArray:
    """1 inside the box around a limb, 3 sigma wide, 0 outside: (T, L, 2) twice to (T, L, H, W)."""
    reach = 3 * SIGMA_PX
    first, last = np.trunc(np.minimum(a, b) - reach), np.trunc(np.maximum(a, b) + reach)
    columns, rows = np.arange(heatmap_hw[1]), np.arange(heatmap_hw[0])
    inside_x = (columns >= first[..., 0, None]) & (columns <= last[..., 0, None])
    inside_y = (rows >= first[..., 1, None]) & (rows <= last[..., 1, None])
    return (inside_y[..., :, None] & inside_x[..., None, :]).astype(np.float32)


def _segment_distance2(a: AnyArray, b: AnyArray, heatmap_hw: tuple[int, int]) -> AnyArray:
    """Squared distance of every pixel to the segment from a to b: (T, L, 2) twice to (T, L, H, W)."""
    rows, columns = np.mgrid[: heatmap_hw[0], : heatmap_hw[1]].astype(np.float64)
    along, length2 = b - a, ((b - a) ** 2).sum(-1)
    from_x, from_y = columns - a[..., 0, None, None], rows - a[..., 1, None, None]
    dot = from_x * along[..., 0, None, None] + from_y * along[..., 1, None, None]
    share = np.clip(dot / np.maximum(length2, 1e-12)[..., None, None], 0, 1)
    off_x = from_x - share * along[..., 0, None, None]
    off_y = from_y - share * along[..., 1, None, None]
    distance2: AnyArray = off_x**2 + off_y**2
    return distance2
