"""A clock that stands still while its process does.

A machine that is suspended, a container that is paused or a process that gets no processor makes everybody look silent
at once. Work must not be blamed for that, so silence is counted in time in which the one who counts was awake itself.
"""

import time
from collections.abc import Callable

_SLACK_S = 1.0


class PauseClock:
    """Seconds in which this process ran, as seen by a loop that ticks.

    tick_s: the longest that the loop sleeps by itself; a tick that comes more than a second later was held up.
    """

    def __init__(self, tick_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._tick_s = tick_s
        self._clock = clock
        self._ticked_s = clock()
        self._held_s = 0.0

    def tick(self) -> None:
        """The loop came round; called by one thread."""
        now_s = self._clock()
        late_s = now_s - self._ticked_s - self._tick_s
        if late_s > _SLACK_S:
            self._held_s += late_s
        self._ticked_s = now_s

    def now_s(self) -> float:
        """Seconds on this clock; its zero means nothing."""
        return self._clock() - self._held_s
