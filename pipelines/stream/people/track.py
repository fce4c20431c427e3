"""Keeps people's numbers: boxes become tracks, and what the pose stage saw of them decides how they live on.

One frame takes four calls:

    boxes = detect(frame, track.demand())
    tracks = track(frame, boxes)
    sightings = pose(frame, tracks)
    poses = track.observe(sightings)
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import BoolArray, FloatArray
from models.skeleton.layouts import COCO17, Layout
from pipelines.stream.config import TrackConfig
from pipelines.stream.people.association import Expected, associate, gather_pieces
from pipelines.stream.people.boxes import cover_matrix, iou_matrix, longer_side, overlap
from pipelines.stream.people.kalman import BoxKalman
from pipelines.stream.people.track_birth import Rejections, find_births
from pipelines.stream.people.track_state import Track, end_reason, should_confirm, stands_well
from pipelines.types import Boxes, Demand, Frame, NotAssessableReason, Poses, Sightings, TrackEnd, Tracks

_CROWDED = 0.03  # overlap (IoU) from which two people may be confused
_MIN_JOINTS_INSIDE = 6  # of the twelve from shoulders to ankles
_OCCLUDED_SCORE = 0.5


class TrackStage:
    """Two-stage association on box motion and joints, and the states tentative, shown, missing, ended.

    layout: of the joints that the pose stage finds.
    """

    def __init__(self, config: TrackConfig, layout: Layout = COCO17) -> None:
        self._config = config
        self._layout = layout
        self._tracks: list[Track] = []
        self._rejected = Rejections(config.rejected_s)
        self._next_id = 1
        self._skipped = 0

    def demand(self) -> Demand:
        """How soon and how closely the detector is wanted."""
        if not self._tracks:
            return "nobody"
        if any(track.is_missing for track in self._tracks):
            return "search"
        if any(track.is_crowded for track in self._tracks):
            return "alert"
        return "wary" if any(track.is_uneasy for track in self._tracks) else "calm"

    def __call__(self, frame: Frame, boxes: Boxes | None) -> Tracks:
        """Match this frame's boxes with the tracks and start new ones; None: the detector did not look."""
        for track in self._tracks:
            track.kalman.predict(frame.time_s)
            track.box, track.score = None, 0.0
        if boxes is not None:
            free = self._match(frame.time_s, boxes)
            self._start(frame, free)
            self._mark_crowded(free)
        return self._tracks_now(boxes is not None)

    def observe(self, sightings: Sightings) -> Poses:
        """Take what the pose stage saw; the people to be shown, and the tracks that end with this frame."""
        for row, track in enumerate(self._tracks):
            self._see(track, row, sightings)
        ended = self._end(sightings.time_s, sightings.size_wh)
        return self._show(sightings, ended)

    def reset(self) -> tuple[int, ...]:
        """End every track, because the next frame does not follow on the last; returns those that had been shown."""
        shown = tuple(track.track_id for track in self._tracks if track.is_confirmed)
        self._tracks, self._rejected, self._skipped = [], Rejections(self._config.rejected_s), 0
        return shown

    def _match(self, time_s: float, boxes: Boxes) -> Boxes:
        """Give boxes to tracks; returns those left over."""
        pairs = associate(
            _expected(self._tracks, len(self._layout)), boxes, self._config.high_score, self._config.min_match
        )
        for row, column in pairs.items():
            _take(self._tracks[row], boxes.xyxy[column], float(boxes.score[column]), time_s)
        free = np.setdiff1d(np.arange(len(boxes)), list(pairs.values()))
        left = Boxes(boxes.xyxy[free], boxes.score[free])
        self._gather(time_s, left)
        return left

    def _gather(self, time_s: float, left: Boxes) -> None:
        """Weak boxes within a track that has no better one are pieces of it."""
        weak = left.score < self._config.high_score
        pieces = Boxes(left.xyxy[weak], left.score[weak])
        for track in self._tracks:
            if track.score >= self._config.high_score or not track.is_confirmed:
                continue
            own = pieces if track.box is None else _joined(pieces, track.box, track.score)
            least = self._config.min_match if track.box is None else overlap(track.box, track.kalman.xyxy)
            whole = gather_pieces(track.kalman.xyxy, own, least)
            if whole is not None:
                _take(track, whole.xyxy[0], float(whole.score[0]), time_s)

    def _start(self, frame: Frame, free: Boxes) -> None:
        """New tentative tracks, largest first, as far as the budget goes."""
        height_px = frame.size_wh[1]
        found = find_births(free, _boxes(self._tracks), height_px, self._config)
        rows = [row for row in range(len(found)) if not self._is_rejected(found, row, frame.time_s)]
        free_slots = max(0, self._config.max_persons - len(self._tracks))
        self._skipped = max(0, len(rows) - free_slots)
        for row in rows[: min(free_slots, self._config.max_starts)]:
            self._tracks.append(_new_track(self._next_id, found.xyxy[row], float(found.score[row]), frame.time_s))
            self._next_id += 1

    def _is_rejected(self, found: Boxes, row: int, time_s: float) -> bool:
        if found.score[row] >= self._config.strong_score:
            return False
        return self._rejected.hold(found.xyxy[row], time_s)

    def _mark_crowded(self, free: Boxes) -> None:
        """Note who overlaps another shown track or a box that is certainly another person."""
        bodies = _boxes(self._tracks)
        others = iou_matrix(bodies, bodies) > _CROWDED
        others &= np.array([track.is_confirmed for track in self._tracks], bool)[None]
        np.fill_diagonal(others, False)
        outsiders = free.xyxy[free.score >= self._config.high_score]
        apart = (iou_matrix(bodies, outsiders) > _CROWDED) & (cover_matrix(outsiders, bodies).T < 0.8)
        for row, track in enumerate(self._tracks):
            track.is_crowded = bool(others[row].any() or apart[row].any())

    def _tracks_now(self, detected: bool) -> Tracks:
        return Tracks(
            track_id=np.array([track.track_id for track in self._tracks], np.int64),
            xyxy=_boxes(self._tracks),
            score=np.array([track.score for track in self._tracks], np.float32),
            is_shown=_flags([track.is_confirmed for track in self._tracks]),
            is_missing=_flags([track.is_missing for track in self._tracks]),
            is_crowded=_flags([track.is_crowded for track in self._tracks]),
            detected=detected,
            skipped=self._skipped,
        )

    def _see(self, track: Track, row: int, sightings: Sightings) -> None:
        track.outcome = sightings.outcome[row]
        track.presence = float(sightings.presence[row])
        if track.is_missing:
            track.kalman.coast(sightings.time_s - track.seen_s)
            if track.outcome in ("wrong_identity", "duplicate"):
                track.doubt_s = sightings.time_s
            return
        track.keypoints = sightings.keypoints[row]
        if not stands_well(sightings.keypoints[row], sightings.xyxy[row], track.presence, self._layout):
            track.uneasy_s = sightings.time_s
        track.kalman.update(sightings.xyxy[row])
        track.seen_s = sightings.time_s
        track.steps.append((sightings.keypoints[row], track.presence))
        track.is_confirmed = track.is_confirmed or should_confirm(track, sightings.time_s, self._config)

    def _end(self, time_s: float, size_wh: tuple[int, int]) -> tuple[tuple[int, TrackEnd], ...]:
        """Drop the tracks that are over; returns those that had been shown, with the reason."""
        reasons = {track.track_id: end_reason(track, time_s, size_wh, self._config) for track in self._tracks}
        for track in self._tracks:
            if reasons[track.track_id] and not track.is_confirmed and track.best_score < self._config.strong_score:
                self._rejected.add(track.box if track.box is not None else track.kalman.xyxy, time_s)
        shown = {track.track_id for track in self._tracks if track.is_confirmed}
        self._tracks = [track for track in self._tracks if reasons[track.track_id] is None]
        return tuple((track_id, reason) for track_id, reason in reasons.items() if reason and track_id in shown)

    def _show(self, sightings: Sightings, ended: tuple[tuple[int, TrackEnd], ...]) -> Poses:
        shown = {track.track_id: track for track in self._tracks if track.is_confirmed and not track.is_missing}
        rows = [row for row, track_id in enumerate(sightings.track_id.tolist()) if track_id in shown]
        tracks = [shown[int(sightings.track_id[row])] for row in rows]
        reasons = [self._reason(track, row, sightings) for row, track in zip(rows, tracks, strict=True)]
        return Poses(
            sightings.frame_index, sightings.time_s, sightings.size_wh, sightings.track_id[rows],
            sightings.keypoints[rows], _clip(sightings.xyxy[rows], sightings.size_wh), sightings.presence[rows],
            tuple(reasons), ended, self._skipped, self._layout.name,
        )  # fmt: skip

    def _reason(self, track: Track, row: int, sightings: Sightings) -> NotAssessableReason | None:
        """Why this frame must not be judged for this person."""
        if longer_side(sightings.xyxy[row]) < self._config.min_height_px:
            return "too_small"
        if track.is_doubtful(sightings.time_s):
            return "identity_uncertain"
        body = sightings.keypoints[row][list(self._layout.body)]
        inside = ((body[:, :2] >= 0) & (body[:, :2] < np.array(sightings.size_wh))).all(axis=1)
        if int(inside.sum()) < _MIN_JOINTS_INSIDE:
            return "edge_of_frame"
        if track.is_crowded and float(body[:, 2].mean()) < _OCCLUDED_SCORE:
            return "occluded"
        return None


