"""Runs the detect, track and pose stages over clips and writes what became of the people in them.

    ACTOGRAM_DATA=... ACTOGRAM_WEIGHTS=... python tests/bench/pose_stage.py --out runs/pose.json [CLIP ...]

Per clip: each number with its first and last frame and the frames in which it was seen, ended tracks with reasons, the
cost in landmark and detector calls. UP-Fall falls also get the share of their last 2.8 s (50 frames) in which the
subject's torso points the way that the pictures show (camera 1: head left; camera 2: head towards the camera), within
50 degrees.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.build import DetectorSet, build_detectors, build_pose
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks, PoseEstimator
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from pipelines.stream.config import PipelineConfig
from pipelines.stream.people.camera import CameraStage
from pipelines.stream.people.chain import PeopleChain
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.stream.sources import FileSource
from pipelines.types import Poses
from service.settings import Settings

_FALL = re.compile(r"upfall_a[1-5]_t\d_c(\d)")
_HEAD = {1: np.array([-1.0, 0.0]), 2: np.array([0.0, 1.0])}
_TICK_S = 1e-3
_LAST_S = 50 / 18  # fifty frames of these clips
_BYSTANDER_X = 520  # camera 2: somebody sits to the right of this all the time


@dataclass
class Counted:
    """Detectors and an estimator that count what they are asked."""

    detectors: DetectorSet
    pose: PoseEstimator
    num_looks: int = 0
    num_glances: int = 0
    num_crops: int = 0
    num_landmarks: int = 0

    def look(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """As the detector of whole pictures."""
        self.num_looks += len(images)
        return self.detectors.look(images)

    def glance(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """As the quick detector."""
        self.num_glances += len(images)
        return self.detectors.glance(images)

    def crop(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """As the detector of one person."""
        self.num_crops += len(images)
        return self.detectors.crop(images)

    def estimate(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """As the pose estimator."""
        self.num_landmarks += len(regions)
        return self.pose(images, regions)


@dataclass
class Outcome:
    """What became of the people in one clip; `tracks` is number → first frame, last frame, frames seen."""

    clip: str
    num_frames: int = 0
    looks_per_frame: float = 0.0
    glances_per_frame: float = 0.0
    crops_per_frame: float = 0.0
    landmarks_per_frame: float = 0.0
    tracks: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    ended: list[tuple[int, str]] = field(default_factory=list)
    lying_right: float | None = None


def main() -> None:
    """Run all clips and write one JSON list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", help="names without .mp4; all without any")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--period-s", type=float, default=None, help="seconds between two calm detections")
    parser.add_argument(
        "--rate-hz", type=float, default=None, help="frames per second that are read, as under overload"
    )
    parser.add_argument("--looks-only", action="store_true", help="every detection at full input size")
    arguments = parser.parse_args()
    settings = Settings()
    if settings.data is None:
        parser.error("ACTOGRAM_DATA names no folder")
    folder = settings.data / "video"
    clips = arguments.clips or sorted(path.stem for path in folder.glob("*.mp4"))
    networks = load(settings, arguments.looks_only)
    outcomes = []
    for number, clip in enumerate(clips, 1):
        outcomes.append(run(folder / f"{clip}.mp4", networks, configure(arguments.period_s), arguments.rate_hz))
        print(f"[{number}/{len(clips)}] {outcomes[-1]}", flush=True)
        arguments.out.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


def load(settings: Settings, looks_only: bool) -> tuple[DetectorSet, PoseEstimator]:
    """The networks of the profile `auto`."""
    store = WeightStore(settings.cache, settings.weights, settings.offline)
    profile = load_registry().require_profile("auto")
    found = build_detectors(*store.choose(profile["detect"]))
    return DetectorSet(found.look, found.look, found.look) if looks_only else found, build_pose(
        *store.choose(profile["pose"])
    )


def configure(period_s: float | None) -> PipelineConfig:
    """The default stages, or with another detection period."""
    return PipelineConfig.model_validate({} if period_s is None else {"detect": {"period_s": period_s}})


def run(
    path: Path, networks: tuple[DetectorSet, PoseEstimator], config: PipelineConfig, rate_hz: float | None = None
) -> Outcome:
    """Everything that the stages say of one clip."""
    counted = Counted(*networks)
    detect = DetectStage(counted.look, config.detect, counted.glance)
    pose = PoseStage(counted.estimate, config.pose, counted.crop)
    people = PeopleChain(detect, TrackStage(config.track), pose, CameraStage(config.camera))
    with FileSource(path, rate_hz=rate_hz) as source:
        shown = [people(frame) for frame in source]
    return summarise(path.stem, shown, counted)


def summarise(clip: str, shown: Sequence[Poses], counted: Counted) -> Outcome:
    """Numbers, their frames, and the subject's orientation at the end of a fall."""
    frames: dict[int, list[int]] = defaultdict(list)
    for poses in shown:
        for track_id in poses.track_id.tolist():
            frames[track_id].append(poses.frame_index)
    num_frames = max(len(shown), 1)
    fall = _FALL.fullmatch(clip)
    return Outcome(
        clip, len(shown), counted.num_looks / num_frames, counted.num_glances / num_frames,
        counted.num_crops / num_frames, counted.num_landmarks / num_frames,
        {track_id: (seen[0], seen[-1], len(seen)) for track_id, seen in frames.items()},
        [end for poses in shown for end in poses.ended],
        lying_share(shown, int(fall[1])) if fall else None,
    )  # fmt: skip


def lying_share(shown: Sequence[Poses], camera: int) -> float:
    """Share of the last frames in which the subject is seen and lies the right way round."""
    subject = _subject(shown, camera)
    right = [
        _lies_right(poses, subject, camera) for poses in shown if shown[-1].time_s - poses.time_s < _LAST_S - _TICK_S
    ]
    return float(np.mean(right))


def _subject(shown: Sequence[Poses], camera: int) -> int | None:
    count: Counter[int] = Counter()
    for poses in shown:
        middle = (poses.xyxy[:, 0] + poses.xyxy[:, 2]) / 2
        count.update(poses.track_id[(middle < _BYSTANDER_X) | (camera == 1)].tolist())
    return count.most_common(1)[0][0] if count else None


def _lies_right(poses: Poses, subject: int | None, camera: int) -> bool:
    rows = np.flatnonzero(poses.track_id == subject)
    if not len(rows):
        return False
    joints = poses.keypoints[rows[0], :, :2]
    torso = joints[[5, 6]].mean(axis=0) - joints[[11, 12]].mean(axis=0)
    return bool(torso @ _HEAD[camera] > np.cos(np.deg2rad(50)) * np.hypot(*torso))


if __name__ == "__main__":
    main()
