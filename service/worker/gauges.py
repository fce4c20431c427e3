"""What a worker's networks are asked for at once, and how much of their device's memory is in use."""

import ctypes
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.action import Network
from models.runtime.batched import BatchedDetector, BatchedPose
from models.runtime.detector import DetectedPeople, Detector
from models.runtime.device import Device
from models.runtime.pose import Landmarks, PoseEstimator
from models.runtime.session import Session, sessions_of
from service.protocol.messages import Sample
from service.protocol.metrics import BATCH_SIZE, GPU_MEMORY

if TYPE_CHECKING:
    from pipelines.stream.build import PeopleNetworks

PeopleT = TypeVar("PeopleT", bound="PeopleNetworks")
_SIZES_MAX = 4096
_MAPS = Path("/proc/self/maps")


class BatchSizes:
    """Batch sizes since they were last asked for; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: dict[str, list[float]] = {}

    def note(self, stage: str, size: int) -> None:
        """A network ran on so many inputs; none is no run."""
        with self._lock:
            found = self._sizes.setdefault(stage, [])
            if size and len(found) < _SIZES_MAX:
                found.append(float(size))

    def take(self) -> list[Sample]:
        """One sample per stage, with every size that is new."""
        with self._lock:
            sizes, self._sizes = self._sizes, {}
        told = {stage: tuple(found) for stage, found in sizes.items() if found}
        return [replace(BATCH_SIZE.observe(0.0, stage=stage), values=values) for stage, values in told.items()]


class CountedDetector:
    """A detector whose batches are counted."""

    def __init__(self, detector: Detector, sizes: BatchSizes) -> None:
        self._detector = detector
        self._sizes = sizes

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._detector)

    def __call__(self, images: Sequence[Image]) -> list[DetectedPeople]:
        """One answer per picture. Raises what the detector raises."""
        self._sizes.note("detect", len(images))
        return self._detector(images)


class CountedPose:
    """A pose estimator whose batches are counted."""

    def __init__(self, pose: PoseEstimator, sizes: BatchSizes) -> None:
        self._pose = pose
        self._sizes = sizes

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._pose)

    @property
    def layout(self) -> str:
        """The layout of the keypoints."""
        return self._pose.layout

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """One image per region. Raises what the estimator raises."""
        self._sizes.note("pose", len(regions))
        return self._pose(images, regions)


class CountedNetwork:
    """An action network whose batches are counted."""

    def __init__(self, network: Network, sizes: BatchSizes) -> None:
        self._network = network
        self._sizes = sizes

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return sessions_of(self._network)

    def run(self, feeds: Mapping[str, AnyArray]) -> Mapping[str, AnyArray]:
        """The outputs for one batch. Raises what the network raises."""
        self._sizes.note("action", max((len(value) for value in feeds.values()), default=0))
        return self._network.run(feeds)


def counted(networks: PeopleT, sizes: BatchSizes) -> PeopleT:
    """The networks with their batches counted; to be batched after that, so that whole batches are seen.

    What is counted or batched already stays as it is.
    """
    detector, pose = networks.detector, networks.pose
    return replace(
        networks,
        detector=detector if _is_wrapped(detector) else CountedDetector(detector, sizes),
        pose=pose if _is_wrapped(pose) else CountedPose(pose, sizes),
    )


def _is_wrapped(network: object) -> bool:
    return isinstance(network, (CountedDetector, CountedPose, BatchedDetector, BatchedPose))


class DeviceMemory:
    """Memory in use on a CUDA device, by whichever process; nothing on a CPU.

    device: such as `cuda:1`.
    find: the CUDA runtime that the networks' own runtime has loaded; None where there is none.
    """

    def __init__(self, device: str, find: Callable[[], ctypes.CDLL | None] | None = None) -> None:
        self._device = device
        self._find = find or _cuda_runtime
        self._runtime: ctypes.CDLL | None = None

    def take(self) -> list[Sample]:
        """The present value; empty where nothing can be asked."""
        if not self._device.startswith("cuda"):
            return []
        self._runtime = self._runtime or self._find()
        used = None if self._runtime is None else _used_bytes(self._runtime, Device.parse(self._device).index or 0)
        return [] if used is None else [GPU_MEMORY.set(used, device=self._device)]


def _used_bytes(runtime: ctypes.CDLL, index: int) -> int | None:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if runtime.cudaSetDevice(index) or runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)):
        return None
    return total.value - free.value


def _cuda_runtime() -> ctypes.CDLL | None:
    """Only what is loaded already: another version beside it would make a context of its own."""
    try:
        found = re.search(r"(/\S*libcudart\.so[\w.]*)$", _MAPS.read_text(), re.MULTILINE)
        return None if found is None else ctypes.CDLL(found[1])
    except OSError:
        return None
