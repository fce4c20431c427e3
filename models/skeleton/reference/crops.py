"""What part of a picture a clip shows: PYSKL's PoseCompact, crops, Resize and Flip, for joints in pixels.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/augmentations.py; the size of a resized picture is mmcv's
rescale_size. Random numbers are drawn in its order from generators of its kinds: NumPy's legacy one, and Python's own
for the place of a random resized crop.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from models.arrays import AnyArray
from models.skeleton.reference.clip import PoseClip, Quadruple

_ATTEMPTS = 10
Scale: TypeAlias = float | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a picture in whole pixels; it may reach past the picture's edges."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.bottom - self.top

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of the picture that is left when the box is cut out."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Compact:
    """Options of `compact_box`; the defaults are the reference's, its heatmap recipes take hw_ratio 1.

    padding:    share by which the box around everyone grows, half of it on each side.
    threshold_px: a box that is narrower or lower than this leaves the whole picture.
    hw_ratio:   least and greatest height over width, by growing the box; None leaves its shape.
    is_inside:  cut the box off at the picture's edges (the reference's allow_imgpad=False).
    """

    padding: float = 0.25
    threshold_px: float = 10.0
    hw_ratio: float | tuple[float, float] | None = None
    is_inside: bool = False


def compact_box(xy: AnyArray, shape_hw: tuple[int, int], options: Compact) -> Box | None:
    """The box around everyone in a clip, corners truncated towards 0; None where PoseCompact leaves the picture alone.

    xy: (..., 2) pixels; NaN counts as 0, and a coordinate of exactly 0 is missing.
    """
    known = np.where(np.isnan(xy), 0, xy).astype(xy.dtype).reshape(-1, 2)
    low, high = (_bound(known, side) for side in ("low", "high"))
    if not (high - low >= options.threshold_px).all():
        return None
    # Sums in the joints' own dtype, the rest in double precision: at the edge of a pixel it decides.
    centre_x, centre_y = (float(value) / 2 for value in high + low)
    half_width, half_height = (float(value) / 2 * (1 + options.padding) for value in high - low)
    if options.hw_ratio is not None:
        least, greatest = _pair(options.hw_ratio)
        half_height = max(least * half_width, half_height)
        half_width = max(1 / greatest * half_height, half_width)
    corners = [centre_x - half_width, centre_y - half_height, centre_x + half_width, centre_y + half_height]
    if options.is_inside:
        height, width = shape_hw
        corners = [max(0, corners[0]), max(0, corners[1]), min(width, corners[2]), min(height, corners[3])]
    return Box(*(math.trunc(corner) for corner in corners))


def compact(clip: PoseClip, options: Compact | None = None) -> PoseClip:
    """PoseCompact: the clip as seen in the box around everyone. Missing coordinates stay 0, NaN becomes 0."""
    box = compact_box(clip.xy, clip.shape_hw, options or Compact())
    known = np.where(np.isnan(clip.xy), 0, clip.xy).astype(clip.xy.dtype)
    if box is None:
        return replace(clip, xy=known)
    corner = np.array([box.left, box.top], known.dtype)
    return _cut(replace(clip, xy=np.where(known != 0, known - corner, known)), box)


def crop(clip: PoseClip, box: Box) -> PoseClip:
    """The clip as seen in a box; missing coordinates move like the others, and float32 becomes float64, as there."""
    return _cut(replace(clip, xy=clip.xy - np.array([box.left, box.top])), box)


def random_box(shape_hw: tuple[int, int], side_px: int, generator: np.random.RandomState) -> Box:
    """RandomCrop: a square at random; it never touches the right and lower edges of a bigger picture, as there.

    Raises ValueError for a picture that is smaller than the square.
    """
    height, width = shape_hw
    if side_px > min(shape_hw):
        raise ValueError(f"a crop of {side_px} pixels in a picture of {width} x {height}")
    top = int(generator.randint(0, height - side_px)) if height > side_px else 0
    left = int(generator.randint(0, width - side_px)) if width > side_px else 0
    return Box(left, top, left + side_px, top + side_px)


def random_resized_box(
    shape_hw: tuple[int, int],
    generator: np.random.RandomState,
    places: random.Random,
    area_range: tuple[float, float] = (0.08, 1.0),
    aspect_range: tuple[float, float] = (3 / 4, 4 / 3),
) -> Box:
    """RandomResizedCrop: the first of ten boxes of random area and shape that fits, else the square in the middle.

    generator: draws shapes and areas.  places: draws left and top, as Python's `random` seeded alike would.
    area_range:   least and greatest share of the picture's area.
    aspect_range: least and greatest width over height, drawn uniformly in its logarithm.
    """
    height, width = shape_hw
    shapes = np.exp(generator.uniform(np.log(aspect_range[0]), np.log(aspect_range[1]), size=_ATTEMPTS))
    areas = generator.uniform(*area_range, size=_ATTEMPTS) * (height * width)
    widths, heights = np.round(np.sqrt(areas * shapes)), np.round(np.sqrt(areas / shapes))
    for box_width, box_height in zip(widths.astype(int).tolist(), heights.astype(int).tolist(), strict=True):
        if box_height <= height and box_width <= width:
            left, top = places.randint(0, width - box_width), places.randint(0, height - box_height)
            return Box(left, top, left + box_width, top + box_height)
    side = min(shape_hw)
    return centre_box(shape_hw, (side, side))


def centre_box(shape_hw: tuple[int, int], size_wh: tuple[int, int]) -> Box:
    """CenterCrop: a box in the middle; half a pixel goes to the left and up, a bigger box reaches past the edges."""
    (height, width), (box_width, box_height) = shape_hw, size_wh
    left, top = (width - box_width) // 2, (height - box_height) // 2
    return Box(left, top, left + box_width, top + box_height)


def resized_shape(shape_hw: tuple[int, int], scale: Scale, keeps_ratio: bool = True) -> tuple[int, int]:
    """Height and width of a picture after Resize, halves rounded up.

    scale: keeping the ratio, a factor, or the greatest long and short side in either order (-1: no limit for the long
    one); else the new width and height. Raises ValueError for anything else.
    """
    height, width = shape_hw
    if not isinstance(scale, tuple):
        if not keeps_ratio or scale <= 0:
            raise ValueError(f"scale {scale}: expected a positive factor, or width and height to be resized to")
        factor = float(scale)
    elif not keeps_ratio:
        if min(scale) < 1:
            raise ValueError(f"scale {scale}: expected the width and height to be resized to")
        return int(scale[1]), int(scale[0])
    else:
        long_side, short_side = (math.inf, max(scale)) if min(scale) == -1 else (max(scale), min(scale))
        factor = min(long_side / max(shape_hw), short_side / min(shape_hw))
    return int(height * factor + 0.5), int(width * factor + 0.5)


def resize(clip: PoseClip, scale: Scale, keeps_ratio: bool = True) -> PoseClip:
    """Resize: the clip's picture at another size, `scale` and errors as for `resized_shape`; factors are float32."""
    height, width = resized_shape(clip.shape_hw, scale, keeps_ratio)
    factors = np.array([width / clip.shape_hw[1], height / clip.shape_hw[0]], np.float32)
    return replace(clip, xy=clip.xy * factors, shape_hw=(height, width))


