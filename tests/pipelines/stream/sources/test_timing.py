"""Clocks of sources: media time always grows, whatever the timestamps do; and pauses grow with jitter."""

import random

import pytest

from pipelines.stream.sources.retries import SourceRetries
from pipelines.stream.sources.status import LiveOptions
from pipelines.stream.sources.timing import LiveClock, MediaClock, Moment, Pacer, PlayedClock, RateGate


@pytest.mark.parametrize(
    ("start_s", "pts_s", "expected"),
    [
        pytest.param(0.0, [0.0, 0.1, 0.2], [0.0, 0.1, 0.2], id="plain"),
        pytest.param(5.0, [5.0, 5.1], [0.0, 0.1], id="starts later"),
        pytest.param(0.0, [0.5, 0.6], [0.5, 0.6], id="picture after sound"),
        pytest.param(1.0, [0.9, 1.0], [0.0, 0.1], id="before the declared start"),
        pytest.param(None, [7.0, 7.5], [0.0, 0.5], id="no declared start"),
        pytest.param(0.0, [None, None, None], [0.0, 0.04, 0.08], id="no timestamps"),
        pytest.param(0.0, [0.0, None, 0.2], [0.0, 0.04, 0.2], id="some missing"),
        pytest.param(0.0, [0.0, 0.2, 0.1, 0.3], [0.0, 0.2, None, 0.3], id="out of order"),
        pytest.param(0.0, [0.0, 0.1, 0.1, 0.2], [0.0, 0.1, None, 0.2], id="twice"),
        pytest.param(0.0, [0.0, 60.0, 120.0], [0.0, 60.0, 120.0], id="far apart"),
    ],
)
def test_media_clock_grows(start_s: float | None, pts_s: list[float | None], expected: list[float | None]) -> None:
    clock = MediaClock(start_s, step_s=0.04)

    moments = [clock.at(each) for each in pts_s]

    times_s = [None if moment is None else moment.time_s for moment in moments]
    assert times_s == [None if each is None else pytest.approx(each) for each in expected]
    assert not any(moment.is_jump for moment in moments if moment is not None)


@pytest.mark.parametrize(
    ("pts_s", "expected", "jump"),
    [
        pytest.param([0.0, 9.0, 1.0, 1.1], [0.0, 9.0, 10.0, 10.1], 2, id="timeline starts again"),
        pytest.param([0.0, 0.04, 95_000.0, 95_000.04], [0.0, 0.04, 1.04, 1.08], 2, id="set forward by a day"),
        pytest.param([0.0, 0.1, 1.7e9, 1.7e9 + 0.1], [0.0, 0.1, 1.1, 1.2], 2, id="from 1970 to now"),
        pytest.param([1.7e9, 1.7e9 + 0.1, 0.0, 0.1], [0.0, 0.1, 1.1, 1.2], 2, id="from now to 1970"),
        pytest.param([0.0, 0.2, 0.4, 0.1, 0.3, 0.5], [0.0, 0.2, 0.4, None, 1.4, 1.6], 4, id="overlap"),
    ],
)
def test_media_clock_leaves_a_second_where_the_timeline_breaks(
    pts_s: list[float], expected: list[float | None], jump: int
) -> None:
    clock = MediaClock(None, step_s=0.04)

    moments = [clock.at(each) for each in pts_s]

    times_s = [None if moment is None else moment.time_s for moment in moments]
    assert times_s == [None if each is None else pytest.approx(each, abs=1e-5) for each in expected]
    assert [index for index, moment in enumerate(moments) if moment is not None and moment.is_jump] == [jump]


def test_media_clock_keeps_the_length_of_a_gap() -> None:
    clock = MediaClock(0.0, step_s=0.04)

    moments = [clock.at(each) for each in (0.0, 0.04, 3600.0)]

    assert moments[-1] == Moment(3600.0)


def test_media_clock_goes_on_when_every_picture_has_the_same_timestamp() -> None:
    clock = MediaClock(None, step_s=0.04)

    moments = [clock.at(5.0) for _ in range(5)]

    times_s = [moment.time_s for moment in moments if moment is not None]
    assert times_s == pytest.approx([0.0, 0.04, 0.08, 0.12])


@pytest.mark.parametrize("rate_hz", [10.0, 30.0])
def test_rate_gate_keeps_every_picture_of_a_rounded_clock_at_its_own_rate(rate_hz: float) -> None:
    gate = RateGate(rate_hz)

    assert all(gate.admits(round(i / rate_hz, 3)) for i in range(300))


def test_rate_gate_keeps_everything_without_a_rate() -> None:
    gate = RateGate(None)

    assert all(gate.admits(each) for each in (0.0, 0.0, 0.001))


def play(clock: LiveClock, num: int, fps: float, wall_s: float, pts_s: float, skew: float = 1.0) -> list[float]:
    """Pictures whose camera clock runs `skew` times as fast as the wall clock."""
    moments = [clock.at(pts_s + i / fps * skew, wall_s + i / fps) for i in range(num)]
    return [moment.time_s for moment in moments if moment is not None]


def test_live_clock_follows_the_cameras_timestamps_and_not_the_networks_jitter() -> None:
    clock = LiveClock()
    jitter = random.Random(0)

    moments = [clock.at(500.0 + i / 10, 1000.0 + i / 10 + jitter.uniform(0, 0.3)) for i in range(50)]

    times_s = [moment.time_s for moment in moments if moment is not None]
    assert times_s == pytest.approx([i / 10 for i in range(50)])


