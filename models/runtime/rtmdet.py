"""RTMDet (Lyu et al., 2022) as OpenMMLab's deployment tools export it, with the non-maximum suppression inside."""

from collections.abc import Sequence

import numpy as np

from models.arrays import AnyArray, Image
from models.registry import ModelSpec
from models.runtime.detector import (
    DetectedPeople,
    Letterbox,
    group_by_shape,
    letterbox,
    normalise_tables,
    people,
    planes,
)
from models.runtime.session import Session

PERSON = 0
"""COCO's class number of a person; the only one of the person networks."""


class RTMDetDetector:
    """People by RTMDet: input (B, 3, H, W) normalised BGR, outputs `dets` (B, N, 5) and `labels` (B, N)."""

    def __init__(self, spec: ModelSpec, session: Session, long_side: int) -> None:
        session.require_output("dets", "labels")
        self._session = session
        self._long_side = long_side
        self._input = session.inputs[0].name
        self._tables = normalise_tables(spec.input.mean, spec.input.std)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        boxes = [letterbox(image, self._long_side) for image in images]
        answers = [DetectedPeople.empty()] * len(boxes)
        for indexes in group_by_shape([box.canvas for box in boxes]).values():
            found = self._run([boxes[index] for index in indexes])
            for index, answer in zip(indexes, found, strict=True):
                answers[index] = answer
        return answers

    def _run(self, boxes: Sequence[Letterbox]) -> list[DetectedPeople]:
        batch = np.stack([planes(box.canvas, self._tables) for box in boxes])
        outputs = self._session.run({self._input: batch})
        return [
            _decode(box, dets, labels)
            for box, dets, labels in zip(boxes, outputs["dets"], outputs["labels"], strict=True)
        ]


def _decode(box: Letterbox, dets: AnyArray, labels: AnyArray) -> DetectedPeople:
    found = dets[labels == PERSON]
    return people(box.to_source(found[:, :4]), found[:, 4])
