"""Detectors as OpenMMLab's deployment tools export them, with the non-maximum suppression inside.

RTMDet (Lyu et al., 2022) and YOLOX (Ge et al., 2021) differ only in how the picture is normalised, which the registry
entry says.
"""

from collections.abc import Sequence

from models.arrays import AnyArray, Image
from models.runtime.detector import DetectedPeople, Letterbox, people
from models.runtime.pictures import PictureNetwork
from models.runtime.session import Session
from models.weights.registry import InputContract

PERSON = 0
"""COCO's class number of a person, and the only one of networks that know nothing else."""


class OpenMMLabDetector:
    """People from the outputs `dets` (B, N, 5), boxes in input pixels with score, and `labels` (B, N)."""

    def __init__(self, contract: InputContract, session: Session, long_side: int | None = None) -> None:
        session.require_output("dets", "labels")
        self._network = PictureNetwork(contract, session, long_side)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture; pictures whose letterboxes have one shape share a batch."""
        answers = [DetectedPeople.empty()] * len(images)
        for index, box, row in self._network.iter_answers(images):
            answers[index] = _decode(box, row["dets"], row["labels"])
        return answers


def _decode(box: Letterbox, dets: AnyArray, labels: AnyArray) -> DetectedPeople:
    found = dets[labels == PERSON]
    return people(box.to_source(found[:, :4]), found[:, 4])
