"""Time in which a process was held still is not counted against anybody."""

import pytest

from service.protocol.pause_clock import PauseClock


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
