"""Devices by name: what they mean to onnxruntime, and which names mean nothing."""

from pathlib import Path

import pytest

from models.errors import DeviceUnavailable
from models.runtime.device import Device, is_bound

_BUILT = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
_CUDA = {"device_id": "1", "arena_extend_strategy": "kSameAsRequested"}
_CACHED = {
    "trt_engine_cache_enable": "1", "trt_engine_cache_path": "/engines",
    "trt_timing_cache_enable": "1", "trt_timing_cache_path": "/engines",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "providers"),
    [
        ("cpu", ["CPUExecutionProvider"]),
        ("cpu:fixed", ["CPUExecutionProvider"]),
        ("cuda:1", [("CUDAExecutionProvider", _CUDA), "CPUExecutionProvider"]),
        ("cuda", [("CUDAExecutionProvider", _CUDA | {"device_id": "0"}), "CPUExecutionProvider"]),
        (
            "cuda:1,tensorrt,fp16,engines=/engines",
            [
                ("TensorrtExecutionProvider", {"device_id": "1", "trt_fp16_enable": "1"} | _CACHED),
                ("CUDAExecutionProvider", _CUDA),
                "CPUExecutionProvider",
            ],
        ),
        (
            "cuda:1,tensorrt",
            [
                ("TensorrtExecutionProvider", {"device_id": "1", "trt_fp16_enable": "0"}),
                ("CUDAExecutionProvider", _CUDA),
                "CPUExecutionProvider",
            ],
        ),
    ],
)
def test_device_names_its_providers_most_wanted_first(name: str, providers: list[object]) -> None:
    assert Device.parse(name).providers(_BUILT) == providers


@pytest.mark.parametrize(
    "name",
    [
        "cpu",
        "cpu:fixed",
        "cpu,openvino",
        "cpu:fixed,openvino,bf16",
        "cpu,auto,engines=/var/cache",
        "cuda",
        "cuda:0",
        "cuda:2,tensorrt",
        "cuda,tensorrt,fp16,engines=/var/cache",
    ],
)
def test_device_is_called_what_it_was_read_from(name: str) -> None:
    assert str(Device.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "gpu",
        "",
        "cuda:x",
        "cuda:-1",
        "cuda:",
        "cpu:0",
        "cpu,fp16",
        "cuda,fast",
        "cuda,fp16",
        "cuda:0,engines=/x",
        "cuda,",
        "cpu,",
        "cpu,bf16",
        "cpu,auto,bf16",
        "cpu,auto,openvino",
        "cpu,engines=/x",
        "cpu,onnxruntime",
        "cuda,openvino",
    ],
)
def test_device_is_refused_when_its_name_means_nothing(name: str) -> None:
    with pytest.raises(DeviceUnavailable, match="found device"):
        Device.parse(name)


@pytest.mark.parametrize(("name", "lacking"), [("cuda", _BUILT[2:]), ("cuda,tensorrt", _BUILT[1:])])
def test_device_is_refused_when_onnxruntime_was_built_without_it(name: str, lacking: tuple[str, ...]) -> None:
    with pytest.raises(DeviceUnavailable, match=r"CPUExecutionProvider, not \w+ExecutionProvider; install"):
        Device.parse(name).providers(lacking)


@pytest.mark.parametrize(
    ("name", "bound"),
    [("cpu", False), ("cpu,openvino", False), ("cpu:fixed", True), ("cuda:0", True), ("cuda,tensorrt", True)],
)
def test_every_device_but_the_cpu_is_bound_to_declared_shapes(name: str, bound: bool) -> None:
    assert is_bound(name) is bound


def test_engines_are_kept_where_something_is_built_and_nobody_named_a_folder() -> None:
    found = [str(Device.parse(name).keeping(Path("/cache"))) for name in ("cpu", "cuda", "cuda,tensorrt", "cpu,auto")]

    assert found == ["cpu", "cuda", "cuda,tensorrt,engines=/cache", "cpu,auto,engines=/cache"]
    assert Device.parse("cuda,tensorrt,engines=/mine").keeping(Path("/cache")).engines == "/mine"
