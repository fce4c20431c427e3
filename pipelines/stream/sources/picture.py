"""From a decoded picture to the image that the stages see: upright, square pixels, BGR, bounded in size."""

from collections.abc import Iterable
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType

from models.arrays import AnyArray, Image
from pipelines.errors import UnsupportedMedia
from pipelines.orientation import UPRIGHT, Orientation


class PictureMaker:
    """Makes images from the pictures of one stream; each has the size that its own picture asks for.

    turn: what is done after what the pictures themselves ask for: a camera that hangs upside down does not know it.
    """

    def __init__(self, max_side_px: int, turn: Orientation | None = None) -> None:
        self._max_side_px = max_side_px
        self._turn = turn or UPRIGHT
        self._rotation: int | None = None
        self._orientation = self._turn

    @property
    def orientation(self) -> Orientation:
        """What was done to the last picture, on the whole."""
        return self._orientation

    def __call__(self, frame: av.VideoFrame, aspect: Fraction | None = None) -> Image:
        """(H, W, 3) uint8 BGR of the frame.

        aspect: width of a stored pixel divided by its height, None or 0 for unknown.
        Raises UnsupportedMedia for a pixel format that cannot be turned into BGR.
        """
        try:
            pixels = self._convert(frame, *self._target_wh(frame.width, frame.height, float(aspect or 1)))
        except (av.error.FFmpegError, ValueError) as error:
            raise UnsupportedMedia(f"pictures in {frame.format.name} cannot be shown") from error
        return _oriented(np.asarray(pixels, np.uint8), self._orientation_of(frame))

    def _convert(self, frame: av.VideoFrame, width: int, height: int) -> AnyArray:
        if (width, height) == (frame.width, frame.height):
            # One conversion thread: swscale's own threads cost more than they gain beside the decoder's.
            return frame.to_ndarray(format="bgr24", threads=1)
        return frame.reformat(width, height, "bgr24", interpolation="AREA", threads=1).to_ndarray()

    def _orientation_of(self, frame: av.VideoFrame) -> Orientation:
        # PyAV's side data and its frame hold each other: reading it on every frame keeps hundreds of megabytes until
        # the garbage collector runs. The plain rotation says cheaply whether the matrix changed.
        if frame.rotation != self._rotation:
            self._rotation, self._orientation = frame.rotation, _asked_by(frame).then(self._turn)
        return self._orientation

    def _target_wh(self, width: int, height: int, aspect: float) -> tuple[int, int]:
        shown_width = width * aspect
        scale = min(1.0, self._max_side_px / max(shown_width, height))
        return max(1, round(shown_width * scale)), max(1, round(height * scale))


def _asked_by(frame: av.VideoFrame) -> Orientation:
    """The orientation that the frame's display matrix asks for; angles between are taken to the nearest quarter."""
    # PyAV's container iterates over its values, though it calls itself a mapping.
    entries = cast("Iterable[SideData]", frame.side_data)
    data = next((each for each in entries if each.type == SideDataType.DISPLAYMATRIX), None)
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = np.frombuffer(bytes(data), np.int32).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def _oriented(image: Image, orientation: Orientation) -> Image:
    """The upright image; the same array where nothing turns."""
    if orientation.transpose:
        image = np.asarray(cv2.transpose(image), np.uint8)
    if orientation.flip_x or orientation.flip_y:
        code = -1 if orientation.flip_x and orientation.flip_y else int(orientation.flip_x)
        image = np.asarray(cv2.flip(image, code), np.uint8)
    return image
