"""YOLO11 and YOLO26 (Ultralytics) as exported to ONNX: boxes for every anchor, or at most 300 without suppression.

Read as rows: most give (B, 4 + K, N), centre, size and class scores, and leave suppression to us; end-to-end heads give
(B, 300, 6), corners, score and class, one row per object. Pose networks add 17 x (x, y, visibility) to each row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.detector import SCORE_FLOOR, DetectedPeople, nms, people, score_floor
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import ModelSpec

_MAX_IOU = 0.7  # Ultralytics' default
_END_TO_END_ROWS = 300


@dataclass(frozen=True, slots=True)
class YoloRows:
    """People in one picture, best first, in input pixels.

    xyxy: (N, 4). score: (N,). extra: (N, E), what follows the score and class in each row.
    """

    xyxy: FloatArray
    score: FloatArray
    extra: FloatArray


@dataclass(frozen=True, slots=True)
class RowReader:
    """How one network's rows are read.

    person: its class number. max_iou: overlap from which the weaker of two boxes goes. num_extra: numbers per row that
    belong to no class. is_end_to_end: one row per object; None leaves it to the shape. min_score: of a box.
    """

    person: int = 0
    max_iou: float = _MAX_IOU
    num_extra: int = 0
    is_end_to_end: bool | None = None
    min_score: float = SCORE_FLOOR

    @staticmethod
    def of(spec: ModelSpec, num_extra: int = 0) -> "RowReader":
        """What a network's entry says of its rows."""
        told = spec.decode.get("end_to_end")
        max_iou = spec.number("iou_threshold", _MAX_IOU)
        ends = None if told is None else bool(told)
        return RowReader(spec.person_class, max_iou, num_extra, ends, score_floor(spec))

    def __call__(self, raw: AnyArray) -> YoloRows:
        """People from one picture's output. Raises ContractMismatch when the shape is neither kind's."""
        width = 6 + self.num_extra
        ends = raw.shape == (_END_TO_END_ROWS, width) if self.is_end_to_end is None else self.is_end_to_end
        if ends and raw.shape[1] == width:
            return self._end_to_end(raw)
        if not ends and raw.shape[0] > 4 + self.num_extra + self.person:
            return self._anchors(raw.T)
        raise ContractMismatch(
            f"YOLO: found output {raw.shape}, expected (300, {width}) or at least {5 + self.num_extra} rows"
        )

    def _end_to_end(self, rows: AnyArray) -> YoloRows:
        rows = rows[(rows[:, 4] >= self.min_score) & (rows[:, 5] == self.person)]
        rows = rows[np.argsort(-rows[:, 4], kind="stable")]
        return YoloRows(rows[:, :4], rows[:, 4], rows[:, 6:])

    def _anchors(self, rows: AnyArray) -> YoloRows:
        """A row is a person when that is its best class: as Ultralytics reads it, and a dog is then no weak person."""
        classes = rows[:, 4 : rows.shape[1] - self.num_extra]
        rows = rows[(classes[:, self.person] >= self.min_score) & (classes.argmax(axis=1) == self.person)]
        half = rows[:, 2:4] / 2
        xyxy = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
        score = rows[:, 4 + self.person]
        kept = nms(xyxy, score, self.max_iou)
        return YoloRows(xyxy[kept], score[kept], rows[kept, rows.shape[1] - self.num_extra :])


class YOLODetector:
    """People by a YOLO11 or YOLO26 detection network."""

    def __init__(self, spec: ModelSpec, session: Session, long_side: int | None = None) -> None:
        self._output = require_rows(session)
        self._read = RowReader.of(spec)
        self._network = PictureNetwork(spec.input, session, long_side, is_centred=True)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            rows = self._read(row[self._output])
            answers[index] = people(box.to_source(rows.xyxy), rows.score)
        return answers


def require_rows(session: Session) -> str:
    """The name of the only output, (B, R, C). Raises ContractMismatch when there are others."""
    if len(session.outputs) != 1 or len(session.outputs[0].shape) != 3:
        found = [(spec.name, spec.shape) for spec in session.outputs]
        raise ContractMismatch(f"{session.path.name}: found outputs {found}, expected one of (B, R, C)")
    return session.outputs[0].name
