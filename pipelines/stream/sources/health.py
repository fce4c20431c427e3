"""A stream's state as people see it: its source's own, and `degraded` while too few pictures are analysed."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.stream.sources.status import SourceStatus, StreamState

Tell = Callable[[StreamState, str | None, str | None], None]
"""Takes a state, and the code and the text of what is wrong."""

_FAULTY = frozenset({"connecting", "reconnecting", "failed"})
_WINDOW_S = 5.0
_TIMES_MAX = 512
_BAD_S = 8.0
"""Longer than the window: the first seconds of a stream say nothing of its rate."""
_GOOD_S = 5.0
_NEEDED_HZ = 5.0
_TOO_FEW_HZ = (0.9 * _NEEDED_HZ, 0.96 * _NEEDED_HZ)
_TOO_SMALL_SHARE = (0.5, 0.6)
"""Below the first a stream that was well becomes degraded, above the second one that is degraded becomes well."""


@dataclass(frozen=True, slots=True)
class Strain:
    """Why a stream whose pictures come is not well.

    code: `overloaded`: many pictures that came in are not analysed. `low_fps`: so few come in that motion is not
    assessable.
    """

    code: str
    message: str


class SourceHealth:
    """Tells every change of one stream's state, once; for use from its reader's thread and its worker's.

    asked_hz: pictures per second that shall be analysed.
    """

    def __init__(self, asked_hz: float, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked_hz = asked_hz
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._analysed_s: deque[float] = deque(maxlen=_TIMES_MAX)
        self._since_s = 0.0
        self._strain: Strain | None = None
        self._turning_s: float | None = None
        self._told: tuple[str, str | None] | None = None

    def on_frame(self) -> None:
        """A picture was analysed."""
        self._analysed_s.append(self._clock())

    def on_source(self, status: SourceStatus) -> None:
        """Take what the source's reader says; what was overtaken by a later change is passed over."""
        with self._lock:
            if status.state_since_s < self._since_s:
                return
            self._since_s = status.state_since_s
            if status.state == "running":
                self._judge(status.fps_in)
            else:
                self._strain = self._turning_s = None
            self._say(status)

    def _judge(self, fps_in: float) -> None:
        """Turn only when it has been so for some seconds: one busy moment is no news."""
        now_s = self._clock()
        found = self._find_strain(now_s, fps_in)
        if (found is None) == (self._strain is None):
            self._turning_s = None
            return
        if self._turning_s is None:
            self._turning_s = now_s
        if now_s - self._turning_s >= (_BAD_S if found else _GOOD_S):
            self._strain, self._turning_s = found, None

    def _find_strain(self, now_s: float, fps_in: float) -> Strain | None:
        is_strained = self._strain is not None
        least_hz = _TOO_FEW_HZ[is_strained]
        if self._asked_hz < least_hz:
            return Strain("low_fps", f"analysis.fps asks for {self._asked_hz:g} pictures a second, {_LEAST}")
        if fps_in < least_hz:
            return Strain("low_fps", f"{fps_in:.1f} pictures a second come in, {_LEAST}")
        while self._analysed_s and now_s - self._analysed_s[0] >= _WINDOW_S:
            self._analysed_s.popleft()
        wanted_hz, found_hz = min(self._asked_hz, fps_in), len(self._analysed_s) / _WINDOW_S
        if found_hz < max(_TOO_SMALL_SHARE[is_strained] * wanted_hz, least_hz):
            text = f"{found_hz:.1f} of {wanted_hz:.1f} pictures a second are analysed: the machine has too much to do"
            return Strain("overloaded", text)
        return None

    def _say(self, status: SourceStatus) -> None:
        state, strain = status.state, self._strain
        if state in _FAULTY and status.last_error is not None:
            strain = Strain(status.last_error.code, status.last_error.message)
        elif state == "degraded":
            strain = Strain("no_picture", f"connected, and no picture for {status.frame_age_s or 0.0:.1f} s")
        elif state == "connecting":
            return
        elif strain is not None:
            state = "degraded"
        news = (state, None if strain is None else strain.code)
        if news != self._told:
            # Under the lock: two threads must not tell in another order than the states came.
            self._told = news
            self._tell(state, news[1], None if strain is None else strain.message)


_LEAST = f"actions need {_NEEDED_HZ:g}"
