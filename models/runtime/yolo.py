"""YOLO11 and YOLO26 (Ultralytics) as exported to ONNX: boxes for every anchor, or at most 300 without suppression.

Read as rows: YOLO11 gives (B, 4 + K, N), centre, size and class scores, and leaves suppression to us; YOLO26 gives
(B, 300, 6), corners, score and class, one row per object. Pose networks add 17 x (x, y, visibility) to each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.detector import SCORE_FLOOR, DetectedPeople, nms, people
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import InputContract

_MAX_IOU = 0.7  # Ultralytics' default
_PERSON = 0
_END_TO_END_ROWS = 300


@dataclass(frozen=True, slots=True)
class YoloRows:
    """People in one picture, best first, in input pixels.

    xyxy: (N, 4). score: (N,). extra: (N, E), what follows the score and class in each row.
    """

    xyxy: FloatArray
    score: FloatArray
    extra: FloatArray


class YOLODetector:
    """People by a YOLO11 or YOLO26 detection network."""

    def __init__(self, contract: InputContract, session: Session, long_side: int | None = None) -> None:
        self._output = require_rows(session)
        self._network = PictureNetwork(contract, session, long_side)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            rows = decode_rows(row[self._output], num_extra=0)
            answers[index] = people(box.to_source(rows.xyxy), rows.score)
        return answers


def require_rows(session: Session) -> str:
    """The name of the only output, (B, R, C). Raises ContractMismatch when there are others."""
    if len(session.outputs) != 1 or len(session.outputs[0].shape) != 3:
        found = [(spec.name, spec.shape) for spec in session.outputs]
        raise ContractMismatch(f"{session.path.name}: found outputs {found}, expected one of (B, R, C)")
    return session.outputs[0].name


def decode_rows(raw: AnyArray, num_extra: int) -> YoloRows:
    """People from one picture's output; `num_extra` numbers per row belong to no class.

    Raises ContractMismatch when the shape is neither kind's.
    """
    if raw.shape == (_END_TO_END_ROWS, 6 + num_extra):
        return _end_to_end(raw)
    if raw.shape[0] > 4 + num_extra:
        return _anchors(raw.T, num_extra)
    raise ContractMismatch(
        f"YOLO: found output {raw.shape}, expected (300, {6 + num_extra}) or at least {5 + num_extra} rows"
    )


def _end_to_end(rows: AnyArray) -> YoloRows:
    rows = rows[(rows[:, 4] >= SCORE_FLOOR) & (rows[:, 5] == _PERSON)]
    rows = rows[np.argsort(-rows[:, 4], kind="stable")]
    return YoloRows(rows[:, :4], rows[:, 4], rows[:, 6:])


def _anchors(rows: AnyArray, num_extra: int) -> YoloRows:
    """A row is a person when that is its best class: as Ultralytics reads it, and a dog is then no weak person."""
    classes = rows[:, 4 : rows.shape[1] - num_extra]
    rows = rows[(classes[:, _PERSON] >= SCORE_FLOOR) & (classes.argmax(axis=1) == _PERSON)]
    half = rows[:, 2:4] / 2
    xyxy = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
    kept = nms(xyxy, rows[:, 4 + _PERSON], _MAX_IOU)
    return YoloRows(xyxy[kept], rows[kept, 4 + _PERSON], rows[kept, rows.shape[1] - num_extra :])
