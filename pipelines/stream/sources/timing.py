"""Media time from timestamps: one growing line whatever the container says, and the choice of frames by time."""

import math
from dataclasses import dataclass

_LATE_S = 1.0  # further back than this is a new timeline, nearer may be one picture out of order
_CLOSED_S = 1.0  # left of a gap whose length nobody knows: longer than anything that is interpolated
_MAX_STEP_S = 12 * 3600.0
_MAX_REPEATS = 2
_EARLY_SLOTS = 0.25


@dataclass(frozen=True, slots=True)
class Moment:
    """When a picture is shown.

    time_s: media seconds. is_jump: its timestamp does not lead on from the picture before, so that the time between
    them is not known; `time_s` is then a second later.
    """

    time_s: float
    is_jump: bool = False


class MediaClock:
    """Turns a source's timestamps into media seconds that always grow.

    start_s: the timestamp that is media time 0, None for the first one seen.
    step_s: assumed distance of pictures that carry no timestamp.
    max_step_s: a longer step forward is a clock that was set, not time that went by.
    """

    def __init__(self, start_s: float | None, step_s: float, max_step_s: float = _MAX_STEP_S) -> None:
        self._start_s = start_s
        self._step_s = step_s
        self._max_step_s = max_step_s
        self._last_s: float | None = None
        self._late_s: float | None = None
        self._last_pts_s: float | None = None
        self._num_repeats = 0

    def at(self, pts_s: float | None) -> Moment | None:
        """When a picture is shown, or None for one that comes too late to be shown, or at the same time as another."""
        self._num_repeats = self._num_repeats + 1 if pts_s is not None and pts_s == self._last_pts_s else 0
        self._last_pts_s = pts_s
        moment = self._place(self._raw(None if self._num_repeats >= _MAX_REPEATS else pts_s))
        if moment is not None:
            self._last_s = moment.time_s
        return moment

    def of(self, pts_s: float) -> float | None:
        """Media seconds that a timestamp stands for now; None before the first picture."""
        return None if self._last_s is None else pts_s - (self._start_s or 0.0)

    def _place(self, time_s: float) -> Moment | None:
        if self._last_s is None:
            return Moment(time_s)
        step_s = time_s - self._last_s
        # Decoders hand pictures out in the order in which they are shown: of two late ones in a row that grow, the
        # second says that the timeline went back, by however little.
        runs_on = self._late_s is not None and time_s > self._late_s
        self._late_s = time_s if step_s <= 0 else None
        if 0 < step_s <= self._max_step_s:
            return Moment(time_s)
        if -_LATE_S < step_s <= 0 and not runs_on:
            return None
        self._late_s = None
        return Moment(self._rebase(time_s), is_jump=True)

    def _raw(self, pts_s: float | None) -> float:
        if pts_s is None:
            return 0.0 if self._last_s is None else self._last_s + self._step_s
        if self._start_s is None or (self._last_s is None and pts_s < self._start_s):
            self._start_s = pts_s
        return pts_s - self._start_s

    def _rebase(self, time_s: float) -> float:
        """A little after the last picture; later timestamps count from here."""
        assert self._last_s is not None
        next_s = self._last_s + _CLOSED_S
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
    """

    _JUMP_S = 5.0  # timestamps and wall clock disagree by more on one step: a break
    _LAG_S = 1.0  # mean disagreement that is left alone: network and camera buffering
    _SLEW = 0.005  # drift is taken out at half a percent of real time, which no action notices
    _MEAN_S = 30.0  # time constant of the mean disagreement: longer than a segment of HLS
    _TICK_S = 1e-3  # least distance of two pictures across a break

    def __init__(self) -> None:
        self._origin_s: float | None = None
        self._offset_s: float | None = None
        self._last_s: float | None = None
        self._last_pts_s: float | None = None
        self._late_pts_s: float | None = None
        self._last_wall_s = 0.0
        self._lag_s = 0.0

    def reconnect(self) -> None:
        """The next timestamps have nothing to do with those before."""
        self._offset_s, self._last_pts_s, self._late_pts_s, self._lag_s = None, None, None, 0.0

    def at(self, pts_s: float | None, wall_s: float) -> Moment | None:
        """When a picture that arrived at `wall_s` is shown, or None for one that is not after the last."""
        if self._origin_s is None:
            self._origin_s = wall_s
        elapsed_s = wall_s - self._origin_s
        moment = Moment(elapsed_s) if pts_s is None else self._by_timestamp(pts_s, wall_s, elapsed_s)
        self._last_wall_s = wall_s
        if self._last_s is not None and moment.time_s <= self._last_s:
            self._late_pts_s = pts_s
            return None
        self._last_s, self._late_pts_s = moment.time_s, None
        return moment

    def of(self, pts_s: float) -> float | None:
        """Media seconds that a timestamp of this connection stands for; None before its first picture."""
        return None if self._offset_s is None else pts_s + self._offset_s

    def _by_timestamp(self, pts_s: float, wall_s: float, elapsed_s: float) -> Moment:
        is_jump = self._offset_s is not None and self._is_broken(pts_s, wall_s)
        if self._offset_s is None or is_jump:
            earliest_s = 0.0 if self._last_s is None else self._last_s + self._TICK_S
            self._offset_s, self._lag_s = max(elapsed_s, earliest_s) - pts_s, 0.0
        elif self._last_pts_s is not None and pts_s > self._last_pts_s:
            self._follow(elapsed_s, pts_s - self._last_pts_s)
        self._last_pts_s = pts_s
        return Moment(pts_s + self._offset_s, is_jump)

    def _is_broken(self, pts_s: float, wall_s: float) -> bool:
        if self._last_pts_s is None:
            return False
        step_s = pts_s - self._last_pts_s
        # As for files: the second late picture in a row that grows says that the timeline went back.
        runs_on = self._late_pts_s is not None and pts_s > self._late_pts_s and self._is_late(pts_s)
        return runs_on or step_s < -_LATE_S or step_s - (wall_s - self._last_wall_s) > self._JUMP_S

    def _is_late(self, pts_s: float) -> bool:
        return self._last_s is not None and self._offset_s is not None and pts_s + self._offset_s <= self._last_s

    def _follow(self, elapsed_s: float, step_s: float) -> None:
        """Take a little of a lasting disagreement between the two clocks out of the line."""
        assert self._offset_s is not None
        assert self._last_pts_s is not None
        lag_s = elapsed_s - (self._last_pts_s + step_s + self._offset_s)
        self._lag_s += (lag_s - self._lag_s) * min(1.0, step_s / self._MEAN_S)
        if abs(self._lag_s) > self._LAG_S:
            self._offset_s += self._SLEW * step_s * (1 if self._lag_s > 0 else -1)


class PlayedClock:
    """Media time of a file that is played as a camera: the same times as when it is read as a file.

    Each further round begins where the wall clock stands.
    """

    _STEP_S = 0.04

    def __init__(self) -> None:
        self._clock = MediaClock(0.0, self._STEP_S)
        self._origin_s: float | None = None
        self._base_s: float | None = 0.0
        self._last_s: float | None = None

    def reconnect(self) -> None:
        """The file begins again."""
        if self._last_s is not None:
            self._clock, self._base_s = MediaClock(0.0, self._STEP_S), None

    def at(self, pts_s: float | None, wall_s: float) -> Moment | None:
        """When a picture that arrived at `wall_s` is shown, or None for one that comes too late to be shown."""
        if self._origin_s is None:
            self._origin_s = wall_s
        if self._base_s is None:
            self._base_s = max(wall_s - self._origin_s, (self._last_s or 0.0) + self._STEP_S)
        moment = self._clock.at(pts_s)
        if moment is None:
            return None
        self._last_s = self._base_s + moment.time_s
        return Moment(self._last_s, moment.is_jump)

    def of(self, pts_s: float) -> float | None:
        """Media seconds that a timestamp of this round stands for; None before its first picture."""
        time_s = self._clock.of(pts_s)
        return None if time_s is None or self._base_s is None else self._base_s + time_s


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
