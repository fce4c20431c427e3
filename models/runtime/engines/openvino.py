"""A network in OpenVINO, on a processor: one compiled network per size of input, each row by itself."""

import importlib
import importlib.metadata
import importlib.util
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from models.arrays import AnyArray
from models.errors import ContractMismatch, DeviceUnavailable
from models.runtime.engines.openvino_types import CompiledModel, Core, InferRequest, Port
from models.runtime.engines.types import Opening, TensorSpec, shown_feeds
from models.runtime.shapes import Shape

NAME = "openvino"

_SHAPES_MAX = 8
"""Compiled networks held at once; each size of picture is one."""
_STREAMS_MAX = 16
_REPORTS = "openvino_telemetry"
_Shapes = tuple[tuple[str, Shape], ...]


def is_installed() -> bool:
    """Whether the extra `openvino` is there; loads nothing."""
    return importlib.util.find_spec("openvino") is not None


def load() -> Callable[[], Core]:
    """OpenVINO's core, its reports to its maker switched off. Raises DeviceUnavailable where it is not installed."""
    # Its command-line tools, which importing it loads, report every import unless this module cannot be found.
    sys.modules.setdefault(_REPORTS, None)  # type: ignore[arg-type]
    try:
        core: Callable[[], Core] = importlib.import_module("openvino").Core
    except ImportError as error:
        raise DeviceUnavailable(
            f"OpenVINO is asked for and not installed ({error}); install the extra `openvino`"
        ) from error
    return core


def version() -> str:
    """The version that is installed, as its package says it."""
    return importlib.metadata.version("openvino")


def require_precision(core: Core, *, is_bf16: bool) -> None:
    """Raise DeviceUnavailable where bfloat16 is wanted and the processor does not know it."""
    if is_bf16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise DeviceUnavailable("this processor computes no bfloat16; take openvino without it")


@dataclass(slots=True)
class _Compiled:
    """One size of input: the network, and requests that nobody uses at the moment."""

    network: CompiledModel
    idle: queue.SimpleQueue[InferRequest]


