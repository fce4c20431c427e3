"""Which way round a body lies: rotations are tried when it is new or the evidence is bad, never on every frame.

A landmark network draws a body along its region's axis, so a rotation that is wrong by 90 degrees stays wrong by
itself; only an explicit test of others turns it back. Choosing anew on every frame would flip.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.detector import DetectedPeople
from models.runtime.pose import crop_region
from models.skeleton.layouts import Layout
from pipelines.stream.people.boxes import iou_matrix, longer_side, square_region, turned
from pipelines.stream.people.pose_hypothesis import EstimatePoses, PoseHypothesis, estimate
from pipelines.stream.people.region import on_grid

DetectPeople = Callable[[Sequence[Image]], list[DetectedPeople]]

QUARTERS = (0.0, np.pi / 2, -np.pi / 2, np.pi)
_CROP = 1.3  # of a landmark region's side: the detector wants some surroundings
_CROP_PX = 320
_MIDDLE = np.array([[60, 60, 260, 260]], np.float32)  # where the body itself lies in that crop
_MIN_OVERLAP = 0.15
_MIN_SIZE, _MAX_SIZE = 0.6, 1.7
_UPRIGHT_WEIGHT = 6.0
_TALL = 1.2
_KEEP_WEIGHT = 1.5  # of selection score, as much as a rotation must win by while the body is in sight
_SAME_TURN = float(np.pi / 4)


@dataclass(frozen=True, slots=True)
class Trial:
    """Regions to try for one track.

    row: the track's row in this frame. box: (4,) its detected box, if any, that speaks for what overlaps it.
    size_px: the body's longer side so far: a guess of very different size saw a part, or somebody else.
    to_beat: selection score that the best must reach; -inf for a new body.
    min_visibility: mean visibility that the best must reach: presence alone is high for wrong rotations too.
    bonus: one number per region, added to its selection score.
    """

    row: int
    regions: tuple[FloatArray, ...]
    box: FloatArray | None
    size_px: float | None = None
    to_beat: float = -np.inf
    min_visibility: float = 0.0
    bonus: tuple[float, ...] = ()


def start_regions(box: FloatArray, score: float, upright_score: float) -> tuple[FloatArray, ...]:
    """The regions in which a new body is looked for: upright alone when the detector is sure, else all quarters."""
    width, height = box[2] - box[0], box[3] - box[1]
    is_upright = score >= upright_score and height > _TALL * width
    return tuple(square_region(box, angle) for angle in (QUARTERS[:1] if is_upright else QUARTERS))


def other_regions(present: PoseHypothesis, box: FloatArray | None, recheck_evidence: float) -> tuple[FloatArray, ...]:
    """The regions that might explain a followed body better; none when nothing speaks against the present ones."""
    found: list[FloatArray] = []
    if present.evidence < recheck_evidence:
        found += [turned(present.region, angle) for angle in QUARTERS[1:]]
    if box is not None and present.is_lying:
        found.append(square_region(box))
    if box is not None and not present.is_lying and box[2] - box[0] > 1.1 * (box[3] - box[1]):
        found += [square_region(box, angle) for angle in QUARTERS[1:3]]
    return tuple(found)


def keep_bonus(regions: Sequence[FloatArray], present: FloatArray) -> tuple[float, ...]:
    """What speaks for looking for a lost body the way round that it was last seen: a number per region.

    present: (4,) the region in which it was last seen. The evidence of a small or half hidden body is nearly the same
    for several rotations; without this, the last bit decides whether somebody stands on their head.
    """
    return tuple(_KEEP_WEIGHT if _turn_between(region, present) < _SAME_TURN else 0.0 for region in regions)


def _turn_between(first: FloatArray, second: FloatArray) -> float:
    return abs((float(first[3] - second[3]) + np.pi) % (2 * np.pi) - np.pi)


def run_trials(
    estimator: EstimatePoses, image: Image, trials: Sequence[Trial], layout: Layout
) -> dict[int, PoseHypothesis]:
    """The best hypothesis of each trial that reaches what it must beat, by row; two calls of the network in all.

    Each region is refined once: the second pass looks at the region of the grid nearest to what the first one predicts.
    """
    regions = [region for trial in trials for region in trial.regions]
    first = estimate(estimator, image, regions, layout)
    second = estimate(estimator, image, [on_grid(guess.next_region) for guess in first], layout)
    best: dict[int, PoseHypothesis] = {}
    start = 0
    for trial in trials:
        guesses = second[start : start + len(trial.regions)]
        start += len(trial.regions)
        bonus = trial.bonus or (0.0,) * len(guesses)
        scores = [_score(guess, trial) + extra for guess, extra in zip(guesses, bonus, strict=True)]
        winner = int(np.argmax(scores))
        if np.isfinite(scores[winner]) and scores[winner] >= trial.to_beat:
            best[trial.row] = guesses[winner]
    return best


def _score(guess: PoseHypothesis, trial: Trial) -> float:
    if guess.visibility < trial.min_visibility:
        return -np.inf
    if trial.size_px is not None and not _MIN_SIZE < longer_side(guess.xyxy) / trial.size_px < _MAX_SIZE:
        return -np.inf
    return guess.selection(trial.box)


def upright_bonus(detect: DetectPeople, image: Image, box: FloatArray) -> tuple[float, ...]:
    """How upright a person the detector sees in the box turned by each of `QUARTERS`: 0..6 each.

    The detector was trained on upright people, so its score tells the right rotation when presence does not.
    """
    region = square_region(box) * np.array([1, 1, _CROP, 1], np.float32)
    views = [crop_region(image, turned(region, angle), (_CROP_PX, _CROP_PX)) for angle in QUARTERS]
    return tuple(_UPRIGHT_WEIGHT * _best_score(people) for people in detect(views))


def _best_score(people: DetectedPeople) -> float:
    near = iou_matrix(people.xyxy, _MIDDLE)[:, 0] > _MIN_OVERLAP
    return float(people.score[near].max(initial=0.0))
