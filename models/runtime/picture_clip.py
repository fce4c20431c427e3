"""The pictures of a window as RGBPose-Conv3D takes them: one square crop around everyone, normalised."""

from collections.abc import Sequence

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.heatmaps import crop_around

_MEAN_RGB = np.array([123.675, 116.28, 103.53], np.float32)
_STD_RGB = np.array([58.395, 57.12, 57.375], np.float32)
"""ImageNet's, with which the reference trains."""


Box = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the source."""


def picture_clip(frames: Sequence[Image], keypoints: FloatArray, size_wh: tuple[int, int], side: int) -> FloatArray:
    """(3, T, side, side) float32 RGB of the crop that holds everyone of the clip; outside the picture it is black.

    frames: BGR, each of any size with the aspect of the source. keypoints: (M, T, V, 3) in pixels of the source, whose
    size is `size_wh`.
    """
    box = _box(keypoints[..., :2], size_wh)
    clip = [_cut(frame, box, frame.shape[1] / size_wh[0], side) for frame in frames]
    return np.ascontiguousarray(np.stack(clip).transpose(3, 0, 1, 2))


def _box(xy: FloatArray, size_wh: tuple[int, int]) -> Box:
    """What the heatmaps of the same clip show."""
    crop = crop_around(xy, size_wh)
    return crop.left, crop.top, crop.width, crop.height


def _cut(frame: Image, box: Box, shrink: float, side: int) -> FloatArray:
    """One crop, (side, side, 3) RGB; pixel centres of the crop are looked up in the frame, which is `shrink` as big."""
    matrix = np.zeros((2, 3), np.float64)
    for axis in range(2):
        step = box[2 + axis] / side
        matrix[axis, axis] = step * shrink
        matrix[axis, 2] = (0.5 * step + box[axis]) * shrink - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return ((cut[..., ::-1].astype(np.float32) - _MEAN_RGB) / _STD_RGB).astype(np.float32)
