"""What a device can do at most: matrix products in each precision, and copies; the measure for every network."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from models.bench.precision import PRECISIONS, Precision, dtype_of, synchronize

_SIDE = {"cuda": 8192, "cpu": 512}
_COPY_BYTES = {"cuda": 2**30, "cpu": 2**26}
_TIMES = 7


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Of one device, the best of several runs.

    flop_per_s: of a square product by precision; "fp32" may use TensorFloat-32 where that is allowed. One that the
                device does not compute is left out.
    bytes_per_s: of a copy within the device's memory, what is read and what is written counted.
    """

    flop_per_s: Mapping[Precision, float]
    bytes_per_s: float


def measure_ceilings(device: torch.device) -> Ceilings:
    """Products and copies on this device, in a second or two."""
    rates = {precision: _matmul_rate(device, precision) for precision in PRECISIONS}
    return Ceilings({name: rate for name, rate in rates.items() if rate is not None}, _copy_rate(device))


def _matmul_rate(device: torch.device, precision: Precision) -> float | None:
    side = _SIDE[device.type]
    try:
        a = torch.randn(side, side, device=device).to(dtype_of(precision))
        return 2 * side**3 / _best_s(lambda: a @ a, device)
    except RuntimeError:
        return None


def _copy_rate(device: torch.device) -> float:
    source = torch.zeros(_COPY_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * _COPY_BYTES[device.type] / _best_s(lambda: target.copy_(source), device)


def _best_s(run: Callable[[], object], device: torch.device) -> float:
    run()
    synchronize(device)
    times_s = []
    for _ in range(_TIMES):
        began_s = time.perf_counter()
        run()
        synchronize(device)
        times_s.append(time.perf_counter() - began_s)
    return min(times_s)
