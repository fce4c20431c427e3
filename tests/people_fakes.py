"""A small world with people in it, and a detector and a pose estimator that see it as the real networks do.

A picture carries its moment in its first pixel, so that the networks, which get pictures only, know what to see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks
from pipelines.stream.config import CameraConfig, DetectConfig, PoseConfig, TrackConfig
from pipelines.stream.people.boxes import joint_box, overlap, square_region
from pipelines.stream.people.camera import CameraStage
from pipelines.stream.people.chain import PeopleChain
from pipelines.stream.people.detect import DetectStage
from pipelines.stream.people.pose import PoseStage
from pipelines.stream.people.track import TrackStage
from pipelines.types import Frame, Poses

SIZE_WH = (640, 480)

_STANDING = np.array(
    [[0, -95], [4, -99], [-4, -99], [8, -97], [-8, -97], [20, -70], [-20, -70], [25, -35], [-25, -35],
     [25, 0], [-25, 0], [12, 0], [-12, 0], [12, 50], [-12, 50], [12, 100], [-12, 100]], np.float32,
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One body: where, how big, how far the head is turned from upright (radians, counter-clockwise), what colour."""

    centre: tuple[float, float]
    scale: float = 1.0
    turn: float = 0.0
    colour: tuple[int, int, int] = (40, 40, 200)
    score: float | None = None
    presence: float = 0.99

    @property
    def keypoints(self) -> FloatArray:
        """(17, 3) joints, all visible."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        points = _STANDING @ np.array([[cos, -sin], [sin, cos]]) * self.scale + np.array(self.centre)
        return np.column_stack([points, np.full(17, 0.95)]).astype(np.float32)

    @property
    def xyxy(self) -> FloatArray:
        """(4,) the box a detector would give."""
        return joint_box(self.keypoints)

    @property
    def detector_score(self) -> float:
        """People who lie are seen badly by detectors."""
        if self.score is not None:
            return self.score
        return 0.9 if abs(self.turn) < 0.8 else 0.35


Scene = Callable[[int], Sequence[Person]]


@dataclass
class World:
    """What is where at each moment, and how often the networks were asked."""

    scene: Scene
    extra: Mapping[int, Sequence[tuple[tuple[float, float, float, float], float]]] = field(default_factory=dict)
    detector_calls: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def picture(self, moment: int) -> Image:
        """The picture of one moment: grey, each torso in its colour."""
        image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 128, np.uint8)
        for person in self.scene(moment):
            torso = person.keypoints[[5, 6, 12, 11], :2].astype(np.int32)
            cv2.fillConvexPoly(image, torso, person.colour)
        image[0, 0] = moment % 256, moment // 256, 0
        return image

    def detect(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """As models.runtime.detector.Detector."""
        self.detector_calls += [_moment(image) for image in images]
        return [self._people(_moment(image)) for image in images]

    def estimate(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """As models.runtime.pose.PoseEstimator: a body turned wrongly by 90 degrees is drawn along the region."""
        self.batches.append(len(regions))
        if not len(regions):
            return Landmarks.empty(17, follows_region=True)
        seen = [self._look(_moment(image), region) for image, region in zip(images, regions, strict=True)]
        keypoints, presence, following = zip(*seen, strict=True)
        return Landmarks(np.stack(keypoints), np.array(presence, np.float32), np.stack(following), follows_region=True)

    def _people(self, moment: int) -> DetectedPeople:
        boxes = [(person.xyxy, person.detector_score) for person in self.scene(moment)]
        boxes += [(np.array(box, np.float32), score) for box, score in self.extra.get(moment, ())]
        xyxy = np.array([box for box, _ in boxes], np.float32).reshape(-1, 4)
        return DetectedPeople(xyxy, np.array([score for _, score in boxes], np.float32))

    def _look(self, moment: int, region: FloatArray) -> tuple[FloatArray, float, FloatArray]:
        around = np.concatenate([region[:2] - region[2] / 2, region[:2] + region[2] / 2]).astype(np.float32)
        people = [(overlap(person.xyxy, around), person) for person in self.scene(moment)]
        share, person = max(people, key=lambda item: item[0], default=(0.0, Person((0, 0))))
        if share < 0.05:
            return Person((float(region[0]), float(region[1]))).keypoints, 0.02, region
        wrong = (float(region[3]) - person.turn + np.pi) % (2 * np.pi) - np.pi
        if abs(wrong) < 0.8:
            return person.keypoints, person.presence, square_region(_tight(person), person.turn)
        drawn = Person(person.centre, person.scale, float(region[3])).keypoints
        drawn[:, 2] = 0.3
        return drawn, 0.9, region


@dataclass
class People:
    """A world, and the chain that watches it."""

    world: World
    track: TrackStage
    pose: PoseStage
    chain: PeopleChain

    def see(self, moment: int, time_s: float) -> Poses:
        """One frame."""
        return self.chain(Frame(moment, time_s, self.world.picture(moment)))


def people_in(
    scene: Scene,
    *,
    track: TrackConfig | None = None,
    pose: PoseConfig | None = None,
    extra: Mapping[int, Sequence[tuple[tuple[float, float, float, float], float]]] | None = None,
) -> People:
    """Stages that watch a scene."""
    world = World(scene, extra or {})
    tracker, poser = TrackStage(track or TrackConfig()), PoseStage(world.estimate, pose or PoseConfig())
    return People(
        world,
        tracker,
        poser,
        PeopleChain(DetectStage(world.detect, DetectConfig()), tracker, poser, CameraStage(CameraConfig())),
    )


def watch(people: People, num_frames: int, rate_hz: float = 20.0) -> list[Poses]:
    """The poses of the first frames."""
    return [people.see(moment, moment / rate_hz) for moment in range(num_frames)]


def _moment(image: Image) -> int:
    return int(image[0, 0, 0]) + 256 * int(image[0, 0, 1])


def _tight(person: Person) -> FloatArray:
    return joint_box(Person(person.centre, person.scale).keypoints, margin=0.0)
