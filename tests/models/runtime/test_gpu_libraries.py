"""What is said of a machine's GPU libraries, by kind of fault; the machine is a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import onnxruntime
import pytest

from models.errors import DeviceUnavailable
from models.runtime.elf import needed_libraries
from models.runtime.gpu_libraries import find_gpu_libraries, require_gpu_libraries

_GOOD = {"libcuda.so.1": 13000, "libcudart.so.13": 13000, "libcudnn.so.9": 91701}


@dataclass(frozen=True)
class FakeLibraries:
    """A machine with these libraries, by file their version. broken: what the provider cannot load."""

    files: Mapping[str, int] = field(default_factory=lambda: dict(_GOOD))
    provider: str = "CUDAExecutionProvider"
    built_for: str = "13.0"
    gpus: int = 1
    broken: str = ""

    def providers(self) -> tuple[str, ...]:
        return (self.provider, "CPUExecutionProvider")

    def cuda_version(self) -> str:
        return self.built_for

    def version(self, file: str, function: str) -> int:
        if file not in self.files:
            raise OSError(f"{file}: cannot open shared object file: No such file or directory")
        assert function in ("cuDriverGetVersion", "cudaRuntimeGetVersion", "cudnnGetVersion")
        return self.files[file]

    def num_devices(self) -> int:
        return self.gpus

    def load_needed(self) -> None:
        if self.broken:
            raise OSError(f"{self.broken}: cannot open shared object file: No such file or directory")


def without(*files: str, **more: int) -> FakeLibraries:
    """The good machine without some files and with others, whose dots are written as underscores."""
    kept = {name: version for name, version in _GOOD.items() if name not in files}
    return FakeLibraries(kept | {name.replace("_", "."): version for name, version in more.items()})


def test_machine_with_everything_has_no_fault() -> None:
    found = find_gpu_libraries(FakeLibraries())

    assert [(one.name, one.found) for one in found] == [
        ("onnxruntime", "built with CUDA 13.0"),
        ("NVIDIA driver", "takes CUDA 13.0, 1 GPU"),
        ("CUDA", "13.0"),
        ("cuDNN", "9.17.1"),
        ("CUDA libraries", "all found"),
    ]
    assert not any(one.is_bad for one in found)


@pytest.mark.parametrize(
    ("machine", "messages"),
    [
        pytest.param(
            FakeLibraries(provider="AzureExecutionProvider"),
            ["onnxruntime: built without CUDA (AzureExecutionProvider, CPUExecutionProvider): uninstall onnxruntime"],
            id="onnxruntime without CUDA",
        ),
        pytest.param(
            without("libcuda.so.1"),
            ["NVIDIA driver: libcuda.so.1 not found: install it; in a container, start it with `--gpus all`"],
            id="no driver",
        ),
        pytest.param(
            without(libcuda_so_1=12080),
            ["NVIDIA driver: takes CUDA 12.8, expected 13.0: install driver 580 or later"],
            id="old driver",
        ),
        pytest.param(FakeLibraries(gpus=0), ["NVIDIA driver: offers no GPU: see whether `nvidia-smi`"], id="no GPU"),
        pytest.param(
            without("libcudart.so.13"),
            ["CUDA: libcudart.so.13 not found: install the CUDA 13 runtime"],
            id="no libcudart",
        ),
        pytest.param(
            without("libcudart.so.13", libcudart_so_12=12090), ["CUDA: CUDA 12.9, expected 13: "], id="old libcudart"
        ),
        pytest.param(
            without("libcudnn.so.9"), ["cuDNN: libcudnn.so.9 not found: install cuDNN 9 for CUDA 13"], id="no libcudnn"
        ),
        pytest.param(
            without("libcudnn.so.9", libcudnn_so_8=8907), ["cuDNN: 8.9.7, expected 9: install"], id="old libcudnn"
        ),
        pytest.param(
            FakeLibraries(broken="libcufft.so.12"),
            [
                "CUDA libraries: onnxruntime cannot load its CUDA part: libcufft.so.12: cannot open",
                "belongs to CUDA 13",
            ],
            id="another library",
        ),
        pytest.param(
            without("libcuda.so.1", "libcudart.so.13", "libcudnn.so.9"),
            ["NVIDIA driver: ", "; CUDA: ", "; cuDNN: "],
            id="nothing at all",
        ),
        pytest.param(
            replace(without("libcudart.so.13", libcudart_so_12=12090), built_for="14.1"),
            ["takes CUDA 13.0, expected 14.0", "CUDA 12.9, expected 14"],
            id="built for a later CUDA",
        ),
    ],
)
def test_fault_is_named_with_what_to_do(machine: FakeLibraries, messages: list[str]) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        require_gpu_libraries(machine)

    assert all(message in str(caught.value) for message in messages), str(caught.value)


def test_image_is_built_without_a_driver() -> None:
    machine = replace(without("libcuda.so.1"), broken="libcuda.so.1")

    require_gpu_libraries(machine, needs_driver=False)


def test_image_without_cudnn_is_refused_when_it_is_built() -> None:
    with pytest.raises(DeviceUnavailable, match=r"libcudnn\.so\.9 not found"):
        require_gpu_libraries(without("libcuda.so.1", "libcudnn.so.9"), needs_driver=False)


def test_needed_libraries_are_read_from_a_library_that_is_not_loaded() -> None:
    library = Path(onnxruntime.__file__).parent / "capi" / "libonnxruntime_providers_shared.so"

    found = needed_libraries(library)

    assert "libc.so.6" in found


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"\x7fELF\x02\x01" + b"\xff" * 90], ids=["script", "damaged"])
def test_file_that_is_no_library_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "lib.so").write_bytes(content)

    with pytest.raises(ValueError, match=r"lib\.so: "):
        needed_libraries(tmp_path / "lib.so")


def test_this_machine_is_asked_without_a_crash() -> None:
    found = find_gpu_libraries()

    assert found[0].name == "onnxruntime"
