"""One person's track from the first box to the end: tentative, shown, missing, ended."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from models.arrays import FloatArray
from models.skeleton.layouts import COCO17, Layout
from pipelines.stream.config import TrackConfig
from pipelines.stream.people.boxes import inside_share, longer_side, torso_tilt
from pipelines.stream.people.kalman import BoxKalman
from pipelines.types import Outcome, TrackEnd

_HISTORY = 64  # sightings kept to judge how steady a weak track is
_SURE_PRESENCE = 0.9
_SURE_SHARE = 0.7
_EDGE = 0.02  # of the picture's side: a box this near the edge that vanishes has left
_DOUBT_S = 0.5
_UNEASY_S = 2.0
_TALL = 1.1
_UPRIGHT_TILT = np.deg2rad(30)


@dataclass(slots=True)
class Track:
    """What is remembered of one person; changed by the track stage only.

    born_s, seen_s, box_s, doubt_s: media seconds of the first box, of the joints last seen, of the last matched box,
    of the last frame in which the joints were somebody else's.
    uneasy_s: media seconds of the last frame in which the body did not plainly stand or sit.
    best_score: strongest box so far. box, score: this frame's matched box.
    steps: (keypoints, presence) of the last sightings.
    """

    track_id: int
    kalman: BoxKalman
    born_s: float
    seen_s: float
    box_s: float
    box: FloatArray | None
    score: float
    best_score: float
    keypoints: FloatArray | None = None
    presence: float = 0.0
    outcome: Outcome = "seen"
    is_confirmed: bool = False
    is_crowded: bool = False
    doubt_s: float = -np.inf
    uneasy_s: float = -np.inf
    steps: deque[tuple[FloatArray, float]] = field(default_factory=lambda: deque(maxlen=_HISTORY))

    @property
    def is_missing(self) -> bool:
        """Whether the joints were not seen in the last frame."""
        return self.outcome != "seen"

    @property
    def is_uneasy(self) -> bool:
        """Whether the body did not plainly stand or sit a moment ago: it may fall or lie."""
        return self.seen_s - self.uneasy_s < _UNEASY_S

    def is_doubtful(self, time_s: float) -> bool:
        """Whether the joints were somebody else's a moment ago."""
        return time_s - self.doubt_s < _DOUBT_S


def stands_well(keypoints: FloatArray, xyxy: FloatArray, presence: float, layout: Layout = COCO17) -> bool:
    """Whether a body is upright beyond doubt: torso, box and presence say so."""
    is_tall = xyxy[3] - xyxy[1] > _TALL * (xyxy[2] - xyxy[0])
    return bool(is_tall and presence > _SURE_PRESENCE and torso_tilt(keypoints, layout) < _UPRIGHT_TILT)


def should_confirm(track: Track, time_s: float, config: TrackConfig) -> bool:
    """Whether a tentative track has proved to be a person: soon after a strong box, else by a steady second."""
    age_s = time_s - track.born_s
    if track.best_score >= config.strong_score:
        return age_s >= config.confirm_strong_s
    return age_s >= config.confirm_weak_s and _is_steady(track, config)


def end_reason(track: Track, time_s: float, size_wh: tuple[int, int], config: TrackConfig) -> TrackEnd | None:
    """Why the track ends with this frame; None while it goes on."""
    box = track.kalman.xyxy
    if inside_share(box, size_wh) < 0.1:
        return "left"
    if not track.is_confirmed and (
        track.outcome in ("unfound", "duplicate") or time_s - track.born_s > config.tentative_s
    ):
        return "merged" if track.outcome == "duplicate" else "lost"
    if time_s - track.seen_s > config.missing_s:
        if track.outcome == "duplicate":
            return "merged"
        return "left" if _touches_side(box, size_wh) else "lost"
    boxless_s = time_s - track.box_s
    if boxless_s > config.boxless_sure_s or (boxless_s > config.boxless_s and track.presence < _SURE_PRESENCE):
        return "lost"
    return None


def _is_steady(track: Track, config: TrackConfig) -> bool:
    """Joints of furniture tremble and its presence comes and goes; those of a person do neither."""
    if len(track.steps) < 3:
        return False
    presence = np.array([step[1] for step in track.steps])
    joints = np.stack([step[0][:, :2] for step in track.steps])
    second = joints[2:] - 2 * joints[1:-1] + joints[:-2]
    jitter = float(np.median(np.hypot(second[..., 0], second[..., 1]))) / longer_side(track.kalman.xyxy)
    return float((presence > _SURE_PRESENCE).mean()) >= _SURE_SHARE and jitter < config.max_jitter


def _touches_side(xyxy: FloatArray, size_wh: tuple[int, int]) -> bool:
    width, height = size_wh
    near_side = xyxy[0] < _EDGE * width or xyxy[2] > (1 - _EDGE) * width
    return bool(near_side or xyxy[1] < _EDGE * height or xyxy[3] > (1 - _EDGE) * height)
