"""How the bench runs networks: torch and ONNX Runtime, on the CPU or on one GPU, in turns."""

import re
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models.errors import DeviceUnavailable
from models.export.onnx import Port

_MATMUL_SIDE = 1536
_GPU_MATMUL_SIDE = 8192
_CUDA = "CUDAExecutionProvider"
Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure.

    threads: of both engines on the CPU.  seconds: for each pair of measurements.
    device:  "cpu" or "cuda:N".  is_fp16: networks compute in float16, which needs a GPU.
    """

    threads: int
    seconds: float
    folder: Path
    device: str = "cpu"
    is_fp16: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device != "cpu"

    @property
    def device_index(self) -> int:
        """N of "cuda:N"; 0 for the CPU."""
        return int(self.device.partition(":")[2] or 0)

    @property
    def providers(self) -> tuple[str, ...]:
        """ONNX Runtime's for the device, if this installation has them; else the CPU's."""
        has_cuda = self.is_gpu and _CUDA in onnxruntime.get_available_providers()
        return (_CUDA, "CPUExecutionProvider") if has_cuda else ("CPUExecutionProvider",)


def require_device(setting: Setting) -> None:
    """Raises DeviceUnavailable for a device that torch cannot use, and for float16 without a GPU."""
    if not re.fullmatch(r"cpu|cuda:\d+", setting.device):
        raise DeviceUnavailable(f"device {setting.device!r} is not cpu or cuda:N")
    if setting.is_fp16 and not setting.is_gpu:
        raise DeviceUnavailable(
            "float16 is measured on a GPU only: the CPU computes it in float32; add --device cuda:0"
        )
    if setting.is_gpu and setting.device_index >= torch.cuda.device_count():
        seen = torch.cuda.device_count()
        raise DeviceUnavailable(f"device {setting.device}: torch {torch.__version__} sees {seen} CUDA devices")


def alternate(runs: Sequence[Run], seconds: float) -> list[float]:
    """Median milliseconds of each run, taken in turns for about `seconds`, after turns to warm up."""
    # The second time, a GPU's libraries have chosen their algorithms.
    for run in [*runs, *runs]:
        run()
    times: list[list[float]] = [[] for _ in runs]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[0]) < 3:
        for run, taken in zip(runs, times, strict=True):
            taken.append(_timed(run) * 1000)
    return [statistics.median(taken) for taken in times]


def count_macs(network: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Multiply-adds of one forward: convolutions and matrix products."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return int(counter.get_total_flops()) // 2


def matmul_rate(setting: Setting) -> float:
    """Floating-point operations per second of a square product in the precision measured: the best of several."""
    side = _GPU_MATMUL_SIDE if setting.is_gpu else _MATMUL_SIDE
    a = torch.randn(side, side, device=setting.device, dtype=torch.float16 if setting.is_fp16 else torch.float32)
    product = torch_run(_Square(), [a], setting)
    return 2 * side**3 / min(_timed(product) for _ in range(7))


def torch_run(network: nn.Module, inputs: Sequence[Tensor], setting: Setting) -> Run:
    """A forward of `network`, which is on the device already; ends when the device has finished."""
    there = [x.to(setting.device) for x in inputs]

    def run() -> object:
        with torch.inference_mode():
            found = network(*there)
        if setting.is_gpu:
            torch.cuda.synchronize(setting.device)
        return found

    return run


def onnx_run(
    session: onnxruntime.InferenceSession, ports: Sequence[Port], inputs: Sequence[Tensor], setting: Setting
) -> Run:
    """A run of `session` on inputs that lie on the device, outputs left there; ends when the device has finished."""
    place = ("cuda" if setting.is_gpu else "cpu", setting.device_index)
    binding = session.io_binding()
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor.numpy(), *place) for tensor in inputs]
    for port, value in zip(ports, values, strict=True):
        binding.bind_ortvalue_input(port.name, value)
    for output in session.get_outputs():
        binding.bind_output(output.name, *place)

    def run() -> object:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return values  # on the CPU they hold the memory that the binding reads

    return run


def open_session(path: Path, setting: Setting) -> onnxruntime.InferenceSession | None:
    """The file on the setting's device; None where this ONNX Runtime has no provider for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setting.threads
    options.log_severity_level = 3
    # Idle threads that spin go on into torch's turn and take a core from it: torch then looks 1.8 times slower.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen = [{"device_id": setting.device_index} if name == _CUDA else {} for name in setting.providers]
    session = onnxruntime.InferenceSession(str(path), options, list(setting.providers), chosen)
    # A provider whose libraries cannot be loaded is left out without an error.
    return None if setting.is_gpu and _CUDA not in session.get_providers() else session


class _Square(nn.Module):
    def forward(self, a: Tensor) -> Tensor:
        return a @ a


def _timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
