"""Window stage: each person's last seconds, resampled by timestamp to the action model's rate.

Windows end on a grid of media time (multiples of the stride) and are cut out of the observations around it, so that the
same movement gives the same samples at 8, 15, 25 or 30 frames per second.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray
from models.skeleton.layouts import require_layout
from pipelines.stream.actions.lying import WholeBody
from pipelines.stream.config import WindowConfig
from pipelines.types import NotAssessableReason, Poses, Window, WindowBatch, Withheld

VISIBLE_SCORE = 0.3
"""A joint below this score is not mixed with a visible one: its coordinates mean nothing."""

_NEVER_JUDGED: frozenset[NotAssessableReason] = frozenset({"camera_moved", "camera_rotated"})
"""One such frame is enough: motion that the camera made is in the whole window."""

_EPSILON_S = 1e-6  # timestamps are sums of floats


@dataclass(frozen=True, slots=True)
class _Observation:
    time_s: float
    keypoints: FloatArray
    reason: NotAssessableReason | None
    may_lie: bool = True


@dataclass(slots=True)
class _Track:
    first_s: float
    body: WholeBody
    seen: deque[_Observation] = field(default_factory=deque)


class WindowStage:
    """Buffers the poses of each person and cuts a window out of them at every tick of the grid."""

    def __init__(self, config: WindowConfig, window_s: float, rate_hz: float) -> None:
        self._config = config
        self._window_s = window_s
        self._rate_hz = rate_hz
        self._offsets = (np.arange(round(window_s * rate_hz)) + 1) / rate_hz - window_s
        self._tracks: dict[int, _Track] = {}
        self._frames: deque[float] = deque()
        self._tick: int | None = None

    def __call__(self, poses: Poses) -> WindowBatch:
        """The windows that are due with this frame; raises nothing for an empty one."""
        self._forget(poses)
        self._remember(poses)
        end_s = self._due(poses.time_s)
        if end_s is None:
            return WindowBatch()
        cut = [self._cut(int(track_id), end_s, poses.size_wh) for track_id in poses.track_id]
        return WindowBatch(
            tuple(item for item in cut if isinstance(item, Window)),
            tuple(item for item in cut if isinstance(item, Withheld)),
        )

    def reset(self) -> None:
        """Forget every pose, because the next frame does not follow on the last."""
        self._tracks.clear()
        self._frames.clear()
        self._tick = None

    def _due(self, time_s: float) -> float | None:
        """The latest tick of the grid that this frame reaches for the first time."""
        tick = int(np.floor(time_s / self._config.stride_s + _EPSILON_S))
        is_new = self._tick is not None and tick > self._tick
        self._tick = tick
        return tick * self._config.stride_s if is_new else None

    def _forget(self, poses: Poses) -> None:
        """Drop tracks that ended, and those that have been out of sight for longer than a window."""
        horizon = poses.time_s - self._window_s - self._config.max_gap_s
        gone = [track_id for track_id, track in self._tracks.items() if track.seen[-1].time_s < horizon]
        for track_id in [*gone, *(track_id for track_id, _ in poses.ended)]:
            self._tracks.pop(track_id, None)

    def _remember(self, poses: Poses) -> None:
        self._remember_frame(poses.time_s)
        for index, track_id in enumerate(poses.track_id):
            track = self._tracks.setdefault(
                int(track_id), _Track(poses.time_s, WholeBody(require_layout(poses.layout)))
            )
            may_lie = track.body.see(poses.time_s, poses.keypoints[index], poses.xyxy[index], poses.size_wh)
            self._append(track.seen, _Observation(poses.time_s, poses.keypoints[index], poses.reason[index], may_lie))

    def _remember_frame(self, time_s: float) -> None:
        """Keep the times of the last window's frames and of the one before them."""
        self._frames.append(time_s)
        while len(self._frames) > 2 and self._frames[1] < time_s - self._window_s:
            self._frames.popleft()
        if len(self._frames) > 2 and time_s - self._frames[-3] < 1 / self._config.max_rate_hz:
            del self._frames[-2]

    def _append(self, seen: deque[_Observation], new: _Observation) -> None:
        """Add the newest, thin out what came faster than the buffer's rate, drop what no window can reach."""
        if len(seen) >= 2 and new.time_s - seen[-2].time_s < 1 / self._config.max_rate_hz - _EPSILON_S:
            seen.pop()
        seen.append(new)
        reach_s = self._window_s + self._config.stride_s + self._config.max_gap_s
        while seen[0].time_s < new.time_s - reach_s:
            seen.popleft()

    def _cut(self, track_id: int, end_s: float, size_wh: tuple[int, int]) -> Window | Withheld:
        """One person's window, or why there is none."""
        track = self._tracks[track_id]
        samples_s = end_s + self._offsets
        keypoints, valid = resample(track.seen, samples_s, self._config.max_gap_s, 0.5 / self._rate_hz)
        reason = self._reason(track, samples_s, valid)
        if reason is not None:
            return Withheld(track_id, end_s, "not_assessable", reason)
        # A window that is shorter than that must have been seen whole.
        if valid.sum() < min(self._config.min_observed_s * self._rate_hz, len(valid)) - _EPSILON_S:
            return Withheld(track_id, end_s, "warming_up")
        return Window(track_id, float(samples_s[0]), end_s, size_wh, keypoints, valid, self._may_lie(track, samples_s))

    def _may_lie(self, track: _Track, samples_s: AnyArray) -> bool:
        """Whether enough of the window shows a body of which it can be told how it lies."""
        answers = [item.may_lie for item in track.seen if item.time_s >= samples_s[0]]
        return answers.count(False) <= self._config.max_unproved * len(answers)

    def _reason(self, track: _Track, samples_s: AnyArray, valid: BoolArray) -> NotAssessableReason | None:
        """Why the window must not be judged, however long the person has been followed."""
        if self._rate() < self._config.min_rate_hz - _EPSILON_S:
            return "low_fps"
        reasons = [item.reason for item in track.seen if item.time_s >= samples_s[0]]
        flagged = Counter(reason for reason in reasons if reason is not None)
        for reason in _NEVER_JUDGED & flagged.keys():
            return reason
        if flagged.total() > self._config.max_flagged * len(reasons):
            return flagged.most_common(1)[0][0]
        since_first = valid[samples_s >= track.first_s - _EPSILON_S]
        if since_first.sum() < self._config.min_valid * len(since_first):
            return "low_fps" if self._has_frame_gap() else "occluded"
        return None

    def _rate(self) -> float:
        """Frames per second over the last window; infinite until two frames were seen."""
        span_s = self._frames[-1] - self._frames[0]
        return (len(self._frames) - 1) / span_s if span_s > 0 else np.inf

    def _has_frame_gap(self) -> bool:
        """Whether the source itself, not the person, was away for longer than may be interpolated."""
        return bool(np.diff(self._frames).max(initial=0) > self._config.max_gap_s)


