"""Repetitions are counted whatever the view, the distance and the rate, and not at all where they cannot be seen."""

from pathlib import Path

import numpy as np
import pytest

import actogram
from models.arrays import FloatArray
from models.skeleton.layouts import COCO17
from pipelines.exercises.angles import ANGLES, joint_angles
from pipelines.exercises.repetitions import count_repetitions, turning_points
from pipelines.exercises.signals import EXERCISES, ExerciseName

HZ = 15.0
ROW = {name: row for row, name in enumerate(COCO17.joints)}


def body(depth: float, arms_deg: float = 0.0, lift: float = 0.0, *, side_view: bool = False) -> FloatArray:
    """(17, 3) float32: somebody whose leg is 200 px long.

    depth: 0 stands, 1 sits on the heels. arms_deg: 0 hanging, 180 straight up. lift: pixels above the floor.
    """
    bend = np.radians(75 * depth)  # of the thigh and the shin, out of the vertical
    knee_y, hip_y = 400 - 100 * np.cos(bend * 0.5), 400 - 100 * np.cos(bend * 0.5) - 100 * np.cos(bend)
    forward = 100 * np.sin(bend) if side_view else 0.0
    points = np.ones((17, 3), np.float32)
    for side, out in (("left", 1), ("right", -1)):
        x = 300 + (5 if side_view else 30) * out
        places = {
            "ankle": (x, 400), "knee": (x + forward * 0.5, knee_y), "hip": (x - forward * 0.5, hip_y),
            "shoulder": (x, hip_y - 130), "ear": (x, hip_y - 170), "eye": (x, hip_y - 175),
            "elbow": (x + 60 * np.sin(np.radians(arms_deg)) * out, hip_y - 130 + 60 * np.cos(np.radians(arms_deg))),
            "wrist": (x + 120 * np.sin(np.radians(arms_deg)) * out, hip_y - 130 + 120 * np.cos(np.radians(arms_deg))),
        }  # fmt: skip
        for part, place in places.items():
            points[ROW[f"{side}_{part}"], :2] = place
    points[ROW["nose"], :2] = (300, hip_y - 170)
    points[:, 1] -= lift
    return points


def wave(seconds: float, cycles: float, hz: float = HZ) -> tuple[FloatArray, FloatArray]:
    """Times, and 0 → 1 → 0 so many times over."""
    time_s = np.arange(0.0, seconds, 1 / hz, dtype=np.float32)
    return time_s, np.asarray((1 - np.cos(2 * np.pi * cycles * time_s / seconds)) / 2, np.float32)


def squats(
    seconds: float = 9.0, cycles: float = 3, hz: float = HZ, *, side_view: bool = False
) -> tuple[FloatArray, FloatArray]:
    time_s, depth = wave(seconds, cycles, hz)
    return time_s, np.stack([body(one, side_view=side_view) for one in depth])


def noisy(points: FloatArray, sigma: float) -> FloatArray:
    out = points.copy()
    out[..., :2] += np.random.default_rng(3).normal(0, sigma, out[..., :2].shape)
    return out


