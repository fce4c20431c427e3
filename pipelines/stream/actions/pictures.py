"""The last seconds of a stream as a few small pictures, kept only for action networks that look at them."""

from collections import deque

import cv2
import numpy as np

from models.arrays import AnyArray, Image

LONGER_SIDE_PX = 640
"""What a kept picture is shrunk to: a person of a third of its height still fills a crop of 224 pixels."""


class PictureRing:
    """Keeps pictures at most as often as the network looks at them, and no longer than a window; bounded by both.

    window_s: length of a window. num_pictures: how many of one window the network looks at.
    """

    def __init__(self, window_s: float, num_pictures: int) -> None:
        self._spacing_s = window_s / (2 * num_pictures)
        self._reach_s = 1.5 * window_s + 1.0
        self._kept: deque[tuple[float, Image]] = deque(maxlen=int(self._reach_s / self._spacing_s) + 2)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, time_s: float, image: Image) -> None:
        """Take the picture of one more frame, unless one of nearly the same time is kept already."""
        if self._kept and time_s - self._kept[-1][0] < self._spacing_s:
            return
        self._kept.append((time_s, _shrunk(image)))
        while self._kept[0][0] < time_s - self._reach_s:
            self._kept.popleft()

    def at(self, times_s: AnyArray) -> list[Image]:
        """The picture nearest to each time; empty while none is kept."""
        if not self._kept:
            return []
        known = np.array([time_s for time_s, _ in self._kept])
        return [self._kept[int(np.abs(known - time_s).argmin())][1] for time_s in times_s]

    def reset(self) -> None:
        """Forget everything."""
        self._kept.clear()


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    share = LONGER_SIDE_PX / max(height, width)
    if share >= 1:
        return image.copy()
    size_wh = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
