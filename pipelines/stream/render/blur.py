"""Makes faces unrecognisable: where heads are at any moment, from joints and boxes, and pictures without detail there.

Where nobody looked for people, the whole picture loses its detail: less than was asked for is never shown.
"""

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.layouts import LAYOUTS
from pipelines.types import FrameResult, Poses

_HEAD = frozenset({"nose", "left_eye", "right_eye", "left_ear", "right_ear", "head", "head_top", "neck"})
_SURE = 0.5
_NUM_SURE = 2
_MARGIN = 1.7
_TALL = 1.2
_UPPER = 0.4
_ABOVE = 0.12
_NEAR_S = 0.6
"""Seconds from a look at the people within which it says something of a moment."""
_LOOSE_S = 0.35
"""The same of somebody who is nobody's track: weak boxes come and go, and the next look follows soon."""
_HOLD_S = 1.0
"""Seconds for which somebody who is not found is still expected where they were, and were to be found before."""
_GROWTH = 0.6  # of its size, per second that a region is held
_CELLS = 3
_COARSE_PX = 24
_FACE_JOINT_SHARES = (0.75, 1.3, 0.36, 0.26, 0.07)  # of ear span, eye span, shoulder width, torso, longer side


def head_regions(poses: Poses) -> FloatArray:
    """(N, 4) float32, the head of each person with a margin: left, top, right, bottom in pixels.

    Where less than two joints of a head are sure it is the upper part of the box, or all of it where the person lies.
    """
    return np.array(
        [_region(points, box, poses.layout) for points, box in zip(poses.keypoints, poses.xyxy, strict=True)],
        np.float32,
    ).reshape(-1, 4)


def upper_parts(xyxy: FloatArray) -> FloatArray:
    """(N, 4) float32, where the heads of people must be of whom only boxes (N, 4) are known, pixels."""
    return np.array([_upper(box) for box in xyxy], np.float32).reshape(-1, 4)


def blurred(image: Image, regions: FloatArray) -> Image:
    """A copy, (H, W, 3) uint8, without detail in each of the regions (N, 4), shares of the picture."""
    out = image.copy()
    places = [place for region in regions if (place := _place(region, image.shape)) is not None]
    # Both from the copy: where regions overlap, none may bring back what another one took.
    for rows, columns in places:
        out[rows, columns] = _plain(out[rows, columns], _CELLS)
    for rows, columns in places:
        side = min(rows.stop - rows.start, columns.stop - columns.start)
        out[rows, columns] = cv2.GaussianBlur(out[rows, columns], (0, 0), max(1.0, side / 8))
    return out


def coarse(image: Image) -> Image:
    """The same picture with so few pixels that no face is left in it; (H, W, 3) uint8 as before."""
    return _plain(image, _COARSE_PX)


class FaceRecord:
    """Where the heads of one source's people were, as far as `span_s` back; used from several threads at once.

    What is found in between two looks, before somebody is first found and after they are last seen is covered too.
    """

    def __init__(self, span_s: float = float("inf")) -> None:
        self._span_s = span_s
        self._looks: deque[_Look] = deque()
        self._lock = threading.Lock()

    def add(self, result: FrameResult) -> None:
        """Note the people of a frame that was analysed; frames come in the order of their times."""
        if result.is_interpolated:
            return
        look = _Look.of(result.poses)
        with self._lock:
            while self._looks and self._looks[-1].time_s >= look.time_s:  # a source whose time jumped back
                self._looks.pop()
            self._looks.append(look)
            while self._looks[0].time_s < look.time_s - self._span_s:
                self._looks.popleft()

    def regions_at(self, time_s: float) -> FloatArray | None:
        """(N, 4) float32, shares of the picture: where heads may be at a moment; None where nobody looked near it."""
        with self._lock:
            near = [look for look in self._looks if abs(look.time_s - time_s) <= _HOLD_S]
        if not any(abs(look.time_s - time_s) <= _NEAR_S for look in near):
            return None
        found = [region for look in near if abs(look.time_s - time_s) <= _LOOSE_S for region in look.loose]
        track_ids = {track_id for look in near for track_id in look.heads}
        followed = [[(one.time_s, one.heads[each]) for one in near if each in one.heads] for each in track_ids]
        found += [_between(samples, time_s) for samples in followed]
        return np.array(found, np.float32).reshape(-1, 4)

    def hidden(self, image: Image, time_s: float) -> Image:
        """A copy of the picture of that moment in which nobody can be known."""
        regions = self.regions_at(time_s)
        return coarse(image) if regions is None else blurred(image, regions)


