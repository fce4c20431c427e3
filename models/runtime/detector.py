"""What every person detector is, and the picture handling that detectors share: letterbox, normalisation, NMS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np

from models.arrays import FloatArray, Image, IntArray
from models.weights.registry import ModelSpec

SCORE_FLOOR = 0.1
"""Boxes below this are never given; whoever uses a detector applies its own, higher threshold."""


@dataclass(frozen=True, slots=True)
class DetectedPeople:
    """People found in one picture, best first.

    xyxy:  (N, 4) float32, left, top, right, bottom, in source pixels, inside the picture.
    score: (N,) float32, SCORE_FLOOR..1.
    """

    xyxy: FloatArray
    score: FloatArray

    @staticmethod
    def empty() -> "DetectedPeople":
        """Nobody."""
        return DetectedPeople(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.score)


class Detector(Protocol):
    """Finds people in pictures; pictures of different sizes may come in one call."""

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture, same order."""
        ...


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A picture scaled into a canvas.

    canvas: (H, W, 3) uint8 BGR. scale: canvas pixels per source pixel. size_wh: the source picture's.
    corner_xy: where the picture's top left lies on the canvas.
    """

    canvas: Image
    scale: float
    size_wh: tuple[int, int]
    corner_xy: tuple[int, int] = (0, 0)

    def to_source(self, xyxy: FloatArray) -> FloatArray:
        """Boxes (N, 4) from canvas to source pixels, cut at the picture's edges."""
        limit = np.array([*self.size_wh, *self.size_wh], np.float32)
        corners = self.points_to_source(xyxy.reshape(-1, 2)).reshape(-1, 4)
        boxes: FloatArray = np.clip(corners, 0, limit)
        return boxes

    def points_to_source(self, points: FloatArray) -> FloatArray:
        """Points (..., 2) from canvas to source pixels, wherever they lie."""
        moved: FloatArray = (points - np.array(self.corner_xy, np.float32)) / np.float32(self.scale)
        return moved.astype(np.float32, copy=False)


def letterbox(image: Image, long_side: int, multiple: int = 32, fill: int = 114, is_centred: bool = False) -> Letterbox:
    """Scale the longer side to `long_side` and pad up to the next multiple, not to a square.

    is_centred: pad on both sides instead of right and bottom.
    """
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    inner_wh = max(round(width * scale), 1), max(round(height * scale), 1)
    shape = (-(-inner_wh[1] // multiple) * multiple, -(-inner_wh[0] // multiple) * multiple, 3)
    return _boxed(image, inner_wh, np.full(shape, fill, np.uint8), scale, is_centred)


def letterbox_into(image: Image, size_wh: tuple[int, int], fill: int = 114, is_centred: bool = False) -> Letterbox:
    """Scale the picture to fit and pad to exactly `size_wh`, as `letterbox` does, for networks with a fixed input."""
    scale = min(size_wh[0] / image.shape[1], size_wh[1] / image.shape[0])
    inner_wh = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    return _boxed(image, inner_wh, np.full((size_wh[1], size_wh[0], 3), fill, np.uint8), scale, is_centred)


def letterbox_for(
    image: Image, shape: Sequence[int | str | None], long_side: int, is_centred: bool = False
) -> Letterbox:
    """The letterbox that a network with this input shape (B, 3, H, W) takes; a named dimension varies."""
    height, width = shape[2:]
    if isinstance(height, int) and isinstance(width, int):
        return letterbox_into(image, (width, height), is_centred=is_centred)
    return letterbox(image, long_side, is_centred=is_centred)


def _boxed(image: Image, inner_wh: tuple[int, int], canvas: Image, scale: float, is_centred: bool) -> Letterbox:
    # Area averaging costs four times as much and changed nothing: RTMDet at 416 against itself at 1280 on six clips,
    # mean score 0.707 and 0.705, the same people found, the same false boxes.
    spare = canvas.shape[1] - inner_wh[0], canvas.shape[0] - inner_wh[1]
    left, top = (spare[0] // 2, spare[1] // 2) if is_centred else (0, 0)
    inside = canvas[top : top + inner_wh[1], left : left + inner_wh[0]]
    cv2.resize(image, inner_wh, dst=inside, interpolation=cv2.INTER_LINEAR)
    return Letterbox(canvas, scale, (int(image.shape[1]), int(image.shape[0])), (left, top))


def planes(
    canvas: Image, tables: FloatArray, colour: Literal["bgr", "rgb"] = "bgr", into: FloatArray | None = None
) -> FloatArray:
    """(3, H, W) float32: channels in the order of `colour`, each byte looked up in its channel's row of `tables`.

    into: where they go, C-contiguous; None makes room.
    """
    found = np.empty((3, *canvas.shape[:2]), np.float32) if into is None else into
    channels = cv2.split(canvas)
    order = channels if colour == "bgr" else channels[::-1]
    for channel, row, target in zip(order, tables, found, strict=True):
        cv2.LUT(channel, row, dst=target)
    return found


def normalise_tables(mean: Sequence[float], std: Sequence[float]) -> FloatArray:
    """(3, 256) float32: (byte - mean) / std per channel."""
    byte = np.arange(256, dtype=np.float32)
    shift, scale = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    return (byte - shift[:, None]) / scale[:, None]


def iter_batches(canvases: Sequence[Image], max_batch: int) -> Iterator[list[int]]:
    """Indexes of pictures that can share a batch: one shape, at most `max_batch` of them."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, canvas in enumerate(canvases):
        groups.setdefault(canvas.shape, []).append(index)
    for indexes in groups.values():
        for at in range(0, len(indexes), max_batch):
            yield indexes[at : at + max_batch]


def score_floor(spec: ModelSpec) -> float:
    """The lowest score of a box: the option `score_threshold` of a network's entry, never below SCORE_FLOOR."""
    return max(SCORE_FLOOR, spec.number("score_threshold", SCORE_FLOOR))


def people(xyxy: FloatArray, score: FloatArray) -> DetectedPeople:
    """Boxes with an area and a score of at least SCORE_FLOOR, best first; NaN never passes."""
    keep = (score >= SCORE_FLOOR) & (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    order = np.argsort(-score[keep], kind="stable")
    return DetectedPeople(xyxy[keep][order].astype(np.float32), np.minimum(score[keep][order], 1).astype(np.float32))


def nms(xyxy: FloatArray, score: FloatArray, max_iou: float) -> IntArray:
    """Indexes of the boxes that greedy non-maximum suppression keeps, best first."""
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        order = order[iou(xyxy[best : best + 1], xyxy[order])[0] <= max_iou]
    return np.array(kept, np.int64)


def iou(first: FloatArray, second: FloatArray) -> FloatArray:
    """Intersection over union of every pair, (N, M); 0 for boxes without area."""
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    size = np.clip(np.minimum(first[:, None, 2:], second[None, :, 2:]) - corner, 0, None)
    shared = size[..., 0] * size[..., 1]
    area = [np.clip(b[:, 2] - b[:, 0], 0, None) * np.clip(b[:, 3] - b[:, 1], 0, None) for b in (first, second)]
    union = area[0][:, None] + area[1][None, :] - shared
    ratio: FloatArray = shared / np.maximum(union, np.finfo(np.float32).tiny)
    return ratio
