"""BlazePose's own detector, made for the most prominent person: those found are painted over and it is asked again."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.detector import (
    SCORE_FLOOR,
    DetectedPeople,
    Letterbox,
    letterbox_into,
    nms,
    people,
)
from models.runtime.pictures import DEVICE_MAX_BATCH
from models.runtime.pose import sigmoid
from models.runtime.session import Session

_SIDE = 224
_GRIDS = ((28, 2), (14, 2), (7, 6))  # cells per side, anchors per cell: 2254 in all
_MAX_LOGIT = 100.0
_MAX_IOU = 0.3
_FOUND_SCORE = 0.5
"""From here on a box is a person, who is painted over before the next question."""
_MAX_QUESTIONS = 6
_HALF_WIDTH = 0.3
"""A body's width over its length: overlaps best with RTMDet's boxes on 24 frames of eight clips (mean IoU 0.62)."""


@dataclass(frozen=True, slots=True)
class _Bodies:
    """People as the network says them: hip centre and a point at the end of the body, (N, 2) canvas pixels."""

    hip: FloatArray
    end: FloatArray
    score: FloatArray

    def take(self, index: AnyArray) -> "_Bodies":
        return _Bodies(self.hip[index], self.end[index], self.score[index])

    def corners(self) -> FloatArray:
        """(N, 4, 2): the body's upright or turned rectangle."""
        along = self.end - self.hip
        across = np.stack([-along[:, 1], along[:, 0]], axis=1) * np.float32(_HALF_WIDTH)
        sides = [self.hip + u * along + v * across for u, v in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
        return np.stack(sides, axis=1).astype(np.float32)

    def xyxy(self) -> FloatArray:
        """(N, 4): upright boxes around the rectangles."""
        corners = self.corners()
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


class BlazePoseDetector:
    """People by BlazePose's detector, input (B, 3, 224, 224) RGB in -1..1."""

    def __init__(self, session: Session) -> None:
        session.require_output("boxes", "scores")
        session.declare(max_batch=DEVICE_MAX_BATCH)
        self._session = session
        self._anchors = anchor_centres()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return (self._session,)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture, asked up to six times while a new person turns up."""
        boxes = [letterbox_into(image, (_SIDE, _SIDE), fill=0) for image in images]
        found: list[list[_Bodies]] = [[] for _ in boxes]
        open_indexes = list(range(len(boxes)))
        for _ in range(_MAX_QUESTIONS):
            if not open_indexes:
                break
            answers = self._run([boxes[index].canvas for index in open_indexes])
            for index, bodies in zip(open_indexes, answers, strict=True):
                found[index].append(bodies)
                _paint_over(boxes[index].canvas, bodies)
            open_indexes = [
                index
                for index, bodies in zip(open_indexes, answers, strict=True)
                if (bodies.score >= _FOUND_SCORE).any()
            ]
        return [_people(box, bodies) for box, bodies in zip(boxes, found, strict=True)]

    def _run(self, canvases: Sequence[Image]) -> list[_Bodies]:
        batch = cv2.dnn.blobFromImages(canvases, scalefactor=1 / 127.5, mean=(127.5, 127.5, 127.5), swapRB=True)
        outputs = self._session.run({"image": batch})
        return [self._decode(*pair) for pair in zip(outputs["boxes"], outputs["scores"][:, :, 0], strict=True)]

    def _decode(self, raw: AnyArray, logit: AnyArray) -> _Bodies:
        """Bodies after non-maximum suppression; of the box's numbers only the first two key points are used."""
        score = sigmoid(np.clip(logit, -_MAX_LOGIT, _MAX_LOGIT))
        near = np.flatnonzero(score >= SCORE_FLOOR)
        centre = self._anchors[near]
        bodies = _Bodies(raw[near, 4:6] + centre, raw[near, 6:8] + centre, score[near])
        return bodies.take(nms(bodies.xyxy(), bodies.score, _MAX_IOU))


def anchor_centres() -> FloatArray:
    """(2254, 2) float32: x and y of each anchor's cell centre, in pixels of the 224 x 224 input, in output order."""
    grids = []
    for cells, repeats in _GRIDS:
        axis = (np.arange(cells, dtype=np.float32) + 0.5) * (_SIDE / cells)
        y, x = np.meshgrid(axis, axis, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _paint_over(canvas: Image, bodies: _Bodies) -> None:
    """Fill found people with the picture's mean colour, so that the next question is about somebody else."""
    colour = tuple(float(value) for value in canvas.reshape(-1, 3).mean(axis=0))
    for corners in bodies.take(bodies.score >= _FOUND_SCORE).corners():
        cv2.fillConvexPoly(canvas, np.round(corners).astype(np.int32), colour)


def _people(box: Letterbox, answers: Sequence[_Bodies]) -> DetectedPeople:
    """All answers for one picture as boxes, each person once."""
    if not answers:
        return DetectedPeople.empty()
    xyxy = np.concatenate([bodies.xyxy() for bodies in answers])
    score = np.concatenate([bodies.score for bodies in answers])
    kept = nms(xyxy, score, _MAX_IOU)
    return people(box.to_source(xyxy[kept]), score[kept])