def _take(track: Track, xyxy: FloatArray, score: float, time_s: float) -> None:
    track.box, track.score, track.box_s = xyxy, score, time_s
    track.best_score = max(track.best_score, score)


def _joined(boxes: Boxes, xyxy: FloatArray, score: float) -> Boxes:
    return Boxes(np.concatenate([boxes.xyxy, xyxy[None]]), np.append(boxes.score, np.float32(score)))


def _new_track(track_id: int, xyxy: FloatArray, score: float, time_s: float) -> Track:
    return Track(
        track_id, BoxKalman(xyxy, time_s), born_s=time_s, seen_s=time_s, box_s=time_s,
        box=xyxy, score=score, best_score=score,
    )  # fmt: skip


def _expected(tracks: Sequence[Track], num_joints: int) -> Expected:
    """Where every track should be now; its last joints moved along with its box."""
    keypoints = np.zeros((len(tracks), num_joints, 3), np.float32)
    for row, track in enumerate(tracks):
        if track.keypoints is not None:
            keypoints[row] = track.keypoints
            keypoints[row, :, :2] += track.kalman.moved_px
    return Expected(
        np.array([track.kalman.xyxy for track in tracks], np.float32).reshape(-1, 4),
        keypoints,
        _flags([track.is_missing for track in tracks]),
        _flags([track.is_confirmed for track in tracks]),
    )


def _boxes(tracks: Sequence[Track]) -> FloatArray:
    boxes = [track.box if track.box is not None else track.kalman.xyxy for track in tracks]
    return np.array(boxes, np.float32).reshape(-1, 4)


def _flags(values: Sequence[bool]) -> BoolArray:
    return np.array(values, np.bool_)


def _clip(xyxy: FloatArray, size_wh: tuple[int, int]) -> FloatArray:
    return np.asarray(np.clip(xyxy, 0, np.array([*size_wh, *size_wh])), np.float32)
