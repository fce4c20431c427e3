"""Camera stage: says of people whom the camera itself makes impossible to judge that they are not assessable."""

from dataclasses import dataclass, replace

from models.skeleton.layouts import COCO17, Layout
from pipelines.orientation import Rotation
from pipelines.stream.config import CameraConfig
from pipelines.stream.people.camera_motion import CameraMotion
from pipelines.stream.people.camera_turn import CameraTurn, rotation_deg
from pipelines.types import BreakReason, Frame, NotAssessableReason, Poses


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What was noticed of the camera.

    moved_frames: frames in which it moved too much to judge somebody.
    rotate_deg: by how much its picture should be turned clockwise, so that people stand; 0 where nothing is wrong.
    """

    moved_frames: int = 0
    rotate_deg: Rotation = 0


class CameraStage:
    """Watches the camera of one stream; a frame's people keep their joints, and get a reason not to be judged."""

    def __init__(self, config: CameraConfig, layout: Layout = COCO17) -> None:
        self._motion = CameraMotion(config)
        self._turn = CameraTurn(layout)
        self._moved_frames = 0

    def __call__(self, frame: Frame, poses: Poses) -> Poses:
        """The same people, with `camera_moved` or `camera_rotated` where it holds."""
        is_moved = self._motion(frame.image, frame.time_s, poses.xyxy)
        if is_moved.any():
            self._moved_frames += 1
            self._turn.forget()
        is_turned = self._turn(poses) != 0
        if not is_turned and not is_moved.any():
            return poses
        reasons: list[NotAssessableReason | None] = list(poses.reason)
        for row, has_moved in enumerate(is_moved.tolist()):
            reasons[row] = "camera_moved" if has_moved else "camera_rotated" if is_turned else reasons[row]
        return replace(poses, reason=tuple(reasons))

    def reset(self, reason: BreakReason | None) -> None:
        """What follows is no continuation; after a cut or with another size it may be another camera."""
        self._motion.reset()
        if reason in ("scene_cut", "size_change"):
            self._turn.forget()

    @property
    def report(self) -> CameraReport:
        """What was noticed so far."""
        return CameraReport(self._moved_frames, rotation_deg(self._turn.quarter))