def test_live_clock_goes_on_by_the_wall_clock_across_a_reconnect() -> None:
    clock = LiveClock()
    play(clock, 10, 10, wall_s=100.0, pts_s=0.0)

    clock.reconnect()
    times_s = play(clock, 3, 10, wall_s=160.0, pts_s=7.0)

    assert times_s == pytest.approx([60.0, 60.1, 60.2])


@pytest.mark.parametrize("jump_s", [-400.0, 400.0, 1e6])
def test_live_clock_survives_a_break_in_the_timestamps(jump_s: float) -> None:
    clock = LiveClock()
    play(clock, 10, 10, wall_s=100.0, pts_s=1000.0)

    times_s = play(clock, 10, 10, wall_s=101.0, pts_s=1001.0 + jump_s)

    assert times_s == pytest.approx([1.0 + i / 10 for i in range(10)], abs=0.01)


@pytest.mark.parametrize("skew", [0.999, 1.001])
def test_live_clock_stays_near_the_wall_clock_when_the_camera_drifts(skew: float) -> None:
    clock = LiveClock()

    times_s = play(clock, 36_000, 5, wall_s=100.0, pts_s=0.0, skew=skew)

    assert len(times_s) == 36_000
    assert times_s == sorted(set(times_s))
    assert times_s[-1] == pytest.approx(7200.0, abs=2.0)


def test_live_clock_takes_arrival_times_when_there_are_no_others() -> None:
    clock = LiveClock()

    moments = [clock.at(None, each) for each in (50.0, 50.2, 50.2, 51.0)]

    assert [moment and moment.time_s for moment in moments] == [0.0, pytest.approx(0.2), None, 1.0]


def test_live_clock_begins_a_new_line_when_segments_overlap() -> None:
    clock = LiveClock()

    moments = [clock.at(pts_s, 100.0 + i / 10) for i, pts_s in enumerate((0.0, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3))]

    assert [moment and moment.is_jump for moment in moments] == [False] * 4 + [None, True, False]
    assert [moment.time_s for moment in moments if moment is not None][-2:] == pytest.approx([0.5, 0.6])


def test_played_clock_gives_the_times_of_the_file() -> None:
    played, file = PlayedClock(), MediaClock(0.0, step_s=0.04)
    stamps_s = (0.0, 0.1, 0.2, 8.0, 0.0, 0.1, 0.05, 0.2, 1e6)

    assert [played.at(pts_s, 50.0) for pts_s in stamps_s] == [file.at(pts_s) for pts_s in stamps_s]


def test_played_clock_goes_on_by_the_wall_clock_when_the_file_begins_again() -> None:
    clock = PlayedClock()
    clock.at(0.0, 50.0)
    clock.at(4.0, 54.0)

    clock.reconnect()

    assert clock.at(0.0, 55.0) == Moment(5.0)


def test_live_clock_gives_a_packet_the_time_of_its_picture() -> None:
    clock = LiveClock()
    assert clock.of(500.0) is None

    clock.at(500.0, 1000.0)

    assert clock.of(500.5) == pytest.approx(0.5)


def test_pacer_plays_a_burst_at_its_own_pace() -> None:
    pacer = Pacer()

    waits_s = [pacer.wait_s(pts_s=i / 10, now_s=50.0) for i in range(4)]

    assert waits_s == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_pacer_does_not_hurry_after_a_late_picture() -> None:
    pacer = Pacer()
    pacer.wait_s(0.0, now_s=0.0)

    assert pacer.wait_s(0.1, now_s=5.0) == 0.0
    assert pacer.wait_s(0.2, now_s=5.0) == pytest.approx(0.1)


def test_pacer_starts_again_after_a_break() -> None:
    pacer = Pacer(max_wait_s=10.0)
    pacer.wait_s(0.0, now_s=0.0)

    assert pacer.wait_s(9999.0, now_s=0.1) == 0.0
    assert pacer.wait_s(9999.5, now_s=0.1) == pytest.approx(0.5)


def pauses_s(code: str, num: int, options: LiveOptions) -> list[float]:
    retries = SourceRetries(options, random.Random(3))
    pauses = []
    for _ in range(num):
        retries.note(code)
        pauses.append(retries.pause_s())
    return pauses


def test_pause_before_a_source_is_tried_grows_to_the_longest_with_jitter() -> None:
    options = LiveOptions(backoff_first_s=0.25, backoff_max_s=2.5)

    pauses = pauses_s("connection_failed", 40, options)

    for pause, full in zip(pauses, [0.25, 0.5, 1.0, 2.0] + [2.5] * 36, strict=True):
        assert full / 2 <= pause <= full
    assert len(set(pauses)) == 40


def test_pause_is_long_when_the_login_is_refused() -> None:
    pauses = pauses_s("auth_failed", 20, LiveOptions(backoff_max_s=2.5, auth_backoff_s=60.0))

    assert max(pauses[:3]) <= 2.5
    assert min(pauses[-5:]) >= 30.0


def test_pause_begins_anew_after_a_success() -> None:
    retries = SourceRetries(LiveOptions(backoff_first_s=0.25), random.Random(3))
    for _ in range(10):
        retries.note("timeout")

    retries.reset()
    retries.note("timeout")

    assert retries.pause_s() <= 0.25


@pytest.mark.parametrize(("code", "is_sure"), [("not_found", True), ("auth_failed", True), ("timeout", False)])
def test_refusal_of_a_source_is_certain_after_the_third(code: str, is_sure: bool) -> None:
    retries = SourceRetries(LiveOptions(), random.Random(3))

    assert [retries.note(code) for _ in range(3)] == [False, False, is_sure]
