"""The colour of a torso, which tells whether joints jumped to another person while two overlap."""

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.layouts import COCO17, Layout

_MAX_SIDE_PX = 64  # colour needs no more pixels than that
_MIN_WIDTH = 0.3  # of the torso's length: a torso seen from the side has no area between its four joints
_KEEP = 0.9


def torso_colour(image: Image, keypoints: FloatArray, layout: Layout = COCO17) -> FloatArray | None:
    """Histogram of the shoulder-hip area: (56,) float32 of sum 1, hue x saturation (12 x 4), then value (8).

    keypoints: (V, 3) pixels and score. None where the torso lies outside the picture.
    """
    corners = keypoints[layout.torso, :2]
    patch, points = _cut(image, corners)
    if patch is None:
        return None
    mask = np.zeros(patch.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), 255)
    top, bottom = points[:2].mean(axis=0), points[2:].mean(axis=0)
    thickness = max(1, round(_MIN_WIDTH * float(np.hypot(*(bottom - top)))))
    cv2.line(mask, _pixel(top), _pixel(bottom), 255, thickness)
    if cv2.countNonZero(mask) < 12:
        return None
    return _histogram(patch, mask)


def colour_distance(first: FloatArray, second: FloatArray) -> float:
    """Hellinger distance of two histograms, 0 (same) to 1."""
    return float(np.sqrt(max(0.0, 1.0 - float(np.sqrt(first * second).sum()))))


def blend(mean: FloatArray | None, colour: FloatArray) -> FloatArray:
    """The running mean after one more histogram."""
    return colour if mean is None else np.asarray(_KEEP * mean + (1 - _KEEP) * colour, np.float32)


def _cut(image: Image, corners: FloatArray) -> tuple[Image | None, FloatArray]:
    """The patch around the corners, shrunk to a few pixels, and the corners within it."""
    height, width = image.shape[:2]
    pad = _MIN_WIDTH * float(np.ptp(corners, axis=0).max()) / 2
    low = np.clip(np.floor(corners.min(axis=0) - pad), 0, [width, height]).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0) + pad), 0, [width, height]).astype(int)
    if (high - low < 3).any():
        return None, corners
    patch = image[low[1] : high[1], low[0] : high[0]]
    scale = min(1.0, _MAX_SIDE_PX / max(patch.shape[:2]))
    if scale < 1.0:
        patch = np.asarray(cv2.resize(patch, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return patch, np.asarray((corners - low) * scale, np.float32)


def _histogram(patch: Image, mask: Image) -> FloatArray:
    hsv = cv2.cvtColor(patch, cv2.COLOR_BGR2HSV)
    colours = cv2.calcHist([hsv], [0, 1], mask, [12, 4], [0, 180, 0, 256]).ravel()
    values = cv2.calcHist([hsv], [2], mask, [8], [0, 256]).ravel()
    both = np.concatenate([colours, values])
    return np.asarray(both / both.sum(), np.float32)


def _pixel(point: FloatArray) -> tuple[int, int]:
    return int(point[0]), int(point[1])