@pytest.mark.parametrize("side_view", [False, True], ids=["from the front", "from the side"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("hz", [10.0, 15.0, 30.0])
def test_squats_are_counted_from_any_side_at_any_distance(side_view: bool, scale: float, hz: float) -> None:
    time_s, points = squats(hz=hz, side_view=side_view)
    points = noisy(points, 3.0)
    points[..., :2] *= scale

    found = count_repetitions("squat", time_s, points, "coco17")

    assert found.count == 3
    assert [one.turn_s for one in found.repetitions] == pytest.approx([1.5, 4.5, 7.5], abs=0.3)


def test_standing_up_is_counted_once_for_each_rise() -> None:
    time_s, down = wave(8.0, 2)

    found = count_repetitions("sit_to_stand", time_s, np.stack([body(1 - one) for one in down]), "coco17")

    assert found.count == 2


def test_arms_are_counted_one_or_both() -> None:
    time_s, up = wave(8.0, 4)
    both = np.stack([body(0.0, 170 * one) for one in up])
    one_arm = both.copy()
    one_arm[:, [ROW["left_elbow"], ROW["left_wrist"]]] = body(0.0)[[ROW["left_elbow"], ROW["left_wrist"]]]

    counts = [count_repetitions("arm_raise", time_s, points, "coco17").count for points in (both, one_arm)]

    assert counts == [4, 4]


def test_jumps_are_counted() -> None:
    time_s, up = wave(5.0, 10)

    found = count_repetitions("jump", time_s, np.stack([body(0.0, lift=40 * one) for one in up]), "coco17")

    assert found.count in (9, 10)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_somebody_who_stands_still_does_nothing(exercise: ExerciseName) -> None:
    time_s, _ = wave(8.0, 2)
    points = noisy(np.stack([body(0.0)] * len(time_s)), 2.0)

    found = count_repetitions(exercise, time_s, points, "coco17")

    assert found.count == 0


def test_half_a_squat_and_a_bow_are_none() -> None:
    time_s, depth = wave(6.0, 2)
    shallow = np.stack([body(0.25 * one) for one in depth])
    cut_off = squats(4.0, 1.5)

    assert count_repetitions("squat", time_s, shallow, "coco17").count == 0
    assert count_repetitions("squat", *cut_off, "coco17").count == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param("legs", "joints_unseen", id="the legs are not seen"),
        pytest.param("rate", "low_fps", id="five pictures a second"),
        pytest.param("short", "too_short", id="four pictures"),
    ],
)
def test_what_cannot_be_seen_is_not_counted(change: str, reason: str) -> None:
    time_s, points = squats(hz=5.0 if change == "rate" else HZ)
    if change == "legs":
        points[:, [ROW["left_ankle"], ROW["right_ankle"]], 2] = 0.1
    if change == "short":
        time_s, points = time_s[:4], points[:4]

    found = count_repetitions("squat", time_s, points, "coco17")

    assert (found.status, found.reason, found.count) == ("not_assessable", reason, None)


def test_gap_in_the_middle_is_not_counted_across() -> None:
    time_s, points = squats(9.0, 3)
    is_kept = (time_s < 1.4) | (time_s > 3.2)

    found = count_repetitions("squat", time_s[is_kept], points[is_kept], "coco17")

    assert found.count == 2


def test_nobody_does_nothing() -> None:
    found = count_repetitions("squat", np.zeros(0, np.float32), np.zeros((0, 17, 3), np.float32), "coco17")

    assert (found.count, found.reason) == (None, "too_short")


def test_turning_points_alternate_and_ignore_what_is_small() -> None:
    values = np.array([0, 0.1, 0, 1, 0.9, 1.1, 0.2, 0.3, 0.1, 1.0], np.float32)

    found = turning_points(values, 0.5)

    assert found == [(0, False), (5, True), (8, False), (9, True)]
    assert turning_points(np.zeros(5, np.float32), 0.5) == []


def test_angles_are_those_of_the_limbs() -> None:
    straight, bent = body(0.0), body(1.0, side_view=True)

    angles = joint_angles(np.stack([straight, bent]), "coco17")

    assert set(angles) == set(ANGLES)
    assert angles["left_knee"][0] == pytest.approx(180, abs=1)
    assert angles["left_knee"][1] < 100
    assert angles["left_elbow"][0] == pytest.approx(180, abs=1)


def test_angle_of_joints_that_were_not_seen_is_nan() -> None:
    points = body(0.0)[None].copy()
    points[0, ROW["left_ankle"], 2] = 0.0

    angles = joint_angles(points, "coco17")

    assert np.isnan(angles["left_knee"][0])
    assert np.isfinite(angles["right_knee"][0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "exercise", "count"),
    [
        # Counted by eye, picture by picture.
        pytest.param("video2/gmdcsa_s3_adl07.mp4", "squat", 2, id="two squats"),
        pytest.param("video2/gmdcsa_s3_adl07.mp4", "arm_raise", 0, id="no arm is raised"),
        pytest.param("video/upfall_a9_t1_c1.mp4", "jump", 0, id="picks something up"),
    ],
)
def test_real_repetitions_are_as_many_as_were_counted_by_eye(
    data_dir: Path, weights_dir: Path, name: str, exercise: ExerciseName, count: int
) -> None:
    assert weights_dir.is_dir()

    found = actogram.analyze(data_dir / name).repetitions(exercise)

    longest = max(found.values(), key=lambda one: len(one.time_s))
    assert longest.count == count
