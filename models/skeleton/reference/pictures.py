"""Pictures beside joints, for networks that see both: PYSKL's MMCompact, MMPad, MMDecode's scaling and Normalize.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/multi_modality.py and augmentations.py. Decoding and
resizing are OpenCV's: its Resize is `cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.reference.clip import PoseClip
from models.skeleton.reference.crops import Box, Compact, compact, compact_box

RGB_MEAN = (123.675, 116.28, 103.53)
RGB_STD = (58.395, 57.12, 57.375)
"""Of red, green and blue, 0..255: ImageNet's, which the published RGB networks take."""

COMPACT = Compact(hw_ratio=1.0)
_PADDING_VALUE = 127


def compact_both(
    clip: PoseClip, pictures: Sequence[AnyArray], options: Compact = COMPACT
) -> tuple[PoseClip, list[AnyArray]]:
    """MMCompact: joints and (H, W, C) pictures as seen in the box around everyone; what lies outside is black."""
    box = compact_box(clip.xy, clip.shape_hw, options) or Box(0, 0, clip.shape_hw[1], clip.shape_hw[0])
    return compact(clip, options), [cut(picture, box) for picture in pictures]


def cut(picture: AnyArray, box: Box) -> AnyArray:
    """The (H, W, C) picture's part in a box; what lies outside the picture is black."""
    height, width = picture.shape[:2]
    above, below = max(0, -box.top), max(0, box.bottom - height)
    before, behind = max(0, -box.left), max(0, box.right - width)
    padded = np.pad(picture, ((above, below), (before, behind), (0, 0)))
    return padded[box.top + above : box.bottom + above, box.left + before : box.right + before]


def pad_both(
    clip: PoseClip, pictures: Sequence[AnyArray], hw_ratio: float | None = None, padding: float = 0.0
) -> tuple[PoseClip, list[AnyArray]]:
    """MMPad: a bigger picture around the old one, grey (127), until its height over width is `hw_ratio`.

    padding: share by which both sides grow before that. Missing joints (0) move like the others, as there.
    """
    height, width = (side * (1 + padding) for side in clip.shape_hw)
    if hw_ratio is not None:
        height = max(hw_ratio * width, height)
        width = max(1 / hw_ratio * height, width)
    shape_hw = int(height + 0.5), int(width + 0.5)
    more_y, more_x = shape_hw[0] - clip.shape_hw[0], shape_hw[1] - clip.shape_hw[1]
    xy = clip.xy + np.array([int(more_x / 2), int(more_y / 2)], np.float32)
    sides = ((more_y // 2, more_y - more_y // 2), (more_x // 2, more_x - more_x // 2), (0, 0))
    padded = [np.pad(picture, sides, constant_values=_PADDING_VALUE) for picture in pictures]
    return replace(clip, xy=xy.astype(clip.xy.dtype), shape_hw=shape_hw), padded


def to_picture(clip: PoseClip, shape_hw: tuple[int, int]) -> PoseClip:
    """MMDecode: joints that were annotated at one size of a video, as pixels of the pictures that were decoded."""
    (height, width), (old_height, old_width) = shape_hw, clip.shape_hw
    factors = np.array([width / old_width, height / old_height]).astype(clip.xy.dtype)
    return replace(clip, xy=clip.xy * factors, shape_hw=shape_hw)


def normalise_pictures(
    pictures: AnyArray, mean: Sequence[float] = RGB_MEAN, std: Sequence[float] = RGB_STD
) -> FloatArray:
    """Normalize: (..., C) values 0..255 minus their mean, over their deviation, rounded to float32 after each step."""
    centred = (np.asarray(pictures, np.float64) - np.array(mean, np.float32)).astype(np.float32)
    return (centred.astype(np.float64) * (1 / np.array(std, np.float32).astype(np.float64))).astype(np.float32)
