"""Choices of detector and pose estimator on clips: people found, falls followed and found, processor time per frame.

    ACTOGRAM_DATA=... ACTOGRAM_WEIGHTS=... python tests/bench/people_networks.py --out runs/people.json \\
        [--way auto] [--way fast] [--way accurate] [--way joints] [--scale 0.5] [CLIP ...]

A way is a profile, or `joints`: those of `auto`, but the pose estimator keeps to itself where the person goes, as every
network does but BlazePose; the chain finds that out from the joints. `--scale` shrinks or blows up the pictures before
anybody looks. Times are of the processor (one thread), because a busy machine says nothing of a network by the clock.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks, PoseEstimator
from models.weights.store import WeightStore
from pipelines.bench.clip_set import BenchClip, load_clips, read_frames
from pipelines.stream.build import NetworkChoice, Networks, build_pipeline, load_networks
from pipelines.stream.config import PipelineConfig
from pipelines.types import Event, Frame, FrameResult
from service.settings import Settings

FALLS = tuple(f"upfall_a{kind}_t1_c{camera}" for kind in range(1, 6) for camera in (1, 2))
OTHERS = ("urfd_fall-01_rgb", "ways0", "cvzmh_fun_theory", "sam2_bedroom", "sam2_juggle")
_LATE_S = 1.5
_RATE_HZ = 15.0


@dataclass
class Outcome:
    """What one way made of one clip; cpu_ms per frame read, heights in pixels of the source."""

    way: str
    clip: str
    networks: tuple[str, ...]
    num_frames: int = 0
    seen: float = 0.0
    people: int = 0
    person_frames: int = 0
    joints_good: float = 0.0
    height_px: float = 0.0
    cpu_ms: float = 0.0
    falls: int = 0
    found: int = 0
    invented: list[float] = field(default_factory=list)


class KeepsRegions:
    """A pose estimator that does not say where the person goes."""

    def __init__(self, pose: PoseEstimator) -> None:
        self._pose = pose
        self.layout = pose.layout

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        return replace(self._pose(images, regions), follows_region=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", help="names without .mp4; else ten falls and five others")
    parser.add_argument("--way", action="append", help="a profile or `joints`; may be given again [auto]")
    parser.add_argument("--scale", type=float, default=1.0, help="of the pictures")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    settings = Settings()
    if settings.data is None:
        parser.error("ACTOGRAM_DATA names no folder")
    cv2.setNumThreads(1)
    outcomes = []
    for way in asked.way or ["auto"]:
        networks = load(settings, way)
        for clip in load_clips(asked.clips or [*FALLS, *OTHERS]):
            path = settings.data / "video" / f"{clip.name}.mp4"
            outcomes.append(run(way, clip, networks, scaled(read_frames(path, _RATE_HZ, 20.0), asked.scale)))
            print(json.dumps(asdict(outcomes[-1])), flush=True)
            asked.out.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1))


def load(settings: Settings, way: str) -> Networks:
    store = WeightStore(settings.cache, settings.weights, settings.offline)
    networks = load_networks(NetworkChoice(profile="auto" if way == "joints" else way), store)
    return replace(networks, pose=KeepsRegions(networks.pose)) if way == "joints" else networks


def scaled(frames: Sequence[Frame], scale: float) -> Sequence[Frame]:
    if scale == 1:
        return frames
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sized = [cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=how) for frame in frames]
    return [replace(frame, image=np.asarray(image, np.uint8)) for frame, image in zip(frames, sized, strict=True)]


def run(way: str, clip: BenchClip, networks: Networks, frames: Sequence[Frame]) -> Outcome:
    pipeline = build_pipeline(networks, PipelineConfig(), clip.name)
    began_s = time.process_time()
    results = [pipeline.process(frame) for frame in frames]
    closed = pipeline.finish()
    cpu_ms = 1000 * (time.process_time() - began_s) / len(frames)
    outcome = Outcome(way, clip.name, networks.names, len(frames), cpu_ms=round(cpu_ms, 1))
    judge_people(outcome, results)
    events = {event.event_id: event for result in results for event in result.events} | {
        event.event_id: event for event in closed
    }
    judge_falls(outcome, clip, list(events.values()))
    return outcome


def judge_people(outcome: Outcome, results: Sequence[FrameResult]) -> None:
    outcome.seen = round(float(np.mean([len(result.poses) > 0 for result in results])), 3)
    people = [number for result in results for number in result.poses.track_id.tolist()]
    outcome.people, outcome.person_frames = len(set(people)), len(people)
    joints = [result.poses.keypoints for result in results if len(result.poses)]
    if joints:
        scores = np.concatenate(joints)[..., 2]
        outcome.joints_good = round(float((scores >= 0.9).mean()), 3)
        sizes = np.concatenate([result.poses.xyxy for result in results])
        outcome.height_px = round(float(np.median((sizes[:, 2:] - sizes[:, :2]).max(axis=1))), 1)


def judge_falls(outcome: Outcome, clip: BenchClip, events: Sequence[Event]) -> None:
    """A fall counts as found where an event of it lies between the loss of balance and a while after the ground.

    UP-Fall's falls whose times nobody noted: one in each clip, whenever it is.
    """
    starts = [event.start_s for event in events if event.action == "fall" and event.state in ("confirmed", "ended")]
    spans = [(lost_s - _LATE_S, ground_s + _LATE_S) for lost_s, ground_s in clip.falls]
    if not spans and clip.name in FALLS:
        spans = [(0.0, math.inf)]
    outcome.falls = len(spans)
    outcome.found = sum(any(low <= start <= high for start in starts) for low, high in spans)
    outcome.invented = [round(s, 2) for s in starts if not any(low <= s <= high for low, high in spans)]


if __name__ == "__main__":
    main()
