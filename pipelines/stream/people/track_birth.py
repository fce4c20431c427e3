"""Which unmatched boxes may start a new track."""

import numpy as np

from models.arrays import BoolArray, FloatArray
from pipelines.stream.config import TrackConfig
from pipelines.stream.people.boxes import (
    areas,
    cover_matrix,
    grow_all,
    intersections,
    iou_matrix,
    longer_sides,
    unite,
)
from pipelines.types import Boxes

_PART_SIZE = 0.6  # of a track's longer side: smaller boxes near it are its parts
_PART_COVER = 0.4  # share of a part inside the track's grown box
_PART_MARGIN = 0.2
_SAME = 0.5  # overlap of a weak box with a track from which it is the same body
_COVERED = 0.5  # share of a weak box inside a track from which it is a piece of it, however long
_PIECES = 0.3  # overlap, of the smaller one, of two weak boxes on one torn body
_MAX_REJECTED = 64


class Rejections:
    """Weak boxes that turned out to be no person: remembered for a while so that they are not tried again."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._boxes: list[tuple[float, FloatArray]] = []

    def add(self, xyxy: FloatArray, time_s: float) -> None:
        """Remember one box; the oldest goes when too many are held."""
        self._boxes = [*self._boxes, (time_s + self._keep_s, xyxy)][-_MAX_REJECTED:]

    def hold(self, xyxy: FloatArray, time_s: float) -> bool:
        """Whether a box overlaps one that was rejected not long ago."""
        self._boxes = [(until, box) for until, box in self._boxes if until > time_s]
        if not self._boxes:
            return False
        return bool((iou_matrix(xyxy[None], np.stack([box for _, box in self._boxes])) > _SAME).any())


def find_births(unmatched: Boxes, live: FloatArray, height_px: int, config: TrackConfig) -> Boxes:
    """The boxes that may be new people, largest first.

    unmatched: boxes without a track. live: (N, 4) boxes of all tracks in this frame. height_px: the picture's.
    Weak boxes are united where they overlap: the detector tears a lying body into pieces.
    """
    weak = unmatched.score < config.high_score
    xyxy, score = _unite_pieces(unmatched.xyxy[weak], unmatched.score[weak])
    xyxy = np.concatenate([unmatched.xyxy[~weak], xyxy])
    score = np.concatenate([unmatched.score[~weak], score])
    least_px = np.where(score < config.high_score, config.weak_start_height * height_px, 0)
    sides = (xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, initial=0)
    keep = (score >= config.start_score) & (sides >= least_px)
    keep &= ~_is_part(xyxy, live)
    keep &= ~(_is_same(xyxy, live) | _is_covered(xyxy, live)) | (score >= config.strong_score)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(-areas(xyxy[rows]), kind="stable")]
    return _without_doubles(Boxes(xyxy[rows], score[rows]))


def _unite_pieces(xyxy: FloatArray, score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Overlapping boxes joined into one with the best score of the group."""
    smaller = np.minimum(areas(xyxy)[:, None], areas(xyxy)[None])
    touching = intersections(xyxy, xyxy) / np.maximum(smaller, 1e-6) > _PIECES
    group = np.arange(len(xyxy))
    for row in range(len(xyxy)):
        group[(group[:, None] == group[touching[row]]).any(axis=1)] = group[row]
    kinds = [group == kind for kind in dict.fromkeys(group.tolist())]
    united = [unite(xyxy[members]) for members in kinds]
    best = [float(score[members].max()) for members in kinds]
    return np.array(united, np.float32).reshape(-1, 4), np.array(best, np.float32)


def _is_part(xyxy: FloatArray, live: FloatArray) -> BoolArray:
    """Which boxes are a limb or a half of someone already tracked."""
    is_small = longer_sides(xyxy)[:, None] < _PART_SIZE * longer_sides(live)[None]
    around = grow_all(live, _PART_MARGIN)
    return np.asarray((is_small & (cover_matrix(xyxy, around) > _PART_COVER)).any(axis=1), np.bool_)


def _is_same(xyxy: FloatArray, live: FloatArray) -> BoolArray:
    return np.asarray((iou_matrix(xyxy, live) > _SAME).any(axis=1), bool)


def _is_covered(xyxy: FloatArray, live: FloatArray) -> BoolArray:
    return np.asarray((cover_matrix(xyxy, live) > _COVERED).any(axis=1), bool)


def _without_doubles(boxes: Boxes) -> Boxes:
    """Boxes that are a part or a copy of an earlier, larger one are left out."""
    keep: list[int] = []
    for row, box in enumerate(boxes.xyxy):
        kept = boxes.xyxy[keep]
        if not _is_part(box[None], kept)[0] and not _is_same(box[None], kept)[0]:
            keep.append(row)
    return Boxes(boxes.xyxy[keep], boxes.score[keep])
