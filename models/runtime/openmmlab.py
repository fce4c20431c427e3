"""Detectors of OpenMMLab: as its deployment tools export them, with the suppression inside, or without it.

RTMDet (Lyu et al., 2022) and YOLOX (Ge et al., 2021) differ only in how the picture is normalised, which the registry
entry says. Their suppression takes one picture at a time, so the graph is cut before it, and it is done here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.arrays import AnyArray, Image
from models.runtime.cut_session import CutSession, gives_every_box
from models.runtime.detector import DetectedPeople, Letterbox, nms, people, score_floor
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import ModelSpec

_MAX_IOU = 0.65  # of RTMDet's test configuration


class OpenMMLabDetector:
    """People from the boxes and scores of every anchor, or from what is left of them where the graph could not be cut.

    Of the latter, `dets` (B, N, 5), boxes in input pixels with score, and `labels` (B, N). A file without suppression
    gives `boxes` (B, N, 4) and `scores` (B, N) of people, one row per place of the grid.
    """

    def __init__(self, spec: ModelSpec, cut: CutSession, long_side: int | None = None) -> None:
        contract, self._is_raw = spec.input, not cut.is_cut and gives_every_box(cut.session)
        if not cut.is_cut and not self._is_raw:
            cut.session.require_output("dets", "labels")
            contract = replace(contract, max_batch=1)
        self._cut = cut
        self._person = spec.person_class
        self._min_score = score_floor(spec)
        self._max_iou = spec.number("iou_threshold", _MAX_IOU)
        self._network = PictureNetwork(contract, cut.session, long_side)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            answers[index] = self._suppress(box, row) if self._is_raw else self._read(box, row)
        return answers

    def _read(self, box: Letterbox, row: Mapping[str, AnyArray]) -> DetectedPeople:
        xyxy, score, label = self._cut.kept(row) if self._cut.is_cut else _own(row)
        mine = (label == self._person) & (score >= self._min_score)
        return people(box.to_source(xyxy[mine]), score[mine])

    def _suppress(self, box: Letterbox, row: Mapping[str, AnyArray]) -> DetectedPeople:
        near = np.flatnonzero(row["scores"] >= self._min_score)
        height, width = box.canvas.shape[:2]
        xyxy = np.clip(row["boxes"][near], 0, np.array([width, height, width, height], np.float32))  # as mmdet does
        score = row["scores"][near]
        kept = nms(xyxy, score, self._max_iou)
        return people(box.to_source(xyxy[kept]), score[kept])


def _own(row: Mapping[str, AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Boxes, scores and labels as the network itself gives them."""
    return row["dets"][:, :4], row["dets"][:, 4], row["labels"]
