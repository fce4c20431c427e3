"""Makes the detector or the pose estimator that a registry entry names."""

from pathlib import Path

from models.errors import ContractMismatch
from models.registry import ModelSpec
from models.runtime.blaze import BlazePoseLandmarks
from models.runtime.blaze_detector import BlazePoseDetector
from models.runtime.detector import Detector
from models.runtime.onestage import OneStage, OneStageDetector, OneStagePose
from models.runtime.openmmlab import OpenMMLabDetector
from models.runtime.pose import PoseEstimator
from models.runtime.session import Session
from models.runtime.simcc import SimCCPose
from models.runtime.yolo import YOLODetector
from models.runtime.yolox import YOLOXDetector

ONE_STAGE_FAMILIES = ("yolo-pose", "rtmo")


def build_detector(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, long_side: int | None = None
) -> Detector:
    """A detector from its weight file.

    long_side: longer side of its input in pixels, where the network leaves it free; None takes the entry's.
    Raises ContractMismatch when the family is not a detector's or the file is not of that family, DeviceUnavailable.
    """
    if spec.family in ONE_STAGE_FAMILIES:
        return build_one_stage(spec, path, device, threads, long_side)[0]
    session = Session(path, device, threads)
    match spec.family:
        case "rtmdet" | "yolox-sdk":
            return OpenMMLabDetector(spec.input, session, long_side)
        case "yolox":
            return YOLOXDetector(spec.input, session, long_side)
        case "yolo":
            return YOLODetector(spec.input, session, long_side)
        case "blazepose-detector":
            return BlazePoseDetector(session)
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a detector's")


def build_pose(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, max_batch: int = 16
) -> PoseEstimator:
    """A pose estimator from its weight file; at most `max_batch` people run at once.

    Raises ContractMismatch when the family is not a pose estimator's or the file is not of that family,
    DeviceUnavailable.
    """
    if spec.family in ONE_STAGE_FAMILIES:
        return build_one_stage(spec, path, device, threads)[1]
    session = Session(path, device, threads)
    match spec.family:
        case "blazepose":
            return BlazePoseLandmarks(session, max_batch)
        case "simcc":
            return SimCCPose(spec, session, max_batch)
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a pose estimator's")


def build_one_stage(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, long_side: int | None = None
) -> tuple[OneStageDetector, OneStagePose]:
    """Both interfaces over one network that runs once per picture. Raises as the two above."""
    if spec.family not in ONE_STAGE_FAMILIES:
        raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected one of {ONE_STAGE_FAMILIES}")
    network = OneStage(spec, Session(path, device, threads), long_side)
    return OneStageDetector(network), OneStagePose(network)
