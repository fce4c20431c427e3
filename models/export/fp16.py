"""A network in float16 between float32 inputs and outputs, exported and held against its float32 self."""

import copy
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from models.export.onnx import Check, Exported, Port, export_onnx

HALF_TOLERANCE = 1e-2
"""Of the outputs' scale: float16 keeps eleven bits (5e-4), and the networks are tens of layers deep."""


class FP16(nn.Module):
    """A copy of `network` that computes in float16; the contract stays float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval().half()

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Float32 inputs to float32 outputs, one or several as the network has."""
        found = self.network(*(x.half() for x in inputs))
        return tuple(y.float() for y in found) if isinstance(found, tuple) else found.float()


def export_fp16(
    network: nn.Module,
    inputs: Sequence[Port],
    outputs: Sequence[str],
    path: Path,
    providers: tuple[str, ...] = ("CPUExecutionProvider",),
) -> Exported:
    """Write `network` in float16 and compare it with the float32 network in torch on the CPU.

    providers: ONNX Runtime's, on which the file is run; the CPU's computes most of float16 in float32.
    Raises ExportMismatch when they differ by more than HALF_TOLERANCE of the outputs' scale.
    """
    check = Check(network.eval(), HALF_TOLERANCE, providers)
    return export_onnx(FP16(network), inputs, outputs, path, check)
