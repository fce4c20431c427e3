"""Heatmap volumes of joints and limbs, vectorised: PYSKL's GeneratePoseTarget, which is what PoseConv3D sees.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/heatmap_related.py; limb order and pairs are those of its
configs/posec3d/*/limb.py. Gaussians within a window of 3 sigma whose corners are truncated towards zero, peak = the
joint's score, the maximum over people, scores under 1e-3 skipped. Windows are found in double precision and distances
computed in single, as there: either would show at the window's edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.layouts import COCO17
from models.skeleton.reference.clip import PoseClip

SIGMA_PX = 0.6
MIN_SCORE = 1e-3

Pairs: TypeAlias = tuple[tuple[int, int], ...]

COCO17_LIMBS: Pairs = (
    (0, 5), (0, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16), (0, 1),
    (0, 2), (1, 3), (2, 4), (11, 12),
)  # fmt: skip
"""The limbs of PoseConv3D's published limb networks, in the order of their channels."""

COCO17_LIMB_PAIRS: Pairs = ((0, 1), (2, 4), (3, 5), (6, 9), (7, 10), (8, 11), (12, 13), (14, 15))
"""(left, right) channels of COCO17_LIMBS that a mirror swaps."""

GENERATOR_LIMBS: Pairs = (
    (0, 1), (0, 2), (1, 3), (2, 4), (0, 5), (5, 7), (7, 9), (0, 6), (6, 8), (8, 10), (5, 11), (11, 13), (13, 15),
    (6, 12), (12, 14), (14, 16), (11, 12),
)  # fmt: skip
"""The limbs that GeneratePoseTarget draws when it is given none; no published network was trained on this order."""

GENERATOR_LIMB_PAIRS: Pairs = ((0, 1), (2, 3), (4, 7), (5, 8), (6, 9), (10, 13), (11, 14), (12, 15))
"""(left, right) channels of GENERATOR_LIMBS, as the reference names them."""


@dataclass(frozen=True, slots=True)
class PoseTarget:
    """Options of `pose_target`; the defaults are the reference's.

    sigma_px:  of the Gaussians, in pixels of the heatmaps.
    scaling:   size of the heatmaps over that of the clip's picture.
    limbs:     what is drawn: None for joints, else (joint, joint) pairs for limbs.
    has_score: peaks are the scores, else 1.
    is_double: all frames, and then all of them mirrored.
    pairs:     (left, right) channels that the mirror swaps.
    """

    sigma_px: float = SIGMA_PX
    scaling: float = 1.0
    limbs: Pairs | None = None
    has_score: bool = True
    is_double: bool = False
    pairs: Pairs = COCO17.pairs


def pose_target(clip: PoseClip, options: PoseTarget | None = None) -> FloatArray:
    """GeneratePoseTarget: (T, V or L, H, W) heatmaps, or (2T, ...) of them and their mirror images."""
    options = options or PoseTarget()
    height, width = (int(side * options.scaling + 0.5) for side in clip.shape_hw)
    xy = clip.xy * clip.xy.dtype.type(options.scaling)
    score = np.ones(xy.shape[:-1], np.float32) if clip.score is None or not options.has_score else clip.score
    if options.limbs is None:
        volume = joint_heatmaps(xy, score, (height, width), options.sigma_px)
    else:
        volume = limb_heatmaps(xy, score, (height, width), options.limbs, options.sigma_px)
    frames = np.ascontiguousarray(volume.swapaxes(0, 1))
    return np.concatenate([frames, mirrored(frames, options.pairs)]) if options.is_double else frames


def mirrored(heatmaps: FloatArray, pairs: Sequence[tuple[int, int]]) -> FloatArray:
    """(T, V, H, W) with pixels mirrored and the channels of each (left, right) pair swapped."""
    order = list(range(heatmaps.shape[1]))
    for left, right in pairs:
        order[left], order[right] = right, left
    return heatmaps[:, order, :, ::-1]


def joint_heatmaps(
    xy: AnyArray, score: AnyArray, heatmap_hw: tuple[int, int], sigma_px: float = SIGMA_PX
) -> FloatArray:
    """Gaussians at every joint: (M, T, V, 2) heatmap pixels and (M, T, V) scores to (V, T, H, W)."""
    columns = _profile(xy[..., 0], heatmap_hw[1], sigma_px)
    rows = _profile(xy[..., 1], heatmap_hw[0], sigma_px)
    peak = np.where(score < MIN_SCORE, 0, score).astype(np.float32)
    maps = rows[..., :, None] * (columns * peak[..., None])[..., None, :]
    return np.ascontiguousarray(maps.max(axis=0, initial=0).transpose(1, 0, 2, 3), np.float32)


