"""What a worker measures of itself: batch sizes, and the memory of its device."""

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from models.runtime.batched import BatchedDetector
from models.runtime.batching import Gathering
from models.runtime.detector import DetectedPeople
from models.runtime.pose import Landmarks
from service.protocol.messages import Sample
from service.worker.gauges import BatchSizes, CountedDetector, CountedPose, DeviceMemory

PICTURE = np.zeros((8, 8, 3), np.uint8)


def detect(images: object) -> list[DetectedPeople]:
    """Nobody, in each picture."""
    assert isinstance(images, list)
    return [DetectedPeople(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images]


class Joints:
    """A pose estimator that says nothing of value."""

    layout = "coco17"

    def __call__(self, images: object, regions: np.ndarray) -> Landmarks:
        rows = len(regions)
        return Landmarks(np.zeros((rows, 17, 3), np.float32), np.ones(rows, np.float32), regions, True)


def test_batch_sizes_are_told_once_per_stage() -> None:
    sizes = BatchSizes()
    detector, pose = CountedDetector(detect, sizes), CountedPose(Joints(), sizes)
    for number in (1, 3):
        detector([PICTURE] * number)
        pose([PICTURE] * number, np.zeros((number, 4), np.float32))
    pose([], np.zeros((0, 4), np.float32))

    told = sizes.take()

    assert [(one.metric, one.action, one.values, one.labels) for one in told] == [
        ("batch_size", "observe", (1.0, 3.0), {"stage": "detect"}),
        ("batch_size", "observe", (1.0, 3.0), {"stage": "pose"}),
    ]
    assert sizes.take() == []


def test_batch_is_counted_as_the_network_took_it() -> None:
    sizes = BatchSizes()
    shared = BatchedDetector(CountedDetector(detect, sizes), Gathering(max_batch=2, deadline_s=0.0))

    shared([PICTURE] * 5)
    shared.close()

    assert [one.values for one in sizes.take()] == [(2.0, 2.0, 1.0)]


def cuda(used: int, total: int, error: int = 0) -> ctypes.CDLL:
    """A CUDA runtime whose device has so much memory in use."""

    def get_info(free: object, whole: object) -> int:
        cast("ctypes.c_size_t", getattr(free, "_obj")).value = total - used  # noqa: B009 - how ctypes hides it
        cast("ctypes.c_size_t", getattr(whole, "_obj")).value = total  # noqa: B009
        return error

    return cast("ctypes.CDLL", SimpleNamespace(cudaSetDevice=lambda _: 0, cudaMemGetInfo=get_info))


@pytest.mark.parametrize(
    ("device", "runtime", "expected"),
    [
        ("cuda:1", cuda(300, 800), [Sample("gpu_memory_bytes", "set", (300.0,), {"device": "cuda:1"})]),
        ("cuda:0", cuda(1, 2, error=2), []),
        ("cuda:0", None, []),
        ("cpu", cuda(1, 2), []),
    ],
    ids=["in use", "refused", "no runtime", "no GPU"],
)
def test_memory_of_the_device_is_told_where_it_can_be_asked(
    device: str, runtime: ctypes.CDLL | None, expected: list[Sample]
) -> None:
    assert DeviceMemory(device, lambda: runtime).take() == expected


def test_no_cuda_runtime_is_loaded_by_asking() -> None:
    maps = Path("/proc/self/maps")
    was_loaded = "libcudart" in maps.read_text()

    DeviceMemory("cuda:0").take()

    assert ("libcudart" in maps.read_text()) == was_loaded
