"""YOLOX (Ge et al., 2021) as its authors export it: one raw output over the whole grid, nothing decoded."""

from collections.abc import Sequence

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.detector import DetectedPeople, Letterbox, nms, people, score_floor
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import ModelSpec

_STRIDES = (8, 16, 32)
_MAX_IOU = 0.45  # the authors' value
_CLASSES = 5  # four numbers of the box, objectness, then the classes


class YOLOXDetector:
    """People from one output (B, N, 5 + K): centre and size relative to a grid cell, objectness, classes 0..1."""

    def __init__(self, spec: ModelSpec, session: Session, long_side: int | None = None) -> None:
        if len(session.outputs) != 1 or len(session.outputs[0].shape) != 3:
            found = [(output.name, output.shape) for output in session.outputs]
            raise ContractMismatch(f"{session.path.name}: found outputs {found}, expected one of (B, N, 5 + K)")
        self._network = PictureNetwork(spec.input, session, long_side)
        self._person = spec.person_class
        self._min_score = score_floor(spec)
        self._max_iou = spec.number("iou_threshold", _MAX_IOU)
        self._output = session.outputs[0].name

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            answers[index] = self._decode(box, row[self._output])
        return answers

    def _decode(self, box: Letterbox, raw: AnyArray) -> DetectedPeople:
        """Rows whose best class is a person: a dog is no weak person."""
        height, width = box.canvas.shape[:2]
        cells, stride = grid(width, height)
        if len(cells) != len(raw):
            raise ContractMismatch(f"YOLOX: found {len(raw)} rows for {width} x {height} pixels, expected {len(cells)}")
        score = raw[:, 4] * raw[:, _CLASSES + self._person]
        near = np.flatnonzero((score >= self._min_score) & (raw[:, _CLASSES:].argmax(axis=1) == self._person))
        centre = (raw[near, :2] + cells[near]) * stride[near, None]
        half = np.exp(raw[near, 2:4]) * stride[near, None] / 2
        xyxy = np.concatenate([centre - half, centre + half], axis=1)
        kept = nms(xyxy, score[near], self._max_iou)
        return people(box.to_source(xyxy[kept]), score[near][kept])


def grid(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Cell of every row, (N, 2) x and y, and its stride, (N,), in the order of the output."""
    cells, strides = [], []
    for stride in _STRIDES:
        y, x = np.meshgrid(np.arange(height // stride), np.arange(width // stride), indexing="ij")
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        strides.append(np.full(len(cells[-1]), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
