"""The window stage: time, not frames; no window without enough real sight."""

from collections.abc import Iterable

import numpy as np
import pytest

from pipelines.stream.actions.window import WindowStage
from pipelines.stream.config import WindowConfig
from pipelines.types import NotAssessableReason, Poses, Window, Withheld
from tests.fakes import poses_at, poses_of, waving_keypoints

WINDOW_S, RATE_HZ = 2.0, 15.0


def stage(config: WindowConfig | None = None) -> WindowStage:
    return WindowStage(config or WindowConfig(), WINDOW_S, RATE_HZ)


def run(frames: Iterable[Poses], using: WindowStage | None = None) -> tuple[list[Window], list[Withheld]]:
    window = using or stage()
    batches = [window(poses) for poses in frames]
    return (
        [item for batch in batches for item in batch.ready],
        [item for batch in batches for item in batch.withheld],
    )


@pytest.mark.parametrize("rate_hz", [8, 15, 25, 29.97, 30, 60, 240])
def test_window_holds_the_same_movement_at_every_frame_rate(rate_hz: float) -> None:
    ready, _ = run(poses_at(rate_hz, seconds=4))

    last = ready[-1]
    times = last.end_s - WINDOW_S + (np.arange(30) + 1) / RATE_HZ
    truth = np.stack([waving_keypoints(time_s) for time_s in times])
    assert last.valid.all()
    assert np.abs(last.keypoints - truth).max() < 2.5  # px of a swing of 25: what linear interpolation at 8 Hz loses


@pytest.mark.parametrize("rate_hz", [8, 15, 25, 30])
def test_window_ends_on_the_same_grid_at_every_frame_rate(rate_hz: float) -> None:
    ready, _ = run(poses_at(rate_hz, seconds=4))

    ends = [round(window.end_s, 6) for window in ready]
    assert ends == [round(0.2 * tick, 6) for tick in range(round(ends[0] / 0.2), 21)]


def test_window_is_float32_in_pixels_with_the_frame_size() -> None:
    ready, _ = run(poses_at(30, seconds=3))

    assert ready[0].keypoints.shape == (30, 17, 3)
    assert ready[0].keypoints.dtype == np.float32
    assert ready[0].size_wh == (640, 480)


def test_window_warms_up_until_half_a_window_was_really_seen() -> None:
    ready, withheld = run(poses_at(30, seconds=3))

    assert {item.status for item in withheld} == {"warming_up"}
    assert [round(item.time_s, 6) for item in withheld] == [0.2, 0.4, 0.6, 0.8]
    assert round(ready[0].end_s, 6) == 1.0


def test_window_marks_what_lies_before_the_first_sight_as_invalid() -> None:
    ready, _ = run(poses_at(30, seconds=3))

    assert not ready[0].valid[:14].any()
    assert ready[0].valid[15:].all()
    assert not ready[0].keypoints[~ready[0].valid].any()


def test_window_interpolates_a_short_gap() -> None:
    frames = [poses for poses in poses_at(30, seconds=4) if not 3.0 < poses.time_s < 3.4]

    ready, withheld = run(frames)

    assert ready[-1].valid.all()
    assert all(item.status == "warming_up" for item in withheld)


def test_window_leaves_a_long_gap_empty() -> None:
    away = [poses_of(p.time_s, people={}) if 2.5 < p.time_s < 3.2 else p for p in poses_at(30, seconds=3.6)]

    ready, _ = run(away)

    samples = ready[-1].end_s - WINDOW_S + (np.arange(30) + 1) / RATE_HZ
    inside = (samples > 2.6) & (samples < 3.1)
    assert not ready[-1].valid[inside].any()
    assert ready[-1].valid[~inside].sum() >= 20


def test_window_gives_nothing_for_a_person_out_of_sight() -> None:
    seen = list(poses_at(30, seconds=3))
    unseen = [poses_of(3 + tick / 30, people={}) for tick in range(1, 20)]

    window = stage()
    run(seen, window)
    ready, withheld = run(unseen, window)

    assert not ready
    assert not withheld


def test_window_says_occluded_after_most_of_it_was_missed() -> None:
    blinks = [poses_of(p.time_s, people={}) if p.time_s % 1.0 > 0.25 else p for p in poses_at(30, seconds=6)]

    ready, withheld = run(blinks)

    late = [item for item in withheld if item.time_s > 3]
    assert not ready
    assert {(item.status, item.reason) for item in late} == {("not_assessable", "occluded")}


@pytest.mark.parametrize("rate_hz", [0.1, 1, 4])
def test_window_says_low_fps_when_frames_are_too_far_apart(rate_hz: float) -> None:
    ready, withheld = run(poses_at(rate_hz, seconds=40))

    assert not ready
    assert {(item.status, item.reason) for item in withheld} == {("not_assessable", "low_fps")}


def test_window_says_low_fps_after_the_source_stalled() -> None:
    stalled = [p for p in poses_at(30, seconds=6) if not 4.0 < p.time_s < 5.15]

    _, withheld = run(stalled)

    assert {item.reason for item in withheld if item.time_s > 4} == {"low_fps"}


@pytest.mark.parametrize("reason", ["occluded", "too_small", "edge_of_frame", "identity_uncertain"])
def test_window_takes_the_reason_that_most_observations_carry(reason: NotAssessableReason) -> None:
    flagged = [poses_of(p.time_s, reasons={1: reason} if p.time_s > 1.5 else {}) for p in poses_at(15, seconds=4)]

    ready, withheld = run(flagged)

    assert ready[0].end_s == pytest.approx(1.0)
    assert (withheld[-1].status, withheld[-1].reason) == ("not_assessable", reason)


def test_window_keeps_people_apart() -> None:
    frames = [poses_of(p.time_s, people={1: waving_keypoints(p.time_s), 7: waving_keypoints(p.time_s, (100, 200))})
              for p in poses_at(15, seconds=3)]  # fmt: skip

    ready, _ = run(frames)

    last = {window.track_id: window for window in ready}
    assert last.keys() == {1, 7}
    assert last[1].keypoints[-1, 0, 0] == pytest.approx(320, abs=1)
    assert last[7].keypoints[-1, 0, 0] == pytest.approx(100, abs=1)


def test_window_starts_anew_for_a_track_that_ended() -> None:
    window = stage()
    run(poses_at(15, seconds=3), window)

    window(poses_of(3.1, people={}, ended=((1, "left"),)))
    ready, withheld = run(poses_at(15, seconds=0.8, start_s=3.2), window)

    assert not ready
    assert {item.status for item in withheld} == {"warming_up"}


def test_window_gives_nothing_for_one_frame() -> None:
    ready, withheld = run([poses_of(0.0)])

    assert not ready
    assert not withheld


def test_window_judges_only_the_latest_tick_after_a_jump() -> None:
    window = stage(WindowConfig(max_gap_s=2.0))
    run(poses_at(15, seconds=3), window)

    batch = window(poses_of(3.9))

    assert [round(item.end_s, 6) for item in batch.ready] == [3.8]


def test_window_does_not_mix_a_hidden_joint_with_a_seen_one() -> None:
    def half_hidden(time_s: float) -> Poses:
        keypoints = waving_keypoints(time_s)
        if round(time_s * 8) % 2:
            keypoints[10] = (0.0, 0.0, 0.05)
        return poses_of(time_s, people={1: keypoints})

    ready, _ = run(half_hidden(p.time_s) for p in poses_at(8, seconds=4))

    wrist = ready[-1].keypoints[:, 10]
    assert (wrist[wrist[:, 2] >= 0.3, 0] > 250).all()
