"""Whether this machine has what onnxruntime needs for a GPU: driver, CUDA, cuDNN; and what to do where it has not.

onnxruntime says little: it lists CUDA without a GPU, and falls back to the CPU where a library is missing or too old.
"""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import onnxruntime

from models.errors import DeviceUnavailable
from models.runtime.elf import needed_libraries

_CUDA = "CUDAExecutionProvider"
_DRIVER = "libcuda.so.1"
CUDA_MAJOR, CUDNN_MAJOR = 13, 9
"""Of onnxruntime-gpu 1.31, where the package does not say it."""
_DRIVER_OF_CUDA = {13: "580", 12: "525"}
"""The first driver for Linux that serves every minor version of a CUDA."""
_OLDER_CUDA, _OLDER_CUDNN = (12, 11), (8, 7)


@dataclass(frozen=True, slots=True)
class GpuFinding:
    """One thing that a GPU needs.

    name: for people. found: in a few words. advice: what to do; empty where nothing is wrong.
    """

    name: str
    found: str
    advice: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether no network can run on a GPU because of it."""
        return bool(self.advice)


class Libraries(Protocol):
    """What is installed; `SystemLibraries` asks this machine."""

    def providers(self) -> tuple[str, ...]:
        """Execution providers that onnxruntime was built with."""
        ...

    def cuda_version(self) -> str:
        """The CUDA that onnxruntime was built for; empty where it does not say."""
        ...

    def version(self, file: str, function: str) -> int:
        """What a library's version function says; raises OSError where the library cannot be loaded."""
        ...

    def num_devices(self) -> int:
        """GPUs that the driver offers; raises OSError where there is no driver."""
        ...

    def load_needed(self) -> None:
        """Load all that onnxruntime's CUDA part needs; raises OSError that names what is missing."""
        ...


class SystemLibraries:
    """This machine."""

    def providers(self) -> tuple[str, ...]:
        """Execution providers that onnxruntime was built with."""
        return tuple(onnxruntime.get_available_providers())

    def cuda_version(self) -> str:
        """The CUDA that onnxruntime was built for."""
        return str(getattr(onnxruntime, "cuda_version", "") or "")

    def version(self, file: str, function: str) -> int:
        """CUDA's own functions write the version through a pointer, cuDNN's returns it."""
        call = getattr(ctypes.CDLL(file), function)
        if function == "cudnnGetVersion":
            call.restype = ctypes.c_size_t
            return int(call())
        value = ctypes.c_int()
        status = call(ctypes.byref(value))
        if status:
            raise OSError(f"{file}: {function} failed with status {status}")
        return value.value

    def num_devices(self) -> int:
        """GPUs that the driver offers, after those that CUDA_VISIBLE_DEVICES hides."""
        driver, count = ctypes.CDLL(_DRIVER), ctypes.c_int()
        if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return 0
        return count.value

    def load_needed(self) -> None:
        """Each library that onnxruntime's CUDA part names; that part itself must be loaded by onnxruntime alone."""
        folder = Path(onnxruntime.__file__).parent / "capi"
        for name in needed_libraries(folder / "libonnxruntime_providers_cuda.so"):
            if not (folder / name).is_file():
                ctypes.CDLL(name)


def find_gpu_libraries(libraries: Libraries | None = None, *, needs_driver: bool = True) -> tuple[GpuFinding, ...]:
    """Everything that a GPU needs, in the order in which to put it right.

    needs_driver: False where an image is built, which gets the driver when it is started.
    """
    return tuple(_findings(libraries or SystemLibraries(), needs_driver=needs_driver))


def require_gpu_libraries(libraries: Libraries | None = None, *, needs_driver: bool = True) -> None:
    """Raises DeviceUnavailable that says what is missing or too old, and what to do about each."""
    bad = [one for one in find_gpu_libraries(libraries, needs_driver=needs_driver) if one.is_bad]
    if bad:
        raise DeviceUnavailable("; ".join(f"{one.name}: {one.found}: {one.advice}" for one in bad))


