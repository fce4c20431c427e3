"""The pictures of a window as RGBPose-Conv3D takes them: one square crop around everyone, normalised."""

from collections.abc import Sequence

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.heatmaps import crop_around

_MEAN_RGB = np.array([123.675, 116.28, 103.53], np.float32)
_STD_RGB = np.array([58.395, 57.12, 57.375], np.float32)
"""ImageNet's, with which the reference trains."""


def picture_clip(frames: Sequence[Image], keypoints: FloatArray, size_wh: tuple[float, float], side: int) -> FloatArray:
    """(3, T, side, side) float32 RGB of the crop that holds everyone of the clip; outside the picture it is black.

    frames: BGR, each of any size with the aspect of the source. keypoints: (M, T, V, 3) in pixels of the source, whose
    size is `size_wh`.
    """
    width, height = size_wh
    crop, ratio = crop_around(keypoints[..., :2], (round(width), round(height)))
    scale_wh = (crop.side / side, crop.side * ratio / side)
    clip = [_cut(frame, (crop.left, crop.top), scale_wh, frame.shape[1] / width, side) for frame in frames]
    return np.ascontiguousarray(np.stack(clip).transpose(3, 0, 1, 2))


def _cut(
    frame: Image, corner: tuple[float, float], scale_wh: tuple[float, float], shrink: float, side: int
) -> FloatArray:
    """One crop, (side, side, 3) RGB; pixel centres of the crop are looked up in the frame, which is `shrink` as big."""
    matrix = np.zeros((2, 3), np.float64)
    for axis in range(2):
        matrix[axis, axis] = scale_wh[axis] * shrink
        matrix[axis, 2] = (0.5 * scale_wh[axis] + corner[axis]) * shrink - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return ((cut[..., ::-1].astype(np.float32) - _MEAN_RGB) / _STD_RGB).astype(np.float32)
