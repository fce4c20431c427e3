"""One torch network in one way to run it: eager, compiled or as a CUDA graph, in one precision and batch size."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from models.bench.precision import Cast, Precision, synchronize
from models.nets.cuda_graph import GraphedNetwork

Mode: TypeAlias = Literal["eager", "compiled", "graph", "compiled graph"]
"""The last: a CUDA graph of what the compiler made, which saves launches where fusing alone does not."""
_WARM_RUNS = 2
_RUNS_MIN = 3


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run a network.

    batch: samples per call. is_channels_last: volumes lie channels-last in memory.
    """

    mode: Mode
    precision: Precision
    batch: int
    is_channels_last: bool = False

    def __str__(self) -> str:
        order = " channels-last" if self.is_channels_last else ""
        return f"{self.mode} {self.precision}{order}, batch {self.batch}"


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of one variant.

    samples_per_s: by the median call. prepare_s: of the first calls, with what they compile or capture.
    memory_bytes: the most that was allocated on a GPU; None on a CPU.
    """

    samples_per_s: float
    prepare_s: float
    memory_bytes: int | None


def measure_variant(
    network: nn.Module, inputs: Sequence[Tensor], variant: Variant, seconds: float, backend: str = "inductor"
) -> Speed:
    """A copy of the network, run on these inputs for about so many seconds.

    inputs: on the device, float32, of the variant's batch size. backend: of torch.compile.
    Raises RuntimeError and what torch derives from it where this variant cannot be run, DeviceUnavailable.
    """
    device = inputs[0].device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode(variant.mode == "eager"), torch.no_grad():
        began_s = time.perf_counter()
        ready = _prepared(network, inputs, variant, backend)
        for _ in range(_WARM_RUNS):
            ready(*inputs)
        synchronize(device)
        prepare_s = time.perf_counter() - began_s
        call_s = _median_call_s(ready, inputs, device, seconds)
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Speed(variant.batch / call_s, prepare_s, memory)


def _prepared(network: nn.Module, inputs: Sequence[Tensor], variant: Variant, backend: str) -> nn.Module:
    copied = copy.deepcopy(network).to(inputs[0].device).eval()
    cast = Cast(copied, variant.precision, has_channels_last=variant.is_channels_last)
    if "compiled" in variant.mode:
        torch.compiler.reset()
        cast.compile(backend=backend, dynamic=False)
    return GraphedNetwork(cast, tuple(inputs)) if "graph" in variant.mode else cast


def _median_call_s(ready: nn.Module, inputs: Sequence[Tensor], device: torch.device, seconds: float) -> float:
    times_s: list[float] = []
    until_s = time.perf_counter() + seconds
    while len(times_s) < _RUNS_MIN or time.perf_counter() < until_s:
        began_s = time.perf_counter()
        ready(*inputs)
        synchronize(device)
        times_s.append(time.perf_counter() - began_s)
    return sorted(times_s)[len(times_s) // 2]
