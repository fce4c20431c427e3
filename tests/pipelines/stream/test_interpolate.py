"""Enough of a file's pictures are analysed, and people's joints in those between are interpolated."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.arrays import FloatArray
from pipelines.stream.interpolate import results
from pipelines.types import Frame, FrameResult, Poses

PICTURE = np.zeros((4, 4, 3), np.uint8)


def frames_at(times_s: Sequence[float]) -> list[Frame]:
    return [Frame(index, time_s, PICTURE) for index, time_s in enumerate(times_s)]


class Stages:
    """Everybody walks to the right at 100 pixels a second, person 2 while it is told; notes what it was given."""

    def __init__(self, second: tuple[float, float] = (0.1, 99.0)) -> None:
        self.second = second
        self.seen: list[int] = []

    def __call__(self, frame: Frame) -> FrameResult:
        self.seen.append(frame.index)
        is_second_there = self.second[0] <= frame.time_s <= self.second[1]
        track_ids = [1, 2] if is_second_there else [1]
        num = len(track_ids)
        boxes = np.full((num, 4), 100 * frame.time_s, np.float32)
        poses = Poses(
            frame.index, frame.time_s, (640, 480), np.array(track_ids), joints(frame.time_s, num),
            boxes, np.ones(num, np.float32), (None,) * num, ended=((9, "left"),),
        )  # fmt: skip
        return FrameResult(frame, poses, (), (), latency_ms={"pose": 1.0})


def joints(time_s: float, num: int = 1) -> FloatArray:
    return np.full((num, 17, 3), 100 * time_s, np.float32)


def regular(rate_hz: float, num: int = 12) -> list[float]:
    return [index / rate_hz for index in range(num)]


@pytest.mark.parametrize(
    ("times_s", "analysed"),
    [
        pytest.param(regular(30), [0, 2, 4, 6, 8, 10, 11], id="30 a second: every second, and the last"),
        pytest.param(regular(28), [0, 2, 4, 6, 8, 10, 11], id="28 a second: every second"),
        pytest.param(regular(60), [0, 4, 8, 11], id="60 a second: every fourth"),
        pytest.param(regular(25), list(range(12)), id="25 a second: all"),
        pytest.param(regular(8), list(range(12)), id="8 a second: all"),
        pytest.param([0, 0.03, 0.06, 0.5, 0.53, 0.56, 0.6], [0, 2, 3, 5, 6], id="variable: no gap grows"),
        pytest.param([5, 5.03, 5.06, 0, 0.03, 0.06], [0, 2, 3, 5], id="time jumps back"),
        pytest.param([1, 1, 1, 1], [0, 3], id="time stands still"),
        pytest.param([0.0], [0], id="one picture"),
        pytest.param([], [], id="none"),
    ],
)
def test_frames_are_left_out_where_the_next_comes_soon_enough(times_s: list[float], analysed: list[int]) -> None:
    stages = Stages()

    found = list(results(frames_at(times_s), stages))

    assert stages.seen == analysed
    assert [one.frame.index for one in found] == list(range(len(times_s)))
    assert [one.frame.index for one in found if not one.is_interpolated] == analysed


def test_every_frame_is_analysed_on_request() -> None:
    stages = Stages()

    list(results(frames_at(regular(60)), stages, enough_hz=None))

    assert stages.seen == list(range(12))


def test_frames_on_both_sides_of_a_break_are_analysed_and_nothing_crosses_it() -> None:
    stages = Stages()
    frames = frames_at(regular(60))
    frames[6] = replace(frames[6], break_reason="scene_cut")

    told = list(results(frames, stages))

    assert stages.seen == [0, 4, 5, 6, 10, 11]
    assert [result.frame.index for result in told] == list(range(12))


def test_joints_between_are_linear_in_time_not_in_frames() -> None:
    times_s = [0.0, 0.01, 0.05, 0.07, 0.09]

    found = list(results(frames_at(times_s), Stages()))

    for result in found:
        np.testing.assert_allclose(result.poses.keypoints, joints(result.frame.time_s), atol=1e-4)
        np.testing.assert_allclose(result.poses.xyxy, 100 * result.frame.time_s, atol=1e-4)
        assert (result.poses.frame_index, result.poses.time_s) == (result.frame.index, result.frame.time_s)


def test_nothing_new_is_said_between_two_analysed_frames() -> None:
    _, between, after = list(results(frames_at([0.07, 0.1, 0.13]), Stages()))

    assert between.poses.track_id.tolist() == [1]
    assert (between.events, between.poses.ended, between.latency_ms) == ((), (), {})
    assert after.poses.track_id.tolist() == [1, 2]
    assert after.poses.ended == ((9, "left"),)


def test_person_who_is_gone_afterwards_stays_where_they_were() -> None:
    _, between, _ = list(results(frames_at([0.07, 0.1, 0.13]), Stages(second=(0.0, 0.08))))

    assert between.poses.track_id.tolist() == [1, 2]
    np.testing.assert_array_equal(between.poses.keypoints[1], joints(0.07)[0])
    np.testing.assert_allclose(between.poses.keypoints[0], joints(0.1)[0], atol=1e-4)
