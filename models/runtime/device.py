"""Where networks run and in which engine: a device by its name, and what this means to onnxruntime."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from models.errors import DeviceUnavailable

REHEARSAL = "cpu:fixed"
"""The CPU under the rules of a GPU, so that a machine without one can test them."""

EngineName = Literal["onnxruntime", "openvino", "auto"]
Provider = str | tuple[str, dict[str, str]]

_ENGINES = "engines="
_CUDA, _TENSORRT, _CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"


@dataclass(frozen=True, slots=True)
class Device:
    """A device by its name: `cpu`, `cpu,openvino`, `cuda:1`, `cuda:1,tensorrt,fp16,engines=/var/cache/engines`.

    index: of a GPU; None where the name says none.  is_bound: whether networks see declared shapes only.
    tensorrt: whether TensorRT runs what it can.  fp16: whether it does so in half precision.
    engines: folder of what TensorRT has built or OpenVINO compiled; empty does so anew at every start.
    engine: what runs networks on a processor; `auto` is OpenVINO where it is installed and faster.
    bf16: whether OpenVINO computes in bfloat16, which a processor must know.
    """

    kind: Literal["cpu", "cuda"]
    index: int | None = None
    is_bound: bool = False
    tensorrt: bool = False
    fp16: bool = False
    engines: str = ""
    engine: EngineName = "onnxruntime"
    bf16: bool = False

    @staticmethod
    def parse(text: str) -> "Device":
        """Read a name. Raises DeviceUnavailable for one that means nothing."""
        name, *options = text.split(",")
        kind, colon, index = name.partition(":")
        if name in ("cpu", REHEARSAL):
            return _processor(text, name, options)
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
        """The same with a folder for what TensorRT builds or OpenVINO compiles, where it has none."""
        keeps = self.tensorrt or self.engine != "onnxruntime"
        return replace(self, engines=str(engines)) if keeps and not self.engines else self

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
        kept = [f"{_ENGINES}{self.engines}"] * bool(self.engines)
        if self.kind == "cpu":
            own = [self.engine] * (self.engine != "onnxruntime") + ["bf16"] * self.bf16
            return ",".join([REHEARSAL if self.is_bound else "cpu", *own, *kept])
        name = "cuda" if self.index is None else f"cuda:{self.index}"
        return ",".join([name, *["tensorrt"] * self.tensorrt, *["fp16"] * self.fp16, *kept])

    def running(self, engine: EngineName, *, bf16: bool = False) -> "Device":
        """The same in another engine, where it is a processor that names none."""
        return replace(self, engine=engine, bf16=bf16) if self.kind == "cpu" and self.engine == "onnxruntime" else self


def _processor(text: str, name: str, options: Sequence[str]) -> Device:
    """A processor under its engine's name. Raises DeviceUnavailable."""
    engines = next((option.removeprefix(_ENGINES) for option in options if option.startswith(_ENGINES)), "")
    switches = {option for option in options if not option.startswith(_ENGINES)}
    engine: EngineName = "openvino" if "openvino" in switches else "auto" if "auto" in switches else "onnxruntime"
    fits = switches <= {engine, "bf16"} and ("bf16" not in switches or engine == "openvino")
    if not fits or (engine == "onnxruntime" and options):
        raise DeviceUnavailable(
            f"found device {text!r}, expected no options but openvino or auto, bf16 beside openvino, and engines=FOLDER"
        )
    return Device("cpu", is_bound=name == REHEARSAL, engines=engines, engine=engine, bf16="bf16" in switches)


def is_bound(device: str) -> bool:
    """Whether networks on a device of this name see declared shapes only. Raises DeviceUnavailable."""
    return Device.parse(device).is_bound
