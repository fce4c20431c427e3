"""Whether a scene in which nobody is followed stands still: then the detector need not look so often."""

import cv2
import numpy as np

from models.arrays import Image

_SIDE_PX = 160  # longer side of the small pictures: somebody of 60 pixels in 1080p is five of theirs
_SPOT_PX = 3
_MOVED = 6.0  # grey levels, mean of a spot; the noise of a camera by day leaves one or two of them


class StillScene:
    """Remembers the picture at which the detector last looked.

    Compared with that picture, not with the one before, whoever creeps through the scene is noticed as well. Light that
    changes counts as motion: the detector then looks as often as ever.
    """

    def __init__(self) -> None:
        self._seen: Image | None = None

    def mark(self, image: Image) -> None:
        """The detector looks at this picture."""
        self._seen = _shrink(image)

    def forget(self) -> None:
        """What comes next is another scene."""
        self._seen = None

    def __call__(self, image: Image) -> bool:
        """Whether nothing moved since the detector last looked; never where it has not looked."""
        if self._seen is None:
            return False
        small = _shrink(image)
        if small.shape != self._seen.shape:
            return False
        spots = cv2.blur(cv2.absdiff(small, self._seen), (_SPOT_PX, _SPOT_PX))
        return float(spots.max()) < _MOVED


def _shrink(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = _SIDE_PX / max(height, width)
    size_wh = max(round(width * scale), 8), max(round(height * scale), 8)
    small = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
