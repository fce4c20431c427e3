"""From joints in a picture to heatmap volumes in one call, as the published networks are tested; the steps alone are
in reference/.
"""

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.reference.clip import PoseClip
from models.skeleton.reference.crops import Box, Compact, compact, compact_box, resize
from models.skeleton.reference.heatmaps import (
    COCO17_LIMB_PAIRS,
    COCO17_LIMBS,
    MIN_SCORE,
    SIGMA_PX,
    joint_heatmaps,
    limb_heatmaps,
)

__all__ = [
    "COCO17_LIMBS",
    "COCO17_LIMB_PAIRS",
    "CROP_PADDING",
    "MIN_SCORE",
    "MIN_SIDE_PX",
    "SIGMA_PX",
    "crop_around",
    "joint_heatmaps",
    "limb_heatmaps",
    "to_heatmap_pixels",
]

CROP_PADDING = 0.25
MIN_SIDE_PX = 10.0
_SQUARE = Compact(CROP_PADDING, MIN_SIDE_PX, hw_ratio=1.0)


def crop_around(xy: AnyArray, size_wh: tuple[int, int]) -> Box:
    """The part of the picture that heatmaps show: a square around everyone in a clip, to the pixel.

    xy: (..., 2) pixels; NaN counts as 0, and a coordinate of exactly 0 is missing.
    A body of less than 10 pixels in either direction leaves the whole picture. Truncated corners can make the box a
    pixel higher than it is wide, or the reverse.
    """
    width, height = size_wh
    return compact_box(np.asarray(xy, np.float32), (height, width), _SQUARE) or Box(0, 0, width, height)


def to_heatmap_pixels(xy: AnyArray, size_wh: tuple[int, int], heatmap_hw: tuple[int, int]) -> FloatArray:
    """Joints of a clip, (M, T, V, 2) picture pixels, as pixels of heatmaps that show the crop around everyone.

    Missing coordinates (0) stay 0; their score hides them.
    """
    width, height = size_wh
    clip = compact(PoseClip(np.asarray(xy, np.float32), None, (height, width)), _SQUARE)
    return resize(clip, heatmap_hw[::-1], keeps_ratio=False).xy.astype(np.float32)