def flip(clip: PoseClip, pairs: Sequence[tuple[int, int]] = ()) -> PoseClip:
    """The clip's mirror image: x becomes width - x, a missing x stays 0, joints of each (left, right) pair swap."""
    order = list(range(clip.xy.shape[2]))
    for left, right in pairs:
        order[left], order[right] = right, left
    x = clip.xy[..., 0]
    mirrored = np.stack([np.where(x != 0, clip.shape_hw[1] - x, x), clip.xy[..., 1]], axis=-1)
    score = None if clip.score is None else clip.score[:, :, order]
    return replace(clip, xy=mirrored[:, :, order], score=score)


def random_flip(
    clip: PoseClip, generator: np.random.RandomState, ratio: float = 0.5, pairs: Sequence[tuple[int, int]] = ()
) -> tuple[PoseClip, bool]:
    """Flip: the clip or, with a probability of `ratio`, its mirror image, and whether it is that. Draws one number."""
    is_flipped = bool(generator.rand() < ratio)
    return (flip(clip, pairs) if is_flipped else clip), is_flipped


def _cut(clip: PoseClip, box: Box) -> PoseClip:
    """The clip, its joints already moved, with the box for its picture."""
    height, width = clip.shape_hw
    left, top, seen_width, seen_height = clip.quadruple
    quadruple: Quadruple = (
        left + seen_width * box.left / width, top + seen_height * box.top / height,
        seen_width * box.width / width, seen_height * box.height / height,
    )  # fmt: skip
    return replace(clip, shape_hw=box.shape_hw, quadruple=quadruple)


def _bound(known: AnyArray, side: str) -> AnyArray:
    """The least or greatest coordinate in each direction among those that are known; infinite where none is."""
    sign = 1 if side == "low" else -1
    bound: AnyArray = sign * np.where(known != 0, sign * known, np.inf).astype(known.dtype).min(axis=0, initial=np.inf)
    return bound


def _pair(value: float | tuple[float, float]) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)
