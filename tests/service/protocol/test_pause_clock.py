"""Time in which a process was held still is not counted against anybody."""

import multiprocessing
from collections import deque

import pytest

from service.protocol.messages import JobTask
from service.protocol.pause_clock import PauseClock
from service.worker.channel import Channel, MessageQueue


@pytest.mark.parametrize(
    ("ticks_s", "counted_s"),
    [
        pytest.param([1, 2, 3, 4], 4.0, id="on time"),
        pytest.param([1, 2.9, 4.8], 4.8, id="a little late each time, as on a busy machine"),
        pytest.param([1, 62, 63], 3.0, id="held for a minute"),
        pytest.param([61, 122, 123], 3.0, id="held twice"),
    ],
)
def test_clock_counts_time_awake(ticks_s: list[float], counted_s: float) -> None:
    times = iter([0.0, *ticks_s, ticks_s[-1]])
    clock = PauseClock(1.0, lambda: next(times))

    for _ in ticks_s:
        clock.tick()

    assert clock.now_s() == pytest.approx(counted_s)


def test_task_is_no_older_after_its_process_was_held_still() -> None:
    now_s = [0.0]
    clock = PauseClock(1.0, lambda: now_s[0])
    ours, _ = multiprocessing.Pipe()
    channel = Channel(JobTask("job_1", 1, "", ""), MessageQueue(ours), deque(), clock)

    for moment_s in (1.0, 2.0, 182.0):
        now_s[0] = moment_s
        clock.tick()

    assert channel.age_s == pytest.approx(3.0)


def test_task_that_hangs_in_a_process_that_runs_grows_older() -> None:
    now_s = [0.0]
    clock = PauseClock(1.0, lambda: now_s[0])
    ours, _ = multiprocessing.Pipe()
    channel = Channel(JobTask("job_1", 1, "", ""), MessageQueue(ours), deque(), clock)

    for second in range(1, 181):
        now_s[0] = float(second)
        clock.tick()

    assert channel.age_s == pytest.approx(180.0)
