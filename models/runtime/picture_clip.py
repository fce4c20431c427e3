"""The pictures of a window as RGBPose-Conv3D takes them: one square crop around everyone, normalised."""

from collections.abc import Sequence

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.heatmaps import crop_around
from models.skeleton.reference.crops import Box
from models.skeleton.reference.pictures import RGB_MEAN, RGB_STD

_MEAN, _STD = np.array(RGB_MEAN, np.float32), np.array(RGB_STD, np.float32)


def picture_clip(frames: Sequence[Image], keypoints: FloatArray, size_wh: tuple[int, int], side: int) -> FloatArray:
    """(3, T, side, side) float32 RGB of the crop that holds everyone of the clip; outside the picture it is black.

    frames: BGR, each of any size with the aspect of the source. keypoints: (M, T, V, 3) in pixels of the source, whose
    size is `size_wh`.
    """
    box = crop_around(keypoints[..., :2], size_wh)  # what the heatmaps of the same clip show
    clip = [_cut(frame, box, frame.shape[1] / size_wh[0], side) for frame in frames]
    return np.ascontiguousarray(np.stack(clip).transpose(3, 0, 1, 2))


def _cut(frame: Image, box: Box, shrink: float, side: int) -> FloatArray:
    """One crop, (side, side, 3) RGB; pixel centres of the crop are looked up in the frame, which is `shrink` as big."""
    matrix = np.zeros((2, 3), np.float64)
    for axis, (corner, length) in enumerate(((box.left, box.width), (box.top, box.height))):
        step = length / side
        matrix[axis, axis] = step * shrink
        matrix[axis, 2] = (0.5 * step + corner) * shrink - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(frame, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return ((cut[..., ::-1].astype(np.float32) - _MEAN) / _STD).astype(np.float32)
