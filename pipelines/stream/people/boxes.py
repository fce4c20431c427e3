"""Geometry of boxes, of square landmark regions and of joints."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, Layout

REGION_FACTOR = 1.25
"""Side of a landmark region over the person's longer side: the scale that BlazePose was trained with."""


def areas(xyxy: FloatArray) -> FloatArray:
    """Areas of (N, 4) boxes in square pixels; 0 for inverted ones."""
    size_wh = np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0)
    return np.asarray(size_wh[:, 0] * size_wh[:, 1], np.float32)


def intersections(first: FloatArray, second: FloatArray) -> FloatArray:
    """Shared area of every pair: (N, 4) and (M, 4) boxes give (N, M) square pixels."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size_wh = np.maximum(high - low, 0)
    return np.asarray(size_wh[..., 0] * size_wh[..., 1], np.float32)


def iou_matrix(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of every pair: (N, 4) and (M, 4) boxes give (N, M), 0..1."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def cover_matrix(first: FloatArray, second: FloatArray) -> FloatArray:
    """Share of each first box that lies inside each second one: (N, M), 0..1."""
    return np.asarray(intersections(first, second) / np.maximum(areas(first), 1e-6)[:, None], np.float32)


def overlap(first: FloatArray, second: FloatArray) -> float:
    """Intersection over union of two single boxes, 0..1."""
    return float(iou_matrix(first[None], second[None])[0, 0])


def longer_side(xyxy: FloatArray) -> float:
    """The longer side of one box in pixels."""
    return float(max(xyxy[2] - xyxy[0], xyxy[3] - xyxy[1]))


def longer_sides(xyxy: FloatArray) -> NDArray[np.float64]:
    """The longer sides of (N, 4) boxes in pixels, (N,)."""
    return np.asarray((xyxy[:, 2:] - xyxy[:, :2]).max(axis=1), np.float64)


def grow(xyxy: FloatArray, share: float) -> FloatArray:
    """Move every edge of one box outwards by a share of its longer side."""
    step = share * longer_side(xyxy)
    return np.asarray(xyxy + np.array([-step, -step, step, step]), np.float32)


def grow_all(xyxy: FloatArray, share: float) -> FloatArray:
    """The same for every box of (N, 4)."""
    return np.asarray(xyxy + share * longer_sides(xyxy)[:, None] * _OUTWARDS, np.float32)


_OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])


def unite(xyxy: FloatArray) -> FloatArray:
    """The smallest box around (N, 4) boxes, N at least 1."""
    return np.concatenate([xyxy[:, :2].min(axis=0), xyxy[:, 2:].max(axis=0)]).astype(np.float32)


def inside_share(xyxy: FloatArray, size_wh: tuple[int, int]) -> float:
    """Share of one box that lies inside the picture, 0..1."""
    picture = np.array([0, 0, *size_wh], np.float32)
    return float(cover_matrix(xyxy[None], picture[None])[0, 0])


def square_region(xyxy: FloatArray, angle: float = 0.0) -> FloatArray:
    """The landmark region around one box: centre x, centre y, side in pixels, angle in radians."""
    centre = (xyxy[:2] + xyxy[2:]) / 2
    return np.array([centre[0], centre[1], REGION_FACTOR * longer_side(xyxy), angle], np.float32)


def turned(region: FloatArray, angle: float) -> FloatArray:
    """The same region turned by `angle` radians."""
    return np.asarray(region + np.array([0, 0, 0, angle]), np.float32)


def torso_tilt(keypoints: FloatArray, layout: Layout = COCO17) -> float:
    """How far the line from hips to shoulders leans from upright: 0 upright, pi upside down; keypoints are (V, 3)."""
    torso = keypoints[layout.shoulders, :2].mean(axis=0) - keypoints[layout.hips, :2].mean(axis=0)
    return float(abs(np.arctan2(torso[0], -torso[1])))


def joint_box(keypoints: FloatArray, min_score: float = 0.3, margin: float = 0.08) -> FloatArray:
    """The box around one body's joints, comparable with a detector's box.

    keypoints: (V, 3) pixels and score. Joints under `min_score` count only when fewer than four are better.
    `margin` widens each edge by a share of the longer side: joints lie inside the body's outline.
    """
    good = keypoints[:, 2] >= min_score
    points = keypoints[good if good.sum() >= 4 else slice(None), :2]
    return grow(np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32), margin)
