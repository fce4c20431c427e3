"""Detectors of OpenMMLab: as its deployment tools export them, with the suppression inside, or without it.

RTMDet (Lyu et al., 2022) and YOLOX (Ge et al., 2021) differ only in how the picture is normalised, which the registry
entry says.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from models.arrays import AnyArray, Image
from models.runtime.detector import DetectedPeople, Letterbox, nms, people, score_floor
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import ModelSpec

_MAX_IOU = 0.65  # of RTMDet's test configuration


class OpenMMLabDetector:
    """People from the outputs `dets` (B, N, 5), boxes in input pixels with score, and `labels` (B, N).

    A file without suppression gives `boxes` (B, N, 4) and `scores` (B, N) of people, one row per place of the grid.
    """

    def __init__(self, spec: ModelSpec, session: Session, long_side: int | None = None) -> None:
        self._is_raw = {"boxes", "scores"} <= {output.name for output in session.outputs}
        session.require_output(*(("boxes", "scores") if self._is_raw else ("dets", "labels")))
        self._person = spec.person_class
        self._min_score = score_floor(spec)
        self._max_iou = spec.number("iou_threshold", _MAX_IOU)
        self._network = PictureNetwork(spec.input, session, long_side)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            answers[index] = self._suppress(box, row) if self._is_raw else self._decode(box, row)
        return answers

    def _decode(self, box: Letterbox, row: Mapping[str, AnyArray]) -> DetectedPeople:
        found = row["dets"][(row["labels"] == self._person) & (row["dets"][:, 4] >= self._min_score)]
        return people(box.to_source(found[:, :4]), found[:, 4])

    def _suppress(self, box: Letterbox, row: Mapping[str, AnyArray]) -> DetectedPeople:
        near = np.flatnonzero(row["scores"] >= self._min_score)
        height, width = box.canvas.shape[:2]
        xyxy = np.clip(row["boxes"][near], 0, np.array([width, height, width, height], np.float32))  # as mmdet does
        score = row["scores"][near]
        kept = nms(xyxy, score, self._max_iou)
        return people(box.to_source(xyxy[kept]), score[kept])