@dataclass(frozen=True, slots=True)
class _Look:
    """One analysed frame. heads: track → region, loose: regions of people without joints; shares of the picture."""

    time_s: float
    heads: dict[int, FloatArray]
    loose: tuple[FloatArray, ...]

    @staticmethod
    def of(poses: Poses) -> "_Look":
        width, height = poses.size_wh
        scale = np.array([width, height, width, height], np.float32)
        heads = dict(zip(poses.track_id.tolist(), head_regions(poses) / scale, strict=True))
        return _Look(poses.time_s, heads, tuple(upper_parts(poses.unposed) / scale))


def _between(samples: Sequence[tuple[float, FloatArray]], time_s: float) -> FloatArray:
    """All that lies between the looks before and after; grown where there is only one of them."""
    times = [at_s for at_s, _ in samples]
    after = bisect_left(times, time_s)
    if after < len(times) and times[after] == time_s:
        return samples[after][1]
    if 0 < after < len(times):
        one, other = samples[after - 1][1], samples[after][1]
        return np.concatenate([np.minimum(one[:2], other[:2]), np.maximum(one[2:], other[2:])])
    at_s, region = samples[min(after, len(times) - 1)]
    grown = _GROWTH * abs(time_s - at_s) * (region[2:] - region[:2])
    return np.concatenate([region[:2] - grown, region[2:] + grown])


def _region(points: FloatArray, box: FloatArray, layout: str) -> FloatArray:
    names = LAYOUTS[layout].joints
    rows = [row for row, name in enumerate(names) if name in _HEAD and points[row, 2] >= _SURE]
    if len(rows) < _NUM_SURE:
        return _upper(box)
    head = points[rows, :2]
    half = _MARGIN * _half_px(points, box, names)
    centre = head.mean(axis=0)
    low = np.minimum(centre - half, head.min(axis=0) - 0.4 * half)
    high = np.maximum(centre + half, head.max(axis=0) + 0.4 * half)
    return np.concatenate([low, high]).astype(np.float32)


def _half_px(points: FloatArray, box: FloatArray, names: Sequence[str]) -> float:
    """Half the height of a head, from whatever of the body is sure; the largest guess counts."""
    place = {name: points[row, :2] for row, name in enumerate(names) if points[row, 2] >= _SURE}

    def span(one: str, other: str) -> float:
        return float(np.hypot(*(place[one] - place[other]))) if one in place and other in place else 0.0

    torso = max(span("left_shoulder", "left_hip"), span("right_shoulder", "right_hip"))
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    lengths = (
        span("left_ear", "right_ear"), span("left_eye", "right_eye"), span("left_shoulder", "right_shoulder"), torso,
        longer,
    )  # fmt: skip
    return max(share * length for share, length in zip(_FACE_JOINT_SHARES, lengths, strict=True))


def _upper(box: FloatArray) -> FloatArray:
    width, height = box[2] - box[0], box[3] - box[1]
    side, above = 0.1 * width, _ABOVE * height
    share = _UPPER if height >= _TALL * width else 1.0 + _ABOVE
    return np.array([box[0] - side, box[1] - above, box[2] + side, box[1] + share * height], np.float32)


def _place(region: FloatArray, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Rows and columns of a region in shares; None where it lies beyond the picture."""
    height, width = shape[:2]
    left, top, right, bottom = (region * np.array([width, height, width, height], np.float32)).tolist()
    rows, columns = (
        slice(max(0, int(top)), min(height, ceil(bottom))),
        slice(max(0, int(left)), min(width, ceil(right))),
    )
    return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None


def _plain(image: Image, cells: int) -> Image:
    """A picture made anew from so few mean colours along its longer side."""
    height, width = image.shape[:2]
    scale = min(1.0, cells / max(height, width))
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
