"""What a worker works with: one device per worker where there are several."""

import pytest

from service.worker.runners import worker_device


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
