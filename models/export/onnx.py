"""torch → ONNX in one file, checked: the graph must answer what the network answers before anybody gets it."""

import copy
import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.atomic_file import replacing
from models.errors import ExportMismatch
from models.export.samples import Port as Port  # its users know it by this module
from models.export.samples import Sizes, draw_inputs

OPSET = 18
TOLERANCE = 1e-4
_SAMPLE_SIZES = {"batch": 2, "frames": 48}
_CHECKED_SIZES = ({"batch": 1, "frames": 48}, {"batch": 3, "frames": 37})
# Two ways to round are at most this many times as far apart as one of them is from the truth; beyond a hundredth of
# the answers, nothing is put down to rounding.
_ROUNDING, _MOST_ROUNDING = 4.0, 1e-2

Draw: TypeAlias = Callable[[nn.Module, Sequence[Port], Sizes, torch.Generator], list[Tensor]]
"""Inputs of a network for its ports, in their order."""
Run: TypeAlias = Callable[[Sequence[Tensor]], Sequence[NDArray[np.float32]]]
"""A way to run a network: inputs to outputs."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A written ONNX file and how far it is from its network.

    max_difference: largest |ONNX - torch| of the output that fits worst, on drawn inputs, float32.
    scale:          its largest |torch|; the difference is at most the tolerance's share of it.
    """

    path: Path
    opset: int
    sha256: str
    size_bytes: int
    max_difference: float
    scale: float


@dataclass(frozen=True, slots=True)
class Check:
    """What a written file is held against.

    reference: the network whose answers count; None takes the exported one.
    tolerance: largest difference, as a share of the outputs' scale.
    providers: ONNX Runtime's, on which the file is run.
    draw:      what both are tried on.
    """

    reference: nn.Module | None = None
    tolerance: float = TOLERANCE
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    draw: Draw = draw_inputs


def export_onnx(
    network: nn.Module, inputs: Sequence[Port], outputs: Sequence[str], path: Path, check: Check | None = None
) -> Exported:
    """Write `network` as one ONNX file with the named dynamic axes and compare both on inputs like its own.

    The network is put into eval mode. Axes of the same name share a size. Raises ExportMismatch, and leaves no file,
    when ONNX Runtime and torch differ by more than the check's tolerance, and by more than the network's own answers in
    single precision are from those in double: what has means of a thousand deviations loses digits in any runtime.
    """
    check = check or Check()
    network.eval()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        _write(network, inputs, outputs, part, check.draw)
        reference = check.reference or network
        difference, scale = compare(reference, inputs, outputs, part, check.providers, check.draw)
        is_exact = difference <= check.tolerance * scale
        if not is_exact and not difference <= _rounding(reference, inputs, check.draw) * scale:
            raise ExportMismatch(
                f"{path.name}: ONNX and torch differ by {difference:.2e}, allowed {check.tolerance:.0e} of {scale:.2e}"
            )
    blob = path.read_bytes()
    return Exported(path, OPSET, hashlib.sha256(blob).hexdigest(), len(blob), difference, scale)


def compare(
    network: nn.Module,
    inputs: Sequence[Port],
    outputs: Sequence[str],
    path: Path,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    draw: Draw = draw_inputs,
) -> tuple[float, float]:
    """Largest difference and magnitude of the output that fits worst, over several sizes of the dynamic axes."""
    session = onnxruntime.InferenceSession(str(path), _one_thread(), providers=list(providers))

    def run(tensors: Sequence[Tensor]) -> Sequence[NDArray[np.float32]]:
        feeds = {port.name: tensor.numpy() for port, tensor in zip(inputs, tensors, strict=True)}
        found: list[NDArray[np.float32]] = session.run(list(outputs), feeds)
        return found

    return _worst(network, run, inputs, draw)


def _rounding(network: nn.Module, inputs: Sequence[Port], draw: Draw) -> float:
    """What may be put down to single precision, as a share of the outputs' scale."""
    exact = copy.deepcopy(network).double()
    difference, scale = _worst(
        network, lambda tensors: run_torch(exact, [tensor.double() for tensor in tensors]), inputs, draw
    )
    return min(_ROUNDING * difference / scale, _MOST_ROUNDING) if scale else 0.0


def _worst(network: nn.Module, other: Run, inputs: Sequence[Port], draw: Draw) -> tuple[float, float]:
    """Difference and magnitude of the output in which another way to run the network fits worst."""
    generator = torch.Generator().manual_seed(0)
    worst = (0.0, 1.0)
    for sizes in _CHECKED_SIZES:
        tensors = draw(network, inputs, sizes, generator)
        for found, wanted in zip(other(tensors), run_torch(network, tensors), strict=True):
            difference = float(np.abs(found - wanted).max(initial=0.0))
            scale = float(np.abs(wanted).max(initial=0.0))
            # Written so that a NaN is the worst of all.
            if not difference * worst[1] <= worst[0] * scale:
                worst = (difference, scale)
    return worst


def run_torch(network: nn.Module, tensors: Sequence[Tensor]) -> list[NDArray[np.float32]]:
    """The network's outputs as arrays, without gradients."""
    with torch.no_grad():
        found = network(*tensors)
    return [tensor.numpy() for tensor in (found if isinstance(found, tuple) else (found,))]


def _write(network: nn.Module, inputs: Sequence[Port], outputs: Sequence[str], path: Path, draw: Draw) -> None:
    generator = torch.Generator().manual_seed(0)
    # Names, not ranges: which lengths a network can take is its own to say; the comparison tries several.
    shapes = tuple({axis: size for axis, size in enumerate(port.shape) if isinstance(size, str)} for port in inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            tuple(draw(network, inputs, _SAMPLE_SIZES, generator)),
            input_names=[port.name for port in inputs],
            output_names=list(outputs),
            dynamic_shapes=(shapes,) if _takes_varargs(network) else shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    onnx.save(_without_traces(program.model_proto), path)


def _takes_varargs(network: nn.Module) -> bool:
    """torch.export wants one tuple of shapes per parameter, and `*args` is a single one."""
    return bool(network.forward.__code__.co_flags & 0x04)


def _without_traces(model: onnx.ModelProto) -> onnx.ModelProto:
    """The exporter notes file names and stack traces of the machine it ran on; nobody else needs them."""
    graph = model.graph
    for item in [model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        del item.metadata_props[:]
        item.doc_string = ""
    return model


def _one_thread() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return options


@contextmanager
def _quiet() -> Iterator[None]:
    """torch 2.13's exporter warns about its own copies (pytree.LeafSpec) and about torchvision, which we do not use."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.filterwarnings("ignore", "# The axis name", UserWarning)  # several inputs share an axis: meant
            yield
    finally:
        logger.setLevel(level)
