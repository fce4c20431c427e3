"""Detectors as OpenMMLab's deployment tools export them, with the non-maximum suppression inside.

RTMDet (Lyu et al., 2022) and YOLOX (Ge et al., 2021) differ only in how the picture is normalised, which the registry
entry says. Their suppression takes one picture at a time, so the graph is cut before it, and it is done here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from models.arrays import AnyArray, Image
from models.runtime.cut_session import CutSession
from models.runtime.detector import DetectedPeople, people
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import InputContract

PERSON = 0
"""COCO's class number of a person, and the only one of networks that know nothing else."""


class OpenMMLabDetector:
    """People from the boxes and scores of every anchor, or from what is left of them where the graph could not be cut.

    Of the latter, `dets` (B, N, 5), boxes in input pixels with score, and `labels` (B, N).
    """

    def __init__(self, contract: InputContract, cut: CutSession, long_side: int | None = None) -> None:
        if not cut.is_cut:
            cut.session.require_output("dets", "labels")
            contract = replace(contract, max_batch=1)
        self._cut = cut
        self._network = PictureNetwork(contract, cut.session, long_side)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            xyxy, score, label = self._cut.kept(row) if self._cut.is_cut else _own(row)
            mine = label == PERSON
            answers[index] = people(box.to_source(xyxy[mine]), score[mine])
        return answers


def _own(row: Mapping[str, AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Boxes, scores and labels as the network itself gives them."""
    return row["dets"][:, :4], row["dets"][:, 4], row["labels"]
