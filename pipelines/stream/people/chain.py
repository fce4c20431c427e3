"""The people chain: one frame in, everyone in it with their joints out. The order of its stages stands only here."""

from dataclasses import replace

import numpy as np

from models.arrays import FloatArray
from pipelines.stream.people.boxes import areas, cover_matrix, iou_matrix
from pipelines.stream.people.camera import CameraReport, CameraStage
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.stats import StageClock
from pipelines.types import Boxes, Frame, Poses, TrackEnd, Tracks

_SAME = 0.4  # overlap (IoU) from which a box is that of somebody whose joints are told
_WITHIN = 0.8  # share of a box that lies in another one
_WEAK = 0.4
_MUCH_LARGER = 3.0


class PeopleChain:
    """Detect, track, pose, and a look at the camera itself, for one source; not for use from several threads at once.

    clock: gets one lap per stage.
    """

    def __init__(
        self,
        detect: DetectStage,
        track: TrackStage,
        pose: PoseStage,
        camera: CameraStage,
        clock: StageClock | None = None,
    ) -> None:
        self._detect = detect
        self._track = track
        self._pose = pose
        self._camera = camera
        self._clock = clock or StageClock()

    def __call__(self, frame: Frame) -> Poses:
        """Everyone whose joints were seen in this frame. Raises ModelError where a network fails.

        Where the frame does not follow on the one before, everybody's track ends first.
        """
        ended = self._break_off(frame)
        lap = self._clock.lap
        boxes = self._detect(frame, self._track.demand())
        lap("detect")
        tracks = self._track(frame, boxes)
        lap("track")
        sightings = self._pose(frame, tracks)
        lap("pose")
        poses = self._track.observe(sightings)
        lap("track")
        poses = self._camera(frame, poses)
        lap("camera")
        return replace(
            poses, ended=(*ended, *poses.ended), unposed=_unposed(poses, tracks, boxes), is_looked=boxes is not None
        )

    @property
    def camera(self) -> CameraReport:
        """What was noticed of the camera so far."""
        return self._camera.report

    @property
    def looks_left_out(self) -> int:
        """Looks for people that were left out because nobody was there and nothing moved."""
        return self._detect.num_left_out

    def _break_off(self, frame: Frame) -> tuple[tuple[int, TrackEnd], ...]:
        """Forget everyone at a break; the tracks that end with it, and why."""
        if not frame.is_break:
            return ()
        self._detect.reset()
        self._pose.reset()
        self._camera.reset(frame.break_reason)
        reason: TrackEnd = "scene_cut" if frame.break_reason == "scene_cut" else "gap"
        return tuple((track_id, reason) for track_id in self._track.reset())


def _unposed(poses: Poses, tracks: Tracks, boxes: Boxes | None) -> FloatArray:
    """(M, 4) float32, where people are of whom no joints are told: tracks that are not shown now, boxes of nobody's."""
    hidden = tracks.xyxy[~np.isin(tracks.track_id, poses.track_id)]
    if boxes is None or not len(boxes):
        return hidden
    own = iou_matrix(boxes.xyxy, poses.xyxy) >= _SAME
    # A weak box within somebody is a piece of them; one around somebody, and not much larger, is theirs too.
    own |= (cover_matrix(boxes.xyxy, poses.xyxy) >= _WITHIN) & (boxes.score < _WEAK)[:, None]
    much_larger = areas(boxes.xyxy)[:, None] > _MUCH_LARGER * areas(poses.xyxy)[None]
    own |= (cover_matrix(poses.xyxy, boxes.xyxy).T >= _WITHIN) & ~much_larger
    return np.concatenate([hidden, boxes.xyxy[~own.any(axis=1)]])
