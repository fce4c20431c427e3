"""Networks that find people and their joints in one pass, behind both interfaces: YOLO-pose and RTMO.

RTMO: Lu et al., "RTMO: Towards High-Performance One-Stage Real-Time Multi-Person Pose Estimation", 2024.
"""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.detector import SCORE_FLOOR, DetectedPeople, Letterbox, iou, nms, score_floor
from models.runtime.pictures import PictureNetwork
from models.runtime.pose import Landmarks, region_from_box
from models.runtime.session import Session
from models.runtime.yolo import RowReader, require_rows
from models.skeleton.layouts import COCO17, require_layout
from models.weights.registry import ModelSpec

_SEEN_MAX = 64
"""Pictures whose people are remembered: one or two of each stream."""
_RTMO_MAX_IOU = 0.65  # of RTMO's test configuration
_MIN_IOU = 0.2
"""Less overlap than this between a region and a found person's region means that it is somebody else."""


@dataclass(frozen=True, slots=True)
class PosedPeople:
    """People of one picture with their joints, best first.

    boxes: as a detector gives them. keypoints: (N, V, 3) float32, source pixels and visibility 0..1.
    """

    boxes: DetectedPeople
    keypoints: FloatArray


class OneStage:
    """One network that is asked once per picture, whether for people or for joints.

    The answers about the last pictures are kept, because the pose stage asks about those that the detector has just
    seen, while other streams ask about theirs. A picture is known by identity, so nobody may write into one that was
    shown; it is not kept alive.
    """

    def __init__(self, spec: ModelSpec, session: Session, long_side: int | None = None) -> None:
        self.layout = spec.layout or COCO17.name
        self.num_joints = len(require_layout(self.layout))
        is_centred = spec.family == "yolo-pose" or bool(spec.decode.get("centred"))
        self._network = PictureNetwork(spec.input, session, long_side, is_centred)
        self._decode = _rtmo(spec, session) if spec.family == "rtmo" else _yolo(spec, session, self.num_joints)
        self._lock = threading.Lock()
        self._seen: OrderedDict[int, tuple[weakref.ref[Image], PosedPeople]] = OrderedDict()

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def find(self, images: Sequence[Image]) -> list[PosedPeople]:
        """Everybody in each picture; a picture that was shown lately is not run again."""
        known = self._recall(images)
        fresh = list({id(image): image for image in images if id(image) not in known}.values())
        for index, box, row in self._network.iter_answers(fresh):
            known[id(fresh[index])] = _posed(box, *self._decode(row))
        self._remember(fresh, known)
        return [known[id(image)] for image in images]

    def _recall(self, images: Sequence[Image]) -> dict[int, PosedPeople]:
        known = {}
        with self._lock:
            for image in images:
                shown, answer = self._seen.get(id(image), (None, None))
                # Another picture may have got the place in memory of one that is gone.
                if answer is not None and shown is not None and shown() is image:
                    known[id(image)] = answer
        return known

    def _remember(self, fresh: Sequence[Image], known: Mapping[int, PosedPeople]) -> None:
        with self._lock:
            for image in fresh:
                self._seen[id(image)] = (weakref.ref(image), known[id(image)])
                self._seen.move_to_end(id(image))
            while len(self._seen) > _SEEN_MAX:
                self._seen.popitem(last=False)


class OneStageDetector:
    """The people that a one-stage network finds."""

    def __init__(self, network: OneStage) -> None:
        self._network = network

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture."""
        return [found.boxes for found in self._network.find(images)]


class OneStagePose:
    """The joints of the found person that fits each region; a region without one has presence 0 and no joint seen."""

    def __init__(self, network: OneStage) -> None:
        self.layout = network.layout
        self._network = network

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return self._network.sessions

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """Joints per region; nobody is given to two regions of one picture."""
        landmarks = Landmarks(
            np.zeros((len(regions), self._network.num_joints, 3), np.float32),
            np.zeros(len(regions), np.float32),
            regions.astype(np.float32, copy=True),
            follows_region=False,
        )
        pictures = {id(image): image for image in images}
        found = dict(zip(pictures, self._network.find(list(pictures.values())), strict=True))
        for key, people_here in found.items():
            _fill(landmarks, [index for index, image in enumerate(images) if id(image) == key], people_here)
        return landmarks


def _fill(landmarks: Landmarks, indexes: Sequence[int], found: PosedPeople) -> None:
    """Write the best fitting person of a picture into each of its regions, closest pairs first.

    Regions that differ only in their turn are one: whoever tries other turns of a body gets that body, not a neighbour.
    """
    theirs = region_from_box(found.boxes.xyxy)
    asked, group = np.unique(landmarks.next_region[list(indexes), :3], axis=0, return_inverse=True)
    overlap = iou(_square(asked), _square(theirs))
    while overlap.size and overlap.max() >= _MIN_IOU:
        row, person = (int(at) for at in np.unravel_index(overlap.argmax(), overlap.shape))
        overlap[row], overlap[:, person] = -1, -1
        for index in np.array(indexes)[group.reshape(-1) == row]:
            landmarks.keypoints[index] = found.keypoints[person]
            landmarks.presence[index] = found.boxes.score[person]
            landmarks.next_region[index] = theirs[person]


def _square(regions: FloatArray) -> FloatArray:
    """Upright boxes (N, 4) of regions, their turn left out."""
    half = regions[:, 2:3] / 2
    return np.concatenate([regions[:, :2] - half, regions[:, :2] + half], axis=1)


_Decoded = tuple[FloatArray, FloatArray, FloatArray]
"""xyxy (N, 4), score (N,) and keypoints (N, V, 3), in input pixels."""


def _yolo(spec: ModelSpec, session: Session, num_joints: int) -> Callable[[Mapping[str, AnyArray]], _Decoded]:
    output = require_rows(session)
    read = RowReader.of(spec, num_extra=3 * num_joints)

    def decode(row: Mapping[str, AnyArray]) -> _Decoded:
        rows = read(row[output])
        return rows.xyxy, rows.score, rows.extra.reshape(-1, num_joints, 3)

    return decode


def _rtmo(spec: ModelSpec, session: Session) -> Callable[[Mapping[str, AnyArray]], _Decoded]:
    """Files with suppression inside have none left to do."""
    session.require_output("dets", "keypoints")
    min_score = score_floor(spec)
    max_iou = spec.number("iou_threshold", _RTMO_MAX_IOU)

    def decode(row: Mapping[str, AnyArray]) -> _Decoded:
        near = np.flatnonzero(row["dets"][:, 4] >= min_score)
        order = near[nms(row["dets"][near, :4], row["dets"][near, 4], max_iou)]
        return row["dets"][order, :4], row["dets"][order, 4], row["keypoints"][order]

    return decode


def _posed(box: Letterbox, xyxy: FloatArray, score: FloatArray, keypoints: FloatArray) -> PosedPeople:
    """To source pixels; joints outside the picture stay where they are, boxes are cut at its edges."""
    source = box.to_source(xyxy)
    keep = (score >= SCORE_FLOOR) & (source[:, 2] > source[:, 0]) & (source[:, 3] > source[:, 1])
    points = box.points_to_source(keypoints[keep, :, :2])
    visibility = np.clip(keypoints[keep, :, 2:3], 0, 1)
    boxes = DetectedPeople(source[keep], np.minimum(score[keep], 1).astype(np.float32))
    return PosedPeople(boxes, np.concatenate([points, visibility], axis=2).astype(np.float32))
