"""Thumbnails: one small picture of a frame, and of a whole video that of its most telling moment."""

import cv2
import numpy as np

from models.arrays import Image
from pipelines.stream.render.blur import FaceRecord
from pipelines.types import Frame, FrameResult

SIDE_PX = 320
_QUALITY = 80


def thumbnail(image: Image) -> bytes | None:
    """A picture, (H, W, 3) uint8 BGR, as a JPEG of at most SIDE_PX in either direction; None where it cannot be one."""
    height, width = image.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    small = image if scale == 1.0 else cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(small), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes() if done else None


def _shown(frame: Frame, faces: FaceRecord | None) -> Image:
    return frame.image if faces is None else faces.hidden(frame.image, frame.time_s)


class TellingPicture:
    """Keeps the frame that says most of a video: most people whose action is named, among those most people.

    Of a video without anybody it keeps the middle; where no length is declared, a frame of its second half.

    duration_s: declared length, None where nothing is declared.
    faces: where heads are, which are then not shown; it must have seen each frame before.
    """

    def __init__(self, duration_s: float | None, faces: FaceRecord | None = None) -> None:
        self._faces = faces
        self._middle_s = None if duration_s is None else duration_s / 2
        self._rank = (-1, -1)
        self._last_s = 0.0
        self._num_seen = 0
        self.jpeg: bytes | None = None

    def see(self, result: FrameResult) -> None:
        """Look at the next frame, whose picture must be there."""
        # Heads of those who came after the last look at all people are nowhere known.
        if result.is_interpolated or (self._faces is not None and not result.poses.is_looked):
            return
        rank = (sum(state.action is not None for state in result.states), len(result.states))
        self._num_seen += 1
        if rank > self._rank or (rank == self._rank == (0, 0) and self._is_middle(result.frame.time_s)):
            self._rank = rank
            self.jpeg = thumbnail(_shown(result.frame, self._faces))
        self._last_s = result.frame.time_s

    def _is_middle(self, time_s: float) -> bool:
        if self._middle_s is not None:
            return self._last_s < self._middle_s <= time_s
        return self._num_seen & (self._num_seen - 1) == 0  # 1, 2, 4, 8, ...: the last of them is past the middle
