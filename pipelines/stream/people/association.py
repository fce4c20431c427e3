"""Which detected box belongs to which track: ByteTrack's two stages on box motion and pose similarity.

Zhang et al., ByteTrack: Multi-Object Tracking by Associating Every Detection Box (ECCV 2022). Strong boxes are given
out first, then weak ones to the tracks that got none; those on trial choose last. Joints vote too: of two
boxes that overlap a person the one that holds the joints wins, so that a box around the legs alone does not take a body
over. The pieces into which a detector tears a lying body count together.
"""

from dataclasses import dataclass

import lap
import numpy as np

from models.arrays import BoolArray, FloatArray
from pipelines.stream.people.boxes import areas, cover_matrix, intersections, iou_matrix, overlap, unite
from pipelines.types import Boxes

_JOINTS_WEIGHT = 0.5  # of the similarity, where joints are known
_SCORE_WEIGHT = 0.1  # breaks ties
_FORBIDDEN_COST = 10.0  # more than all that a forbidden pair could free for others
_PIECE_COVER = 0.6  # share of a piece inside the expected body
_MISSING_COVER = 0.6  # a missing person may have changed shape: a box that holds what was expected counts this much

_MISSING_SIZE = 0.5  # of the expected longer side: a smaller box does not find a missing person


@dataclass(frozen=True, slots=True)
class Expected:
    """What the tracks should look like in this frame.

    xyxy:       (N, 4) expected boxes, source-frame pixels.
    keypoints:  (N, V, 3) last joints moved along with the boxes; score 0 throughout where none are known.
    is_missing: (N,) bool. is_shown: (N,) bool, False while on trial.
    """

    xyxy: FloatArray
    keypoints: FloatArray
    is_missing: BoolArray
    is_shown: BoolArray


def associate(expected: Expected, boxes: Boxes, high_score: float, min_match: float) -> dict[int, int]:
    """Pairs track row → box row; strong boxes (`high_score` and more) first, then the others.

    min_match: least overlap, 0..1, of a pair.
    """
    similarity, is_allowed = _similarity(expected, boxes, min_match)
    is_high = boxes.score >= high_score
    pairs: dict[int, int] = {}
    for group in (expected.is_shown, ~expected.is_shown):
        for kind in (is_high, ~is_high):
            free_rows, free_columns = group.copy(), kind.copy()
            free_rows[list(pairs)] = False
            free_columns[list(pairs.values())] = False
            pairs |= assign(similarity, is_allowed & free_rows[:, None] & free_columns[None])
    return pairs


def gather_pieces(expected: FloatArray, pieces: Boxes, min_match: float) -> Boxes | None:
    """One box around the weak boxes that lie within one expected box (4,); None where they do not make it up."""
    if not len(pieces):
        return None
    within = cover_matrix(pieces.xyxy, expected[None])[:, 0] > _PIECE_COVER
    if not within.any():
        return None
    whole = unite(pieces.xyxy[within])
    if overlap(whole, expected) <= min_match:
        return None
    return Boxes(whole[None], pieces.score[within].max(keepdims=True))


def joints_inside(keypoints: FloatArray, xyxy: FloatArray) -> FloatArray:
    """Share of each track's joints, weighed by score, inside each box: (N, V, 3) and (M, 4) give (N, M), 0..1."""
    x, y, score = (keypoints[:, None, :, channel] for channel in range(3))
    left, top, right, bottom = (xyxy[None, :, None, side] for side in range(4))
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    return np.asarray((inside * score).sum(-1) / np.maximum(score.sum(-1), 1e-6), np.float32)


def _similarity(expected: Expected, boxes: Boxes, min_match: float) -> tuple[FloatArray, BoolArray]:
    match = iou_matrix(expected.xyxy, boxes.xyxy)
    smaller = np.minimum(areas(expected.xyxy)[:, None], areas(boxes.xyxy)[None])
    cover = intersections(expected.xyxy, boxes.xyxy) / np.maximum(smaller, 1e-6)
    is_whole = _sides(boxes.xyxy)[None] > _MISSING_SIZE * _sides(expected.xyxy)[:, None]
    may_differ = expected.is_missing[:, None] & is_whole
    match = np.where(may_differ, np.maximum(match, _MISSING_COVER * cover), match)
    joints = joints_inside(expected.keypoints, boxes.xyxy)
    weight = np.where(expected.keypoints[:, :, 2].any(axis=1), _JOINTS_WEIGHT, 0.0)[:, None]
    similarity = (1 - weight) * match + weight * joints + _SCORE_WEIGHT * boxes.score[None]
    return np.asarray(similarity, np.float32), np.asarray(match > min_match, bool)


def _sides(xyxy: FloatArray) -> FloatArray:
    return np.asarray((xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, initial=0), np.float32)


def assign(similarity: FloatArray, is_allowed: BoolArray) -> dict[int, int]:
    """The pairs of highest total similarity among the allowed ones."""
    if not is_allowed.any():
        return {}
    cost = np.where(is_allowed, -similarity.astype(np.float64), _FORBIDDEN_COST)
    columns, _ = lap.lapjv(cost, extend_cost=True, return_cost=False)  # a row without a partner has column -1
    return {row: int(column) for row, column in enumerate(columns) if column >= 0 and is_allowed[row, column]}
