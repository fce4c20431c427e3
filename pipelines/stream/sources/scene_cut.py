"""Hard cuts: whether a picture shows another scene than the one before, told by its structure and not by its light.

Two small pictures are compared patch by patch. A patch has changed if nothing near its place in the other picture looks
like it, so that moving people change few patches and a cut nearly all. The first test looks at differences and lets
almost every pair pass; the second one looks at local correlation, after the camera's own shift is taken out, so that
light switched on or off, a flash or a pan is no cut.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray, Image

_SIZE_WH = (64, 48)
_PATCH = 5
_WIDE_PATCH = 9  # of the second test: in a small one something alike is found by chance
_SURROUNDINGS = 9
_REACH = 2  # small pixels that anything may move between two pictures: 20 of a picture 640 wide
_SAME_GREY = 8
_BLOWN_OUT = 250  # grey level
_TEXTURED = 3  # grey levels of mean detail from which a patch can be compared
_MIN_COMPARABLE = 0.15  # of the picture: with less, one of the two is dark or blown out and says nothing
_SUSPECT, _CHANGED = 0.4, 0.75  # share of the patches
_CALM, _SUDDEN = 0.1, 0.6  # so few patches changed just before, and so many now: a cut within one place
_UNLIKE = 0.7  # correlation below which a patch has changed
_BUSY = 0.7  # of the share now: pictures that already changed so much are a whip pan or noise
_SHIFTS = tuple((x, y) for y in range(-_REACH, _REACH + 1) for x in range(-_REACH, _REACH + 1))


class SceneCut:
    """Remembers the last picture that could be compared; for pictures of one size, in order."""

    def __init__(self) -> None:
        self._last: _Small | None = None
        self._share = 0.0

    def restart(self, image: Image) -> None:
        """Begin anew with this picture."""
        self._last, self._share = _Small.of(image), 0.0

    def __call__(self, image: Image) -> bool:
        """Whether another scene begins with this picture; a blank one is passed over, as in a cut through black."""
        new, old = _Small.of(image), self._last
        share = None if old is None else _changed_share(old, new)
        if old is None or share is None:
            self._last = new if old is None or new.detail_area >= old.detail_area else old
            return False
        self._last = new
        before, self._share = self._share, share
        is_cut = (share >= _CHANGED and before < _BUSY * share) or (share >= _SUDDEN and before < _CALM)
        self._share = 0.0 if is_cut else self._share
        return is_cut


@dataclass(frozen=True, slots=True)
class _Small:
    """A small grey picture without its slow changes of light.

    grey:   (H, W) uint8.
    detail: (H, W) uint8, 128 where a pixel is as bright as its surroundings. texture: (H, W) uint8, mean of its size.
    is_blown: (H, W) bool, too bright to show anything.
    """

    grey: Image
    detail: Image
    texture: Image
    is_blown: BoolArray

    @staticmethod
    def of(image: Image) -> "_Small":
        # In two steps: averaging over all pixels of a large picture takes milliseconds.
        width, height = _SIZE_WH
        sampled = cv2.resize(image, (4 * width, 4 * height), interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(sampled, _SIZE_WH, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        around = cv2.blur(grey, (_SURROUNDINGS, _SURROUNDINGS))
        detail = np.asarray(cv2.addWeighted(grey, 1.0, around, -1.0, 128), np.uint8)
        size = cv2.absdiff(detail, np.full_like(detail, 128))
        texture = np.asarray(cv2.blur(size, (_PATCH, _PATCH)), np.uint8)
        return _Small(np.asarray(grey, np.uint8), detail, texture, np.asarray(grey >= _BLOWN_OUT, np.bool_))

    @property
    def detail_area(self) -> int:
        """Pixels where something can be seen."""
        return int(np.count_nonzero(self.texture >= _TEXTURED))


def _changed_share(old: _Small, new: _Small) -> float | None:
    """Share of the patches that look like nothing near them in the other picture, 0..1; None for too few to tell.

    Patches with detail in both pictures count, and plain ones that stayed as they were: where two people fill a
    picture of an empty floor, all detail may move, and the floor says that the place is the same.
    """
    comparable = (cv2.min(old.texture, new.texture) >= _TEXTURED) & (old.is_blown == new.is_blown)
    num_comparable = np.count_nonzero(comparable)
    if num_comparable < _MIN_COMPARABLE * comparable.size:
        return None
    is_plain = cv2.max(old.texture, new.texture) < _TEXTURED
    num_patches = num_comparable + np.count_nonzero(is_plain & (cv2.absdiff(old.grey, new.grey) < _SAME_GREY))
    unlike = _unlike(old, new, ((0, 0),)) & comparable
    if np.count_nonzero(unlike) >= _SUSPECT * num_patches:
        unlike = _unlike(old, new, _SHIFTS) & comparable
    if np.count_nonzero(unlike) >= _SUSPECT * num_patches:
        unlike = (_correlation(old.detail, new.detail) < _UNLIKE) & comparable
    return float(np.count_nonzero(unlike) / num_patches)


def _unlike(old: _Small, new: _Small, shifts: tuple[tuple[int, int], ...]) -> BoolArray:
    """(H, W) bool: patches that differ from every one near them by more than half of their detail."""
    padded: Image = np.pad(old.detail, _REACH, mode="edge")
    least: Image = np.full_like(new.detail, 255)
    for x, y in shifts:
        difference = cv2.blur(cv2.absdiff(_part(padded, x, y, _REACH), new.detail), (_PATCH, _PATCH))
        least = np.minimum(least, difference).astype(np.uint8, copy=False)
    return np.asarray(least > cv2.max(old.texture, new.texture) // 2 + 1, np.bool_)


def _correlation(old: Image, new: Image) -> FloatArray:
    """(H, W) float32: how alike each patch and the best one near it are, -1..1, whatever their contrast."""
    first, second = old.astype(np.float32) - 128, new.astype(np.float32) - 128
    (x, y), _ = cv2.phaseCorrelate(second, first, cv2.createHanningWindow(_SIZE_WH, cv2.CV_32F))
    shift_x, shift_y = round(x), round(y)
    reach = _REACH + max(abs(shift_x), abs(shift_y))
    padded: FloatArray = np.pad(first, reach, mode="edge")
    power = _mean(second * second)
    # In its place, the opposite counts as alike: an infrared lamp makes dark clothes and leaves bright.
    best = np.abs(_mean(first * second) / np.sqrt(_mean(first * first) * power + 1))
    for near_x, near_y in (*_SHIFTS, *((shift_x + x, shift_y + y) for x, y in _SHIFTS)):
        moved = _part(padded, near_x, near_y, reach)
        best = np.maximum(best, _mean(moved * second) / np.sqrt(_mean(moved * moved) * power + 1))
    return np.asarray(best, np.float32)


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.blur(values, (_WIDE_PATCH, _WIDE_PATCH)), np.float32)


def _part(padded: AnyArray, x: int, y: int, reach: int) -> AnyArray:
    """The picture within its border, moved."""
    width, height = _SIZE_WH
    return np.ascontiguousarray(padded[reach + y : reach + y + height, reach + x : reach + x + width])
