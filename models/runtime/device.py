"""Where networks run: a device by its name, and the execution providers that this means to onnxruntime."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.errors import DeviceUnavailable

REHEARSAL = "cpu:fixed"
"""The CPU under the rules of a GPU, so that a machine without one can test them."""

Provider = str | tuple[str, dict[str, str]]

_ENGINES = "engines="
_CUDA, _TENSORRT, _CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its name: `cpu`, `cpu:fixed`, `cuda`, `cuda:1`, `cuda:1,tensorrt,fp16,engines=/var/cache/engines`.

    index: of a GPU; None where the name says none.  is_bound: whether networks see declared shapes only.
    tensorrt: whether TensorRT runs what it can.  fp16: whether it does so in half precision.
    engines: folder of what TensorRT has built; None builds it anew at every start.
    """

    kind: Literal["cpu", "cuda"]
    index: int | None = None
    is_bound: bool = False
    tensorrt: bool = False
    fp16: bool = False
    engines: str = ""

    @staticmethod
    def parse(text: str) -> "Device":
        """Read a name. Raises DeviceUnavailable for one that means nothing."""
        name, *options = text.split(",")
        kind, colon, index = name.partition(":")
        if name in ("cpu", REHEARSAL) and not options:
            return Device("cpu", is_bound=name == REHEARSAL)
        if kind != "cuda" or (colon and not index.isdecimal()):
            raise DeviceUnavailable(f"found device {text!r}, expected cpu, cuda or cuda:N")
        engines = next((option.removeprefix(_ENGINES) for option in options if option.startswith(_ENGINES)), "")
        switches = {option for option in options if not option.startswith(_ENGINES)}
        if not switches <= {"tensorrt", "fp16"}:
            raise DeviceUnavailable(f"found device {text!r}, expected no options but tensorrt, fp16 and engines=FOLDER")
        if (engines or switches) and "tensorrt" not in switches:
            raise DeviceUnavailable(f"found device {text!r}, expected tensorrt beside its options")
        number = int(index) if colon else None
        return Device("cuda", number, True, "tensorrt" in switches, "fp16" in switches, engines)

    def numbered(self, index: int) -> "Device":
        """The same with a number, where a GPU has none."""
        return replace(self, index=index) if self.kind == "cuda" and self.index is None else self

    def keeping(self, engines: Path) -> "Device":
        """The same with a folder for what TensorRT builds, where it has none."""
        return replace(self, engines=str(engines)) if self.tensorrt and not self.engines else self

    def providers(self, available: Collection[str]) -> list[Provider]:
        """What onnxruntime is to run on, the most wanted first; `available` is what it was built with.

        Raises DeviceUnavailable where that lacks something.
        """
        if self.kind == "cpu":
            return [_CPU]
        wanted = [_TENSORRT, _CUDA] if self.tensorrt else [_CUDA]
        missing = [name for name in wanted if name not in available]
        if missing:
            has = ", ".join(available)
            raise DeviceUnavailable(f"{self}: this onnxruntime has {has}, not {missing[0]}; install the extra `gpu`")
        index = {"device_id": str(self.index or 0)}
        # By default memory grows by powers of two, in each of the sessions, of which there is one per batch size.
        cuda: Provider = (_CUDA, index | {"arena_extend_strategy": "kSameAsRequested"})
        return [(_TENSORRT, index | self._of_tensorrt()), cuda, _CPU] if self.tensorrt else [cuda, _CPU]

    def _of_tensorrt(self) -> dict[str, str]:
        options = {"trt_fp16_enable": str(int(self.fp16))}
        if not self.engines:
            return options
        kept = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": self.engines}
        return options | kept | {"trt_timing_cache_enable": "1", "trt_timing_cache_path": self.engines}

    def __str__(self) -> str:
        if self.kind == "cpu":
            return REHEARSAL if self.is_bound else "cpu"
        name = "cuda" if self.index is None else f"cuda:{self.index}"
        options = (
            ["tensorrt"] * self.tensorrt + ["fp16"] * self.fp16 + [f"{_ENGINES}{self.engines}"] * bool(self.engines)
        )
        return ",".join([name, *options])


def is_bound(device: str) -> bool:
    """Whether networks on a device of this name see declared shapes only. Raises DeviceUnavailable."""
    return Device.parse(device).is_bound
