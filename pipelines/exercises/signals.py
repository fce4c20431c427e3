"""What of a body goes up and down in an exercise, in lengths of that body, so that neither distance nor view counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from models.arrays import FloatArray
from pipelines.exercises.angles import Joints

ExerciseName = Literal["squat", "sit_to_stand", "arm_raise", "jump"]
EXERCISES: tuple[ExerciseName, ...] = get_args(ExerciseName)

_STANDING_SHARE = 90  # percentile of a length that stands for the stretched limb
_LEG_OF_TORSO = 1.55  # a leg from hip to ankle, in torsos; where the legs were never stretched


@dataclass(frozen=True, slots=True)
class Exercise:
    """How an exercise is counted.

    signal: joints → (T,) float64, see there. turn: where one repetition lies: around a low or a high,
    or on its way up. swing: least change of the signal that counts. low_max, high_min: how low, how high it must come.
    min_s, max_s: seconds between the turning points on both sides.
    """

    signal: Callable[[Joints], FloatArray]
    turn: Literal["low", "high", "rise"]
    swing: float
    low_max: float
    high_min: float
    min_s: float
    max_s: float
    smooth_s: float = 0.2


def hip_height(joints: Joints) -> FloatArray:
    """Height of the hips above the ankles in lengths of a leg: 1 while standing, less on a chair and in a squat.

    The vertical alone counts, so that a squat seen from the front is one too, though knees hardly bend in the picture.
    """
    hips, ankles = _middle(joints, "hip"), _middle(joints, "ankle")
    legs = _fmax([np.hypot(*(joints.at(f"{side}_hip") - joints.at(f"{side}_ankle")).T) for side in ("left", "right")])
    torso = np.hypot(*(_middle(joints, "shoulder") - hips).T)
    leg_px = np.fmax(_stretched(legs), 0.75 * _LEG_OF_TORSO * _stretched(torso))
    return np.asarray((ankles[:, 1] - hips[:, 1]) / leg_px)


def hand_height(joints: Joints) -> FloatArray:
    """Height of the higher wrist above its shoulder in lengths of an arm: -1 hanging, 1 stretched upwards."""
    heights = []
    for side in ("left", "right"):
        shoulder, elbow, wrist = (joints.at(f"{side}_{part}") for part in ("shoulder", "elbow", "wrist"))
        arm = np.hypot(*(elbow - shoulder).T) + np.hypot(*(wrist - elbow).T)
        heights.append((shoulder[:, 1] - wrist[:, 1]) / _stretched(arm))
    return _fmax(heights)


def body_height(joints: Joints) -> FloatArray:
    """How far the shoulders and hips are above their usual place, in lengths of the torso."""
    shoulders, hips = _middle(joints, "shoulder"), _middle(joints, "hip")
    torso = _stretched(np.hypot(*(shoulders - hips).T))
    trunk = (shoulders[:, 1] + hips[:, 1]) / 2
    seen = trunk[np.isfinite(trunk)]
    usual = float(np.median(seen)) if len(seen) else np.nan
    return np.asarray((usual - trunk) / torso)


CATALOG: Mapping[ExerciseName, Exercise] = {
    "squat": Exercise(hip_height, "low", 0.22, 0.78, 0.70, 0.5, 15.0),
    "sit_to_stand": Exercise(hip_height, "rise", 0.22, 0.68, 0.75, 0.2, 10.0),
    "arm_raise": Exercise(hand_height, "high", 0.8, -0.2, 0.2, 0.4, 15.0),
    "jump": Exercise(body_height, "high", 0.12, np.inf, -np.inf, 0.15, 1.5, smooth_s=0.0),
}


def _middle(joints: Joints, part: str) -> FloatArray:
    """Between left and right; the one that was seen where only one was."""
    both = np.stack([joints.at(f"left_{part}"), joints.at(f"right_{part}")])
    count = np.isfinite(both).sum(axis=0)
    return np.asarray(np.where(count > 0, np.nansum(both, axis=0) / np.maximum(count, 1), np.nan))


def _stretched(lengths: FloatArray) -> float:
    """A length that changes with the posture, when it is longest; NaN where it was never seen."""
    seen = lengths[np.isfinite(lengths)]
    return float(np.percentile(seen, _STANDING_SHARE)) if len(seen) else np.nan


def _fmax(rows: list[FloatArray]) -> FloatArray:
    return np.asarray(np.fmax(*rows))
