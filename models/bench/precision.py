"""The precisions in which torch networks are measured, and how a network is brought into one."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from models.nets.channels_last import lay_channels_last

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
_DTYPES: Mapping[Precision, torch.dtype] = MappingProxyType(
    {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
)


def dtype_of(precision: Precision) -> torch.dtype:
    """torch's type of that precision."""
    return _DTYPES[precision]


class Cast(nn.Module):
    """A network that computes in one precision between float32 inputs and outputs.

    network: its weights are brought into the precision in place. has_channels_last: volumes lie channels-last.
    """

    def __init__(self, network: nn.Module, precision: Precision, *, has_channels_last: bool = False) -> None:
        super().__init__()
        dtype = dtype_of(precision)
        self._dtype = dtype
        half = network.to(dtype)
        self.network = lay_channels_last(half) if has_channels_last else half

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Float32 in, float32 out."""
        found = self.network(*(x.to(self._dtype) for x in inputs))
        return tuple(y.float() for y in found) if isinstance(found, tuple) else found.float()


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished; nothing on a CPU, which always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