def resample(
    seen: Sequence[_Observation], samples_s: AnyArray, max_gap_s: float, near_s: float
) -> tuple[FloatArray, BoolArray]:
    """Keypoints at given times: linear between neighbours up to `max_gap_s` apart, else the one within `near_s`.

    Returns (T, V, 3) float32 and (T,) bool; what is neither between near neighbours nor near one is invalid and 0.
    """
    times = np.array([item.time_s for item in seen])
    values = np.stack([item.keypoints for item in seen]).astype(np.float32)
    left = np.clip(np.searchsorted(times, samples_s + _EPSILON_S, side="right") - 1, 0, len(times) - 1)
    right = np.minimum(left + 1, len(times) - 1)
    gap_s = times[right] - times[left]
    share = np.clip((samples_s - times[left]) / np.maximum(gap_s, _EPSILON_S), 0, 1)
    between = (samples_s >= times[0] - _EPSILON_S) & (samples_s <= times[-1] + _EPSILON_S) & (gap_s <= max_gap_s)
    nearest = np.where(share < 0.5, left, right)
    near = np.abs(samples_s - times[nearest]) <= near_s
    valid: BoolArray = between | near
    mixed = mix(values[left], values[right], np.where(between, share, np.round(share))[:, None, None])
    keypoints: FloatArray = np.where(valid[:, None, None], mixed, 0).astype(np.float32)
    return keypoints, valid


def mix(left: FloatArray, right: FloatArray, share: AnyArray | np.float32) -> FloatArray:
    """Joints between two observations: linear where both are visible, the nearer one's elsewhere."""
    both = np.minimum(left[..., 2:], right[..., 2:]) >= VISIBLE_SCORE
    weight = np.where(both, share, np.round(share))
    mixed: FloatArray = left + (right - left) * weight
    return mixed
