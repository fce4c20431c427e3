"""Whether the camera itself moves: how the picture around the people shifted, turned and grew since the last one.

Whoever stands still before a camera that tilts crosses the picture as one who falls. So the background's motion is
estimated where people are tracked, and what it would do to a standing body decides whether they can be judged.
"""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from models.arrays import BoolArray, FloatArray, Image
from pipelines.stream.config import CameraConfig
from pipelines.stream.people.boxes import longer_side

Matrix = NDArray[np.float64]

_SIDE_PX = 160  # longer side of the small pictures; all lengths in pixels here are theirs
_MAX_POINTS = 80
_MIN_POINTS = 12
_POINT_SPACING_PX = 7
_POINT_QUALITY = 0.02
_MARGIN = 0.12  # of a body's longer side: its shadow and its clothes move with it
_STILL_PX = 0.35  # trembling of points in a steady picture, by compression and by the estimate itself
_FIT_PX = 1.0
_MAX_STILL = 0.25  # share of the points that may rest while the camera moves: a logo, a dirty lens
_MIN_FIT = 0.6
_MIN_SPREAD = 0.45  # of the picture's width or height
_MIN_RESPONSE = 0.1
_MAX_LEFT = 0.6  # of the difference between two pictures may be left when the later one is moved back
_MAX_ZOOM = 1.5
_NO_MOTION: Matrix = np.eye(3)


class CameraMotion:
    """Follows the background from picture to picture; one per stream."""

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._last: Image | None = None
        self._last_boxes = np.zeros((0, 4), np.float32)
        self._scale = 1.0
        self._path: deque[tuple[float, Matrix]] = deque()

    def __call__(self, image: Image, time_s: float, xyxy: FloatArray) -> BoolArray:
        """Whether the camera moves too much to judge each person: (N,) bool for boxes (N, 4), source pixels."""
        if not len(xyxy):
            self.reset()
            return np.zeros(0, np.bool_)
        small, scale = _shrink(image)
        if self._last is None or self._last.shape != small.shape or (self._path and time_s < self._path[-1][0]):
            self._path.clear()
        else:
            mask = _background(small, np.concatenate([self._last_boxes, xyxy]) * np.float32(scale))
            step = _step(self._last, small, mask)
            if step is not _NO_MOTION:
                self._path = deque((past_s, step @ past) for past_s, past in self._path)
        while self._path and self._path[0][0] < time_s - self._config.span_s:
            self._path.popleft()
        self._path.append((time_s, _NO_MOTION))
        self._last, self._last_boxes = small, xyxy
        shifts = [self._shift(box) for box in xyxy * np.float32(scale)]
        return np.array([shift > self._config.max_shift for shift in shifts], np.bool_)

    def reset(self) -> None:
        """The next picture does not continue the last one."""
        self._last, self._path = None, deque()

    def _shift(self, box: FloatArray) -> float:
        """How far the moving camera carried a resting body's corners in the last moments, share of its longer side."""
        corners = np.array([[box[0], box[2], box[0], box[2]], [box[1], box[1], box[3], box[3]], [1, 1, 1, 1]])
        moved = [past for _, past in self._path if past is not _NO_MOTION]
        apart = [np.hypot(*(past @ corners - corners)[:2]).max() for past in moved]
        return float(max(apart, default=0.0)) / max(longer_side(box), 1.0)


def _shrink(image: Image) -> tuple[Image, float]:
    height, width = image.shape[:2]
    scale = _SIDE_PX / max(height, width)
    size_wh = max(round(width * scale), 8), max(round(height * scale), 8)
    return np.asarray(cv2.cvtColor(cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)), scale


def _background(small: Image, boxes: FloatArray) -> Image:
    """(h, w) 255 where no person was or is."""
    mask = np.full(small.shape, 255, np.uint8)
    for box in boxes:
        margin = _MARGIN * longer_side(box)
        left, top = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
        right, bottom = np.maximum(np.ceil(box[2:] + margin), 0).astype(int)
        mask[top:bottom, left:right] = 0
    return mask


def _step(before: Image, after: Image, mask: Image) -> Matrix:
    """(3, 3) how the background moved, small pixels; the identity where it rests or cannot be followed."""
    points = cv2.goodFeaturesToTrack(before, _MAX_POINTS, _POINT_QUALITY, _POINT_SPACING_PX, mask=mask, blockSize=5)
    if points is None or len(points) < _MIN_POINTS:
        return _NO_MOTION
    moved, is_found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, points, np.empty_like(points), winSize=(11, 11), maxLevel=3
    )
    start, end = points[:, 0].astype(np.float64), moved[:, 0].astype(np.float64)
    kept = is_found[:, 0] > 0
    if (np.hypot(*(end - start)[kept].T) < _STILL_PX).sum() > _MAX_STILL * len(points):
        return _NO_MOTION
    fitted = _fit(start[kept], end[kept], len(points), before.shape)
    return _shifted(before, after, mask) if fitted is None else fitted


def _fit(start: Matrix, end: Matrix, num_points: int, shape_hw: tuple[int, ...]) -> Matrix | None:
    """The turn, zoom and shift that most points agree on; None where they do not."""
    if len(start) < _MIN_POINTS:
        return None
    found, inliers = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=_FIT_PX, maxIters=200)
    if found is None:
        return None
    agreeing = start[inliers[:, 0] > 0]
    zoom = float(np.hypot(found[0, 0], found[1, 0]))
    spread = (np.ptp(agreeing, axis=0) / np.array(shape_hw[::-1])).max()
    if len(agreeing) < _MIN_FIT * num_points or spread < _MIN_SPREAD or not 1 / _MAX_ZOOM < zoom < _MAX_ZOOM:
        return None
    return np.vstack([found, [0, 0, 1]])


def _shifted(before: Image, after: Image, mask: Image) -> Matrix:
    """The shift of a picture whose points were lost, as in a quick pan; the identity where a shift explains little."""
    mean = float(before[mask > 0].mean())
    one, other = (np.where(mask > 0, picture, mean).astype(np.float32) for picture in (before, after))
    window = cv2.createHanningWindow(before.shape[::-1], cv2.CV_32F)
    (x, y), response = cv2.phaseCorrelate(one, other, window)
    moved = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
    if response < _MIN_RESPONSE or np.hypot(x, y) < 1:
        return _NO_MOTION
    back = cv2.warpAffine(after, moved[:2], before.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    seen = cv2.warpAffine(mask, moved[:2], before.shape[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    both = (mask > 0) & (seen > 0)
    if both.mean() < 0.1:
        return _NO_MOTION
    unmoved, left = (float(cv2.absdiff(before, other)[both].mean()) for other in (after, back))
    return moved if left < _MAX_LEFT * unmoved else _NO_MOTION