class OpenVinoNetwork:
    """One network, compiled when a size of input comes for the first time.

    Raises ContractMismatch when OpenVINO cannot read the network, DeviceUnavailable where OpenVINO is not installed or
    the processor lacks bfloat16.
    """

    engine = NAME

    def __init__(self, opening: Opening) -> None:
        self._path = opening.path
        self._core = _core(opening.device.engines)
        self.precision = "bfloat16" if opening.device.bf16 else "float32"
        require_precision(self._core, is_bf16=opening.device.bf16)
        self._options = _options(opening)
        try:
            self._model = self._core.read_model(opening.graph or str(opening.path))
        except RuntimeError as error:
            raise ContractMismatch(f"{opening.path.name}: OpenVINO cannot load it: {error}") from error
        self.inputs = tuple(_spec(port) for port in self._model.inputs)
        self.outputs = tuple(_spec(port) for port in self._model.outputs)
        self._lock = threading.Lock()
        self._compiled: OrderedDict[_Shapes, _Compiled] = OrderedDict()

    @property
    def providers(self) -> tuple[str, ...]:
        """OpenVINO's name of its plugin, and what the processor is called."""
        return ("OpenVINO CPU", str(self._core.get_property("CPU", "FULL_DEVICE_NAME")))

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Outputs by name. Raises ContractMismatch when the feeds do not fit the network.

        Several rows of a network that takes any number go one by one: on a processor a batch saves nothing, one size is
        compiled instead of many, and a row's answer does not depend on its neighbours.
        """
        self._require_feeds(feeds)
        num_rows = {len(value) for value in feeds.values() if value.ndim}
        if self._has_fixed_batch or num_rows == {1} or len(num_rows) != 1:
            return self._run(feeds)
        rows = [
            self._run({name: value[row : row + 1] for name, value in feeds.items()}) for row in range(num_rows.pop())
        ]
        if rows and all(value.ndim and len(value) == 1 for value in rows[0].values()):
            return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
        return self._run(feeds)

    @property
    def _has_fixed_batch(self) -> bool:
        return any(not spec.shape or isinstance(spec.shape[0], int) for spec in self.inputs)

    def _run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        try:
            compiled = self._of_shapes(tuple(sorted((name, value.shape) for name, value in feeds.items())))
            request = _request(compiled)
            # Shared inputs are read while they run only; the answers are copies, since the request is used again.
            found = request.infer(
                {name: np.ascontiguousarray(value) for name, value in feeds.items()}, share_inputs=True
            )
        except RuntimeError as error:
            raise ContractMismatch(f"{self._path.name}: {shown_feeds(feeds)}: {_first_lines(error)}") from error
        outputs = {spec.name: np.array(found[index], copy=True) for index, spec in enumerate(self.outputs)}
        compiled.idle.put(request)
        return outputs

    def _require_feeds(self, feeds: Mapping[str, AnyArray]) -> None:
        """Raise ContractMismatch for other names, types or sizes than the network's: OpenVINO would convert."""
        known = {spec.name: spec for spec in self.inputs}
        fits = set(known) == set(feeds) and all(_fits(known[name], value) for name, value in feeds.items())
        if not fits:
            wanted = ", ".join(f"{spec.name} {spec.dtype}{list(spec.shape)}" for spec in self.inputs)
            raise ContractMismatch(f"{self._path.name}: {shown_feeds(feeds)}: expected {wanted}")

    def _of_shapes(self, shapes: _Shapes) -> _Compiled:
        """The network compiled for these shapes; the one unused for longest goes where there are too many."""
        with self._lock:
            if shapes not in self._compiled:
                model = self._model.clone()
                model.reshape({name: list(shape) for name, shape in shapes})
                network = self._core.compile_model(model, "CPU", self._options)
                self._compiled[shapes] = _Compiled(network, queue.SimpleQueue())
                if len(self._compiled) > _SHAPES_MAX:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(shapes)
            return self._compiled[shapes]


@cache
def _core(folder: str) -> Core:
    """One core per folder of compiled networks; none is kept where that is empty."""
    core = load()()
    if folder:
        core.set_property({"CACHE_DIR": folder})
    return core


def _options(opening: Opening) -> dict[str, object]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Each stream answers one caller at a time, as an onnxruntime session answers each caller in its own thread.
    streams = min(max(1, cores // opening.threads), _STREAMS_MAX)
    return {
        "INFERENCE_PRECISION_HINT": "bf16" if opening.device.bf16 else "f32",
        "INFERENCE_NUM_THREADS": opening.threads * streams,
        "NUM_STREAMS": streams,
        # Workers share the cores: networks that each hold on to the first ones would leave the others idle.
        "ENABLE_CPU_PINNING": False,
    }


def _request(compiled: _Compiled) -> InferRequest:
    try:
        return compiled.idle.get_nowait()
    except queue.Empty:
        return compiled.network.create_infer_request()


_TYPES = {"f32": "tensor(float)", "f16": "tensor(float16)", "i64": "tensor(int64)", "boolean": "tensor(bool)"}
_NUMPY = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


def _spec(port: Port) -> TensorSpec:
    """An input or output in onnxruntime's words."""
    sizes = port.get_partial_shape()
    shape = tuple(size.get_length() if size.is_static else f"d{index}" for index, size in enumerate(sizes))
    kind = port.get_element_type().get_type_name()
    return TensorSpec(port.get_any_name(), shape, _TYPES.get(kind, kind))


def _fits(spec: TensorSpec, value: AnyArray) -> bool:
    is_type = value.dtype == _NUMPY.get(spec.dtype, value.dtype)
    return (
        is_type
        and value.ndim == len(spec.shape)
        and all(have == size for have, size in zip(spec.shape, value.shape, strict=True) if isinstance(have, int))
    )


def _first_lines(error: RuntimeError) -> str:
    return " ".join(str(error).split("\n")[:3])
