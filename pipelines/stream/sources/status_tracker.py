"""Keeps the status of one live source: written by its reader, read by anybody."""

import threading
from collections import Counter, deque
from collections.abc import Callable

from pipelines.stream.sources.status import SourceFault, SourceStatus, StreamState
from pipelines.types import BreakReason

_RATE_WINDOW_S = 5.0
_MAX_TIMES = 2048


class StatusTracker:
    """State, last error and counters, with a call at each change of state.

    degraded_after_s: age of the last picture from which a running source is degraded.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        degraded_after_s: float,
        on_state: Callable[[SourceStatus], None] | None,
    ) -> None:
        self._clock = clock
        self._degraded_after_s = degraded_after_s
        self._on_state = on_state
        self._lock = threading.Lock()
        self._state: StreamState = "connecting"
        self._state_since_s = clock()
        self._fault: SourceFault | None = None
        self._frames = 0
        self._has_run = False
        self._num_connections = 0
        self._last_s: float | None = None
        self._times: deque[float] = deque(maxlen=_MAX_TIMES)
        self._dropped: Counter[str] = Counter()
        self._breaks: Counter[BreakReason] = Counter()

    def connect(self) -> None:
        """The source was opened; whether pictures follow is another matter."""
        with self._lock:
            self._num_connections += 1

    def arrive(self) -> None:
        """A good picture came in."""
        with self._lock:
            now_s = self._clock()
            self._frames += 1
            self._last_s = now_s
            self._times.append(now_s)
            self._has_run = True
            news = self._enter("running")
        self._tell(news)

    def drop(self, reason: str) -> None:
        """A picture came in and is not handed over."""
        with self._lock:
            self._dropped[reason] += 1

    def note_break(self, reason: BreakReason | None) -> None:
        """A frame was handed over; `reason` says why it does not follow on the one before, None where it does."""
        if reason is not None:
            with self._lock:
                self._breaks[reason] += 1

    def lose(self, fault: SourceFault, is_definite: bool) -> None:
        """The connection was lost or not made; `is_definite` where more of the same is to be expected."""
        with self._lock:
            self._fault = fault
            news = self._enter("failed" if is_definite else "reconnecting" if self._has_run else "connecting")
        self._tell(news)

    def fail(self, fault: SourceFault) -> None:
        """The source will not be tried again."""
        with self._lock:
            self._fault = fault
            news = self._enter("failed")
        self._tell(news)

    def read(self) -> SourceStatus:
        """The status now."""
        with self._lock:
            age_s, news = self._age_s(), None
            if self._state == "running" and age_s is not None and age_s > self._degraded_after_s:
                news = self._enter("degraded")
            status = self._status()
        self._tell(news)
        return status

    def _age_s(self) -> float | None:
        return None if self._last_s is None else self._clock() - self._last_s

    def _enter(self, state: StreamState) -> SourceStatus | None:
        """The new status where the state changes: to be told once the lock is free."""
        if state == self._state:
            return None
        self._state, self._state_since_s = state, self._clock()
        return self._status()

    def _tell(self, news: SourceStatus | None) -> None:
        if news is not None and self._on_state is not None:
            self._on_state(news)

    def _status(self) -> SourceStatus:
        return SourceStatus(
            state=self._state,
            state_since_s=self._state_since_s,
            last_error=self._fault,
            fps_in=self._fps(),
            frames=self._frames,
            frame_age_s=self._age_s(),
            reconnects=max(0, self._num_connections - 1),
            dropped=dict(self._dropped),
            breaks=dict(self._breaks),
        )

    def _fps(self) -> float:
        """Pictures per second over the last seconds; falls to zero when none come."""
        since_s = self._clock() - _RATE_WINDOW_S
        while self._times and self._times[0] < since_s:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        # A camera sends its last seconds at once when it is opened: less than a second is no basis for a rate.
        return (len(self._times) - 1) / max(self._clock() - self._times[0], 1.0)
