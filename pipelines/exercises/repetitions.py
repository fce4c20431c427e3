"""Counts repetitions of an exercise from one person's joints; says so where it cannot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from models.arrays import FloatArray
from pipelines.exercises.angles import Joints
from pipelines.exercises.signals import CATALOG, Exercise, ExerciseName

_SEEN_SHARE = 0.6
_RATE_MIN_HZ = 8.0
_GAP_S = 0.5
_FEW = 5


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition; media seconds. turn_s: of its lowest or highest point. swing: how far it went."""

    start_s: float
    turn_s: float
    end_s: float
    swing: float


@dataclass(frozen=True, slots=True)
class Repetitions:
    """What one person did of one exercise.

    status: `not_assessable` where too little was seen to count; reason then says why, and nothing is counted.
    curve: (T,) float64 at the seconds `time_s`, in lengths of the body; NaN where the joints were not seen.
    """

    exercise: ExerciseName
    status: Literal["assessed", "not_assessable"]
    reason: Literal["joints_unseen", "low_fps", "too_short"] | None
    repetitions: tuple[Repetition, ...]
    time_s: FloatArray
    curve: FloatArray

    @property
    def count(self) -> int | None:
        """How many there were; None where it cannot be told."""
        return len(self.repetitions) if self.status == "assessed" else None


def count_repetitions(exercise: ExerciseName, time_s: FloatArray, keypoints: FloatArray, layout: str) -> Repetitions:
    """Count one exercise of one person.

    time_s: (T,) media seconds, growing. keypoints: (T, V, 3) float32, pixels and score, in the order of `layout`.
    """
    rule = CATALOG[exercise]
    if len(time_s) < _FEW:
        return _unassessed(exercise, "too_short", time_s, np.full(len(time_s), np.nan))
    curve = rule.signal(Joints(keypoints, layout))
    seen = np.isfinite(curve)
    if seen.mean() < _SEEN_SHARE:
        return _unassessed(exercise, "joints_unseen", time_s, curve)
    if 1.0 / float(np.median(np.diff(time_s))) < _RATE_MIN_HZ:
        return _unassessed(exercise, "low_fps", time_s, curve)
    curve = _smoothed(time_s, curve, rule.smooth_s)
    found = [one for piece in _pieces(time_s, curve) for one in _repetitions(rule, *piece)]
    return Repetitions(exercise, "assessed", None, tuple(found), time_s, curve)


def turning_points(values: FloatArray, swing: float) -> list[tuple[int, bool]]:
    """Where (T,) values turn: (index, whether it is a high), lows and highs in turn, each at least `swing` apart.

    The first and the last one are the outermost points that were reached before the first and after the last turn.
    """
    turns: list[tuple[int, bool]] = []
    low = high = 0
    for at, value in enumerate(values):
        low, high = (at if value < values[low] else low), (at if value > values[high] else high)
        may_fall, may_rise = not turns or not turns[-1][1], not turns or turns[-1][1]
        if may_fall and values[high] - value >= swing:
            turns.append((high, True))
            low = at
        elif may_rise and value - values[low] >= swing:
            turns.append((low, False))
            high = at
    if turns:
        turns.append((low, False) if turns[-1][1] else (high, True))
    return turns


def _repetitions(rule: Exercise, time_s: FloatArray, values: FloatArray) -> Iterator[Repetition]:
    points = turning_points(values, rule.swing)
    if rule.turn == "rise":
        yield from _rises(rule, time_s, values, points)
        return
    is_wanted_high = rule.turn == "high"
    for (first, _), (at, is_high), (last, _) in zip(points, points[1:], points[2:], strict=False):
        sides = (float(values[first]), float(values[last]))
        low, high = (max(sides), float(values[at])) if is_wanted_high else (float(values[at]), min(sides))
        is_far = low <= rule.low_max and high >= rule.high_min
        if is_high == is_wanted_high and is_far and rule.min_s <= time_s[last] - time_s[first] <= rule.max_s:
            yield _one(time_s, (first, at, last), high - low)


def _rises(
    rule: Exercise, time_s: FloatArray, values: FloatArray, points: Sequence[tuple[int, bool]]
) -> Iterator[Repetition]:
    for (first, is_high), (last, _) in pairwise(points):
        low, high, span_s = values[first], values[last], time_s[last] - time_s[first]
        if not is_high and low <= rule.low_max and high >= rule.high_min and span_s >= rule.min_s:
            yield _one(time_s, (first, last, last), float(high - low))


def _one(time_s: FloatArray, points: tuple[int, int, int], swing: float) -> Repetition:
    start_s, turn_s, end_s = (float(time_s[at]) for at in points)
    return Repetition(start_s, turn_s, end_s, round(swing, 3))


def _pieces(time_s: FloatArray, curve: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """The stretches in which the joints were seen without a gap that is too long to look past."""
    rows = np.flatnonzero(np.isfinite(curve))
    cuts = np.flatnonzero(np.diff(time_s[rows]) > _GAP_S) + 1
    for piece in np.split(rows, cuts):
        if len(piece) >= _FEW:
            yield time_s[piece], curve[piece]


def _smoothed(time_s: FloatArray, curve: FloatArray, span_s: float) -> FloatArray:
    """The median of three, then the mean over a span, of what was seen."""
    seen = np.flatnonzero(np.isfinite(curve))
    values = curve[seen]
    if len(values) > 2:
        inner = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
        values = np.concatenate([values[:1], inner, values[-1:]]) if span_s else values
    times = time_s[seen]
    low = np.searchsorted(times, times - span_s / 2, side="left")
    high = np.searchsorted(times, times + span_s / 2, side="right")
    total = np.concatenate([[0.0], np.cumsum(values)])
    out = np.full(len(curve), np.nan)
    out[seen] = (total[high] - total[low]) / (high - low)
    return out


def _unassessed(
    exercise: ExerciseName,
    reason: Literal["joints_unseen", "low_fps", "too_short"],
    time_s: FloatArray,
    curve: FloatArray,
) -> Repetitions:
    return Repetitions(exercise, "not_assessable", reason, (), time_s, curve)
