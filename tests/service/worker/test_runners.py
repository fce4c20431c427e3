"""What a worker works with: one device per worker where there are several."""

from pathlib import Path

import onnxruntime
import pytest

from models.errors import DeviceUnavailable
from service.settings import load_settings
from service.worker.runners import build_runners, worker_device


@pytest.mark.parametrize(
    ("device", "process", "expected"),
    [
        ("cpu", "actogram-w3", "cpu"),
        ("cuda:1", "actogram-w3", "cuda:1"),
        ("cuda", "actogram-w0", "cuda:0"),
        ("cuda", "actogram-w3", "cuda:3"),
        ("cuda", "actogram-jobs", "cuda:0"),
    ],
)
def test_each_worker_gets_a_device_of_its_own_when_cuda_is_named(device: str, process: str, expected: str) -> None:
    assert worker_device(device, process) == expected


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="has a GPU's onnxruntime")
def test_worker_for_a_gpu_says_what_is_missing_before_it_looks_for_weights(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, device="cuda:0", offline=True)

    with pytest.raises(DeviceUnavailable, match=r"onnxruntime: built without CUDA .*: uninstall onnxruntime"):
        build_runners(settings)
