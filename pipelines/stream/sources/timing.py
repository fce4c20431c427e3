"""Media time from timestamps: one growing line whatever the container says, and the choice of frames by time."""

import math

_LATE_S = 1.0  # further back than this is a new timeline, nearer is a picture out of order
_EARLY_SLOTS = 0.25
_TICK_S = 1e-3  # least distance of two pictures of a camera across a break


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


class LiveClock:
    """Media time of a camera: wall-clock seconds since its first picture, smoothed by the camera's own timestamps.

    Between pictures the camera's timestamps count; a new connection, a break in them or a slow drift brings the line
    back to the wall clock. Across a reconnect time goes on by the length of the gap. It never goes back.

    follows_wall: False for a file played as a camera, whose own timestamps from 0 are the truth: the same file gives
                  the same times as when it is read as a file.
    """

    _JUMP_S = 5.0  # timestamps and wall clock disagree by more on one step: a break
    _LAG_S = 1.0  # mean disagreement that is left alone: network and camera buffering
    _SLEW = 0.005  # drift is taken out at half a percent of real time, which no action notices
    _MEAN_S = 30.0  # time constant of the mean disagreement: longer than a segment of HLS

    def __init__(self, follows_wall: bool = True) -> None:
        self._follows_wall = follows_wall
        self._origin_s: float | None = None
        self._offset_s: float | None = None if follows_wall else 0.0
        self._last_s: float | None = None
        self._last_pts_s: float | None = None
        self._last_wall_s = 0.0
        self._lag_s = 0.0

    def reconnect(self) -> None:
        """The next timestamps have nothing to do with those before."""
        if self._last_s is not None:
            self._offset_s, self._last_pts_s, self._lag_s = None, None, 0.0

    def at(self, pts_s: float | None, wall_s: float) -> float | None:
        """Media seconds of a picture that arrived at `wall_s`, or None for one that is not after the last."""
        if self._origin_s is None:
            self._origin_s = wall_s
        elapsed_s = wall_s - self._origin_s
        time_s = elapsed_s if pts_s is None else self._by_timestamp(pts_s, wall_s, elapsed_s)
        self._last_wall_s = wall_s
        if self._last_s is not None and time_s <= self._last_s:
            return None
        self._last_s = time_s
        return time_s

    def of(self, pts_s: float) -> float | None:
        """Media seconds that a timestamp of this connection stands for; None before its first picture."""
        return None if self._offset_s is None else pts_s + self._offset_s

    def _by_timestamp(self, pts_s: float, wall_s: float, elapsed_s: float) -> float:
        if self._offset_s is None or self._is_broken(pts_s, wall_s):
            earliest_s = 0.0 if self._last_s is None else self._last_s + _TICK_S
            self._offset_s, self._lag_s = max(elapsed_s, earliest_s) - pts_s, 0.0
        elif self._follows_wall and self._last_pts_s is not None and pts_s > self._last_pts_s:
            self._follow(elapsed_s, pts_s - self._last_pts_s)
        self._last_pts_s = pts_s
        return pts_s + self._offset_s

    def _is_broken(self, pts_s: float, wall_s: float) -> bool:
        if self._last_pts_s is None:
            return False
        step_s = pts_s - self._last_pts_s
        return step_s < -_LATE_S or step_s - (wall_s - self._last_wall_s) > self._JUMP_S

    def _follow(self, elapsed_s: float, step_s: float) -> None:
        """Take a little of a lasting disagreement between the two clocks out of the line."""
        assert self._offset_s is not None
        assert self._last_pts_s is not None
        lag_s = elapsed_s - (self._last_pts_s + step_s + self._offset_s)
        self._lag_s += (lag_s - self._lag_s) * min(1.0, step_s / self._MEAN_S)
        if abs(self._lag_s) > self._LAG_S:
            self._offset_s += self._SLEW * step_s * (1 if self._lag_s > 0 else -1)


class Pacer:
    """Says how long to wait with a picture so that a source which delivers in bursts plays at its own pace.

    max_wait_s: a picture further ahead starts a new count instead; None waits for any.
    """

    def __init__(self, max_wait_s: float | None = None) -> None:
        self._max_wait_s = max_wait_s
        self._start_s: float | None = None

    def wait_s(self, pts_s: float, now_s: float) -> float:
        """Seconds until the picture is due; one that is late moves all that follow."""
        wait_s = -1.0 if self._start_s is None else self._start_s + pts_s - now_s
        if wait_s < 0 or (self._max_wait_s is not None and wait_s > self._max_wait_s):
            self._start_s = now_s - pts_s
            return 0.0
        return wait_s
