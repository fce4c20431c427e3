"""The values of training data: sequences of joints, and sets of them with classes, splits, layout and rate."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from models.arrays import AnyArray, FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.description import SetDescription

COCO17_JOINTS = 17


@dataclass(frozen=True, slots=True)
class Annotation:
    """One sequence of joints.

    name:     unique within its set (PYSKL's `frame_dir`).
    label:    index into the set's classes; -1 where the sequence carries a label per frame instead, or none.
    keypoint: (M, T, V, D) float32, D is 2 or 3.
    score:    (M, T, V) float32, 0..1; where the set gives none 1, and 0 in frames in which the person is all zeros.
    shape_hw: height and width of the picture in pixels, None where unknown.
    extra:    whatever else the set says of it: subject, view, video, frame_label, ...
    """

    name: str
    label: int
    keypoint: FloatArray
    score: FloatArray
    shape_hw: tuple[int, int] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkeletonSet:
    """Sequences with their classes and official splits.

    splits:      split name → names of sequences.
    to_coco17:   for each COCO-17 joint its index in the source's layout, or None.
    rate_hz:     frames per second of the sequences, None where the file does not say.
    meta:        licence, source, notes: all that describes the set as a whole.
    layout:      name of the joints' order in models/skeleton/layouts.py, None where it is none of those or not known.
    description: what its user says of it beside the file.
    notes:       what the reader took for granted or left out, one sentence each.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    annotations: tuple[Annotation, ...]
    to_coco17: tuple[int | None, ...] | None = None
    rate_hz: float | None = None
    meta: Mapping[str, object] = field(default_factory=dict)
    layout: str | None = None
    description: SetDescription = field(default_factory=SetDescription)
    notes: tuple[str, ...] = ()

    @property
    def dim(self) -> int | None:
        """Coordinates per joint, 2 or 3; None for a set without sequences."""
        return self.annotations[0].keypoint.shape[-1] if self.annotations else None

    @property
    def num_joints(self) -> int | None:
        """Joints per person; None for a set without sequences."""
        return self.annotations[0].keypoint.shape[2] if self.annotations else None

    @property
    def num_persons(self) -> int:
        """People in the sequence that has most of them."""
        return max((annotation.keypoint.shape[0] for annotation in self.annotations), default=0)


def usual_score(keypoint: FloatArray) -> FloatArray:
    """(M, T, V) scores of joints that come without: 1, and 0 in frames in which the person is all zeros."""
    is_there = (keypoint != 0).any(axis=(2, 3))
    return np.broadcast_to(is_there[..., None], keypoint.shape[:3]).astype(np.float32)


def to_coco17(skeletons: SkeletonSet, annotation: Annotation) -> tuple[FloatArray, FloatArray]:
    """(M, T, 17, D) joints and (M, T, 17) scores in COCO-17 order; a joint the set lacks has score 0."""
    if skeletons.to_coco17 is None:
        raise DatasetInvalid(f"{skeletons.name}: neither a layout nor `to_coco17`, so its joints cannot be mapped")
    source = [index for index in skeletons.to_coco17 if index is not None]
    target = [joint for joint, index in enumerate(skeletons.to_coco17) if index is not None]
    M, T, _, D = annotation.keypoint.shape
    keypoint, score = np.zeros((M, T, 17, D), np.float32), np.zeros((M, T, 17), np.float32)
    keypoint[:, :, target] = annotation.keypoint[:, :, source]
    score[:, :, target] = annotation.score[:, :, source]
    return keypoint, score


def select(skeletons: SkeletonSet, names: Iterable[str]) -> list[Annotation]:
    """The sequences of those names, in the order of the set."""
    wanted = set(names)
    return [annotation for annotation in skeletons.annotations if annotation.name in wanted]


def frame_labels(annotation: Annotation) -> AnyArray | None:
    """(T,) int64 label per frame where the set gives one, else None."""
    value = annotation.extra.get("frame_label")
    return None if value is None else np.asarray(cast("AnyArray", value), np.int64)
