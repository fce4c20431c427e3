"""Makes the detector or the pose estimator that a registry entry names."""

from pathlib import Path

from models.errors import ContractMismatch
from models.registry import ModelSpec
from models.runtime.blaze import BlazePoseLandmarks
from models.runtime.detector import Detector
from models.runtime.pose import PoseEstimator
from models.runtime.rtmdet import RTMDetDetector
from models.runtime.session import Session


def build_detector(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, long_side: int | None = None
) -> Detector:
    """A detector from its weight file.

    long_side: longer side of its input in pixels, where the network leaves it free; None takes the entry's.
    Raises ContractMismatch when the family is not a detector's or the file is not of that family, DeviceUnavailable.
    """
    session = Session(path, device, threads)
    match spec.family:
        case "rtmdet":
            return RTMDetDetector(spec, session, long_side or max(spec.input.size_wh))
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a detector's")


def build_pose(
    spec: ModelSpec, path: Path, device: str = "cpu", threads: int = 1, max_batch: int = 16
) -> PoseEstimator:
    """A pose estimator from its weight file; at most `max_batch` people run at once.

    Raises ContractMismatch when the family is not a pose estimator's or the file is not of that family,
    DeviceUnavailable.
    """
    session = Session(path, device, threads)
    match spec.family:
        case "blazepose":
            return BlazePoseLandmarks(session, max_batch)
    raise ContractMismatch(f"{spec.name}: found family {spec.family!r}, expected a pose estimator's")