def limb_heatmaps(
    xy: AnyArray,
    score: AnyArray,
    heatmap_hw: tuple[int, int],
    limbs: Sequence[tuple[int, int]] = COCO17_LIMBS,
    sigma_px: float = SIGMA_PX,
) -> FloatArray:
    """Gaussians around every limb, by distance to its segment: (M, T, V, 2) and (M, T, V) to (L, T, H, W).

    The peak is the smaller score of the two ends; a limb shorter than a pixel is the Gaussian of its first end.
    """
    first, second = (np.array([limb[end] for limb in limbs], np.int64) for end in (0, 1))
    M, T = xy.shape[:2]
    volume = np.zeros((len(limbs), T, *heatmap_hw), np.float32)
    for person in range(M):
        a, b = xy[person][:, first], xy[person][:, second]
        start, least = score[person][:, first], np.minimum(score[person][:, first], score[person][:, second])
        distance2, length2 = _segment_distance2(a, b, heatmap_hw)
        segment = np.exp(-distance2 / (2 * sigma_px**2)) * _window(a, b, heatmap_hw, 3 * sigma_px)
        rows, columns = _profile(a[..., 1], heatmap_hw[0], sigma_px), _profile(a[..., 0], heatmap_hw[1], sigma_px)
        is_dot = length2 < 1
        height = np.where(least < MIN_SCORE, 0, np.where(is_dot, start, least)).astype(np.float32)
        dots = rows[..., :, None] * columns[..., None, :]
        maps = np.where(is_dot[..., None, None], dots, segment) * height[..., None, None]
        np.maximum(volume, maps.transpose(1, 0, 2, 3), out=volume)
    return volume


def _profile(centre: AnyArray, size: int, sigma_px: float) -> FloatArray:
    """A Gaussian along one axis within its window: (...) positions to (..., size)."""
    pixels = np.arange(size, dtype=np.float32)
    distance2 = (pixels - centre[..., None].astype(np.float32)) ** 2
    first, last = _reach(centre, centre, 3 * sigma_px)
    inside = (pixels >= first[..., None]) & (pixels <= last[..., None])
    return np.where(inside, np.exp(-distance2 / np.float32(2 * sigma_px**2)), np.float32(0))


def _window(a: AnyArray, b: AnyArray, heatmap_hw: tuple[int, int], reach: float) -> AnyArray:
    """Whether a pixel is inside the box around a limb: (T, L, 2) twice to (T, L, H, W)."""
    first, last = _reach(np.minimum(a, b), np.maximum(a, b), reach)
    columns, rows = np.arange(heatmap_hw[1]), np.arange(heatmap_hw[0])
    inside_x = (columns >= first[..., 0, None]) & (columns <= last[..., 0, None])
    inside_y = (rows >= first[..., 1, None]) & (rows <= last[..., 1, None])
    return inside_y[..., :, None] & inside_x[..., None, :]


def _reach(low: AnyArray, high: AnyArray, reach: float) -> tuple[AnyArray, AnyArray]:
    """First and last pixel of a window, both truncated towards zero."""
    return np.trunc(low.astype(np.float64) - reach), np.trunc(high.astype(np.float64) + reach)


def _segment_distance2(a: AnyArray, b: AnyArray, heatmap_hw: tuple[int, int]) -> tuple[AnyArray, AnyArray]:
    """Squared distance of every pixel to the segment from a to b, (T, L, H, W), and its squared length, (T, L).

    By the distances to both ends, in the reference's order and precision: it rounds visibly.
    """
    columns = np.arange(heatmap_hw[1], dtype=np.float32)[None, :]
    rows = np.arange(heatmap_hw[0], dtype=np.float32)[:, None]
    a32, b32 = (end.astype(np.float32)[..., None, None] for end in (a, b))
    to_a2 = (columns - a32[..., 0, :, :]) ** 2 + (rows - a32[..., 1, :, :]) ** 2
    to_b2 = (columns - b32[..., 0, :, :]) ** 2 + (rows - b32[..., 1, :, :]) ** 2
    length2 = ((a - b).astype(np.float64) ** 2).sum(-1)
    length2_32 = np.maximum(length2, 1e-12).astype(np.float32)[..., None, None]
    share = (to_a2 - to_b2 + length2_32) / np.float32(2) / length2_32
    start, along = a[..., None, None], (b - a)[..., None, None]
    off_x = columns - (start[..., 0, :, :] + share * along[..., 0, :, :])
    off_y = rows - (start[..., 1, :, :] + share * along[..., 1, :, :])
    return np.where(share <= 0, to_a2, np.where(share >= 1, to_b2, off_x**2 + off_y**2)), length2
