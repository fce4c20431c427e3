"""Media time from timestamps: one growing line whatever the container says, and the choice of frames by time."""

import math

_LATE_S = 1.0  # further back than this is a new timeline, nearer is a picture out of order
_EARLY_SLOTS = 0.25


class MediaClock:
    """Turns a source's timestamps into media seconds that always grow.

    start_s: the timestamp that is media time 0, None for the first one seen.
    step_s: assumed distance of pictures that carry no timestamp.
    max_jump_s: a longer step forward is a break in the timeline and shrinks to `step_s`; None believes every step,
                which is right for containers whose timestamps cannot break.
    """

    def __init__(self, start_s: float | None, step_s: float, max_jump_s: float | None = None) -> None:
        self._start_s = start_s
        self._step_s = step_s
        self._max_jump_s = max_jump_s
        self._last_s: float | None = None

    def at(self, pts_s: float | None) -> float | None:
        """Media seconds of a picture, or None for one that comes too late to be shown."""
        time_s = self._raw(pts_s)
        if self._last_s is not None:
            step_s = time_s - self._last_s
            if -_LATE_S < step_s <= 0:
                return None
            if step_s <= 0 or (self._max_jump_s is not None and step_s > self._max_jump_s):
                time_s = self._rebase(time_s)
        self._last_s = time_s
        return time_s

    def _raw(self, pts_s: float | None) -> float:
        if pts_s is None:
            return 0.0 if self._last_s is None else self._last_s + self._step_s
        if self._start_s is None or (self._last_s is None and pts_s < self._start_s):
            self._start_s = pts_s
        return pts_s - self._start_s

    def _rebase(self, time_s: float) -> float:
        """The next tick after the last picture; later timestamps count from here."""
        assert self._last_s is not None
        next_s = self._last_s + self._step_s
        self._start_s = (self._start_s or 0.0) + time_s - next_s
        return next_s


class RateGate:
    """Keeps at most `rate_hz` pictures per second of media time, at most one per slot; None keeps all."""

    def __init__(self, rate_hz: float | None) -> None:
        self._rate_hz = rate_hz
        self._last_slot = -1

    def admits(self, time_s: float) -> bool:
        """Whether the picture at `time_s` is kept; one in each slot is."""
        if self._rate_hz is None:
            return True
        slot = self._slot(time_s)
        if slot <= self._last_slot:
            return False
        self._last_slot = slot
        return True

    def expects(self, time_s: float, step_s: float) -> bool:
        """Whether a picture at `time_s`, `step_s` after the one before it, opens a slot; keeps no memory."""
        return self._rate_hz is None or self._slot(time_s) != self._slot(time_s - step_s)

    def _slot(self, time_s: float) -> int:
        # A slot opens a little before its tick: 30 fps rounded to milliseconds must pass a 30 Hz gate whole.
        return math.floor(time_s * (self._rate_hz or 0.0) + _EARLY_SLOTS)