def _findings(libraries: Libraries, *, needs_driver: bool) -> Iterator[GpuFinding]:
    providers = libraries.providers()
    if _CUDA not in providers:
        yield GpuFinding(
            "onnxruntime", f"built without CUDA ({', '.join(providers)})",
            "uninstall onnxruntime and install onnxruntime-gpu (the extra `gpu`); only one of the two may be there",
        )  # fmt: skip
        return
    yield GpuFinding("onnxruntime", f"built with CUDA {libraries.cuda_version()}".strip())
    major = _major(libraries.cuda_version())
    if needs_driver:
        yield _driver(libraries, major)
    yield _runtime(libraries, major)
    yield _cudnn(libraries, major)
    yield _rest(libraries, major, needs_driver=needs_driver)


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isdecimal() else CUDA_MAJOR


def _driver(libraries: Libraries, major: int) -> GpuFinding:
    name, newer = "NVIDIA driver", f"install driver {_DRIVER_OF_CUDA.get(major, 'of that CUDA')} or later"
    try:
        version = libraries.version(_DRIVER, "cuDriverGetVersion")
    except OSError:
        advice = "install it; in a container, start it with `--gpus all` and the NVIDIA Container Toolkit on the host"
        return GpuFinding(name, f"{_DRIVER} not found", advice)
    if version // 1000 < major:
        return GpuFinding(name, f"takes CUDA {_shown(version)}, expected {major}.0", newer)
    count = libraries.num_devices()
    if not count:
        advice = "see whether `nvidia-smi` lists one, and what CUDA_VISIBLE_DEVICES and NVIDIA_VISIBLE_DEVICES hide"
        return GpuFinding(name, "offers no GPU", advice)
    return GpuFinding(name, f"takes CUDA {_shown(version)}, {count} GPU{'' if count == 1 else 's'}")


def _runtime(libraries: Libraries, major: int) -> GpuFinding:
    advice = f"install the CUDA {major} runtime, or use the image that `serve-gpu` is built on"
    try:
        version = libraries.version(f"libcudart.so.{major}", "cudaRuntimeGetVersion")
    except OSError:
        older = _older(libraries, "libcudart.so", "cudaRuntimeGetVersion", _OLDER_CUDA)
        found = f"libcudart.so.{major} not found" if older is None else f"CUDA {_shown(older)}, expected {major}"
        return GpuFinding("CUDA", found, advice)
    return GpuFinding("CUDA", _shown(version))


def _cudnn(libraries: Libraries, major: int) -> GpuFinding:
    advice = f"install cuDNN {CUDNN_MAJOR} for CUDA {major}"
    try:
        version = libraries.version(f"libcudnn.so.{CUDNN_MAJOR}", "cudnnGetVersion")
    except OSError:
        older = _older(libraries, "libcudnn.so", "cudnnGetVersion", _OLDER_CUDNN)
        found = f"libcudnn.so.{CUDNN_MAJOR} not found"
        return GpuFinding("cuDNN", found if older is None else f"{_cudnn_shown(older)}, expected {CUDNN_MAJOR}", advice)
    if version < 10000 * CUDNN_MAJOR:
        return GpuFinding("cuDNN", f"{_cudnn_shown(version)}, expected {CUDNN_MAJOR}", advice)
    return GpuFinding("cuDNN", _cudnn_shown(version))


def _rest(libraries: Libraries, major: int, *, needs_driver: bool) -> GpuFinding:
    name = "CUDA libraries"
    try:
        libraries.load_needed()
    except (OSError, ValueError) as error:
        missing = str(error).partition(":")[0]
        if needs_driver or missing != _DRIVER:
            advice = f"install it: it belongs to CUDA {major} or cuDNN {CUDNN_MAJOR}"
            return GpuFinding(name, f"onnxruntime cannot load its CUDA part: {error}", advice)
    return GpuFinding(name, "all found")


def _older(libraries: Libraries, stem: str, function: str, majors: tuple[int, ...]) -> int | None:
    """The version of an older library that is there instead."""
    for major in majors:
        try:
            return libraries.version(f"{stem}.{major}", function)
        except OSError:
            continue
    return None


def _shown(version: int) -> str:
    """12080 as 12.8, CUDA's way."""
    return f"{version // 1000}.{version % 1000 // 10}"


def _cudnn_shown(version: int) -> str:
    """90701 as 9.7.1; before 9, 8907 as 8.9.7."""
    if version >= 10000:
        return f"{version // 10000}.{version % 10000 // 100}.{version % 100}"
    return f"{version // 1000}.{version % 1000 // 100}.{version % 100}"
