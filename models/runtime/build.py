"""Makes the detector or the pose estimator that a registry entry names."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import ContractMismatch
from models.runtime.blaze import BlazePoseLandmarks
from models.runtime.blaze_detector import BlazePoseDetector
from models.runtime.cut_session import CutSession, open_cut
from models.runtime.detector import Detector
from models.runtime.device import is_bound
from models.runtime.heatmap_pose import HeatmapPose
from models.runtime.onestage import OneStage, OneStageDetector, OneStagePose
from models.runtime.openmmlab import OpenMMLabDetector
from models.runtime.parallel import ParallelPose
from models.runtime.pose import PoseEstimator
from models.runtime.session import Session
from models.runtime.simcc import SimCCPose
from models.runtime.spare import SpareThreads
from models.runtime.yolo import YOLODetector
from models.runtime.yolox import YOLOXDetector
from models.weights.registry import InputSides, ModelSpec

ONE_STAGE_FAMILIES = ("yolo-pose", "rtmo")

GLANCE_SIDE = 416
"""Longer side of the input for a quick look: two fifths of the time of 640, and as good for people over 100 pixels."""
CROP_SIDE = 320
"""Longer side of the input for the crop of one person."""


@dataclass(frozen=True, slots=True)
class DetectorSet:
    """One network with inputs of three sizes; all the same where it has only one, or runs on a GPU.

    look: the whole picture, small people too. glance: the whole picture, quickly. crop: one person's surroundings.
    """

    look: Detector
    glance: Detector
    crop: Detector


def build_detectors(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, sides: InputSides | None = None,
    spare: SpareThreads | None = None,
) -> DetectorSet:  # fmt: skip
    """A detector for every use, over one session; `sides` of its inputs. Raises as `build_detector`.

    spare: threads for a call while no other runs.
    """
    sides = sides or InputSides()
    if spec.family in ONE_STAGE_FAMILIES:
        only: Detector = build_one_stage(spec, path, device, threads)[0]
        return DetectorSet(only, only, only)
    opened = _open(spec, path, device, threads, spare)
    session = opened.session
    look = _detector(spec, opened, sides.look or None)
    has_free_size = not all(isinstance(size, int) for size in session.inputs[0].shape[2:])
    if is_bound(device) or not has_free_size:
        # On a GPU the size hardly matters, and pictures of one size share a batch.
        return DetectorSet(look, look, look)
    glance = _detector(spec, opened, sides.glance or GLANCE_SIDE)
    return DetectorSet(look, glance, _detector(spec, opened, CROP_SIDE))


def build_detector(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, long_side: int | None = None
) -> Detector:
    """A detector from its weight file.

    long_side: longer side of its input in pixels, where the network leaves it free; None takes the entry's.
    Raises ContractMismatch when the family is not a detector's or the file is not of that family, DeviceUnavailable.
    """
    if spec.family in ONE_STAGE_FAMILIES:
        return build_one_stage(spec, path, device, threads, long_side)[0]
    return _detector(spec, _open(spec, path, device, threads), long_side)


def _open(spec: ModelSpec, path: Path, device: str, threads: int, spare: SpareThreads | None = None) -> CutSession:
    """The session of a detector; of those with their suppression inside, cut before it."""
    if spec.family in ("rtmdet", "yolox-sdk"):
        return open_cut(path, device, threads, spare)
    return CutSession(Session(path, device, threads, spare=spare), None)


def _detector(spec: ModelSpec, opened: CutSession, long_side: int | None) -> Detector:
    session = opened.session
    match spec.family:
        case "rtmdet" | "yolox-sdk":
            return OpenMMLabDetector(spec, opened, long_side)
        case "yolox":
            return YOLOXDetector(spec, session, long_side)
        case "yolo":
            return YOLODetector(spec, session, long_side)
        case "blazepose-detector":
            return BlazePoseDetector(session)
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a detector's")


def build_pose(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, max_batch: int = 16,
    spare: SpareThreads | None = None,
) -> PoseEstimator:  # fmt: skip
    """A pose estimator from its weight file; at most `max_batch` people run at once.

    spare: threads for a call while no other runs: BlazePose's crops then go side by side.
    Raises ContractMismatch when the family is not a pose estimator's or the file is not of that family,
    DeviceUnavailable.
    """
    if spec.family in ONE_STAGE_FAMILIES:
        return build_one_stage(spec, path, device, threads)[1]
    match spec.family:
        case "blazepose" if not is_bound(device) and (threads > 1 or spare is not None):
            return ParallelPose(BlazePoseLandmarks(Session(path, device), max_batch), threads, spare)
        case "blazepose":
            return BlazePoseLandmarks(Session(path, device, threads), max_batch)
        case "simcc":
            return SimCCPose(spec, Session(path, device, threads), max_batch)
        case "heatmap":
            return HeatmapPose(spec, Session(path, device, threads), max_batch)
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a pose estimator's")


def build_one_stage(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, long_side: int | None = None
) -> tuple[OneStageDetector, OneStagePose]:
    """Both interfaces over one network that runs once per picture. Raises as the two above."""
    if spec.family not in ONE_STAGE_FAMILIES:
        raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected one of {ONE_STAGE_FAMILIES}")
    network = OneStage(spec, Session(path, device, threads), long_side)
    return OneStageDetector(network), OneStagePose(network)
