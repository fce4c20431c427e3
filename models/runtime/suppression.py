"""Non-maximum suppression as detectors' own graphs do it, for one picture."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from models.arrays import BoolArray, FloatArray, IntArray
from models.runtime.detector import SCORE_FLOOR


@dataclass(frozen=True, slots=True)
class Suppression:
    """What a graph keeps of the boxes of all anchors.

    max_iou: two boxes of one class that overlap more are one.  min_score: what a score must exceed.
    max_per_class: boxes of a class.  max_sorted: anchors that are looked at, the best; None looks at all.
    max_kept: boxes of all classes together; None keeps all.
    gate: a class whose best score in the picture is lower has no boxes; None for no such rule.
    """

    max_iou: float
    min_score: float
    max_per_class: int
    max_sorted: int | None = None
    max_kept: int | None = None
    gate: float | None = None

    def gated(self, gate: float | None) -> "Suppression":
        """The same with a gate."""
        return replace(self, gate=gate)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of one picture, best first.

    xyxy: (N, 4) as they were given. score: (N,) from SCORE_FLOOR on. label: (N,) class numbers.
    """

    xyxy: FloatArray
    score: FloatArray
    label: IntArray


def suppress(xyxy: FloatArray, scores: FloatArray, rule: Suppression) -> Kept:
    """The boxes (N, 4) of one picture with scores (N, K) that are left.

    Those under SCORE_FLOOR are left out at once: a weak box never takes the place of a stronger one.
    """
    scores = _open(scores, rule)
    near = _looked_at(scores, rule)
    xyxy, scores = xyxy[near], scores[near]
    rows = [_of_class(xyxy, column, rule) for column in scores.T]
    row = np.concatenate(rows)
    label = np.repeat(np.arange(len(rows)), [len(kept) for kept in rows])
    order = np.argsort(-scores[row, label], kind="stable")[: rule.max_kept]
    row, label = row[order], label[order]
    return Kept(xyxy[row], scores[row, label], label)


def _open(scores: FloatArray, rule: Suppression) -> FloatArray:
    """The scores of the classes whose gate is open; zeros for all others."""
    if rule.gate is None:
        return scores
    is_open = scores.max(axis=0, initial=0.0) >= np.float32(rule.gate)
    return scores if is_open.all() else scores * is_open


def _looked_at(scores: FloatArray, rule: Suppression) -> IntArray:
    """The anchors that are good enough, best first where that bounds them or decides between equals."""
    is_single = scores.shape[1] == 1
    best = scores[:, 0] if is_single else scores.max(axis=1)
    near = np.flatnonzero(_is_enough(best, rule))
    if is_single and (rule.max_sorted is None or len(near) <= rule.max_sorted):
        return near
    return near[np.argsort(-best[near], kind="stable")][: rule.max_sorted]


def _of_class(xyxy: FloatArray, score: FloatArray, rule: Suppression) -> IntArray:
    """Indexes of the boxes of one class that are left, best first."""
    mine = np.flatnonzero(_is_enough(score, rule))
    first, last = xyxy[mine, :2], xyxy[mine, 2:]
    # Graphs take corners in any order.
    xywh = np.concatenate([np.minimum(first, last), np.abs(last - first)], axis=1)
    kept = cv2.dnn.NMSBoxes(xywh, score[mine], 0.0, rule.max_iou)  # type: ignore[arg-type]
    return mine[np.asarray(kept, np.int64)[: rule.max_per_class]]


def _is_enough(score: FloatArray, rule: Suppression) -> BoolArray:
    least, floor = np.float32(rule.min_score), np.float32(SCORE_FLOOR)
    enough: BoolArray = score >= floor if least < floor else score > least
    return enough
