"""One ONNX network in onnxruntime: where it runs, what it takes and gives, and its warm-up."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from models.arrays import AnyArray
from models.errors import ContractMismatch, DeviceUnavailable, WeightsMissing

logger = logging.getLogger(__name__)

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a network; a name instead of a number is a dimension that varies."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


class Session:
    """A network that is ready to run; `run` may be called from several threads at once.

    Raises WeightsMissing without the file, ContractMismatch when onnxruntime cannot read it, and DeviceUnavailable
    when a GPU is asked for and onnxruntime would quietly run on the CPU instead.
    """

    def __init__(self, path: Path, device: str = "cpu", threads: int = 1) -> None:
        if not path.is_file():
            raise WeightsMissing(f"{path}: no such weight file")
        self.path = path
        self.device = device
        providers = _providers(device)
        try:
            self._session = onnxruntime.InferenceSession(str(path), _options(threads), providers=providers)
        except _LOAD_ERRORS as error:
            raise ContractMismatch(f"{path.name}: onnxruntime cannot load it: {error}") from error
        # get_available_providers() lists CUDA where no GPU is; only the session tells what it really uses.
        if device != "cpu" and self.providers[0] != "CUDAExecutionProvider":
            raise DeviceUnavailable(f"{device}: found {', '.join(self.providers)}, expected CUDAExecutionProvider")
        self.inputs = tuple(TensorSpec(i.name, tuple(i.shape), i.type) for i in self._session.get_inputs())
        self.outputs = tuple(TensorSpec(o.name, tuple(o.shape), o.type) for o in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, most wanted first."""
        return tuple(str(provider) for provider in self._session.get_providers())

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that the network takes; None where it takes any."""
        batch = self.inputs[0].shape[0]
        return batch if isinstance(batch, int) else None

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Outputs by name. Raises ContractMismatch when the feeds do not fit the network."""
        names = [output.name for output in self.outputs]
        try:
            values = self._session.run(names, dict(feeds))
        except _RUN_ERRORS as error:
            raise ContractMismatch(f"{self.path.name}: {_shapes(feeds)}: {error}") from error
        return dict(zip(names, values, strict=True))

    def require_output(self, *names: str) -> None:
        """Raise ContractMismatch unless the network has these outputs."""
        found = [output.name for output in self.outputs]
        if not set(names) <= set(found):
            raise ContractMismatch(f"{self.path.name}: found outputs {found}, expected {list(names)}")

    def warm(self, batch_sizes: Sequence[int], sizes: Mapping[str, int] | None = None) -> None:
        """Run zeros once per batch size; `sizes` gives a value to every further dimension that varies.

        onnxruntime allocates, and cuDNN chooses its kernels, when a shape comes for the first time.
        """
        for size in dict.fromkeys(batch_sizes):
            self.run({spec.name: np.zeros(self._shape(spec, size, sizes or {}), _dtype(spec)) for spec in self.inputs})

    def _shape(self, spec: TensorSpec, batch: int, sizes: Mapping[str, int]) -> tuple[int, ...]:
        rest = [sizes.get(size) if isinstance(size, str) else size for size in spec.shape[1:]]
        if None in rest:
            raise ContractMismatch(
                f"{self.path.name}: {spec.name} is {spec.shape}; give a size to each name for warm-up"
            )
        return tuple(int(size) for size in itertools.chain([batch], rest) if size is not None)


_errors = onnxruntime.capi.onnxruntime_pybind11_state
_LOAD_ERRORS = (_errors.InvalidProtobuf, _errors.InvalidGraph, _errors.Fail, _errors.NotImplemented, _errors.NoModel)
_RUN_ERRORS = (_errors.InvalidArgument, _errors.RuntimeException, _errors.Fail)


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    if device == "cpu":
        return ["CPUExecutionProvider"]
    kind, _, index = device.partition(":")
    if kind != "cuda" or not (index or "0").isdecimal():
        raise DeviceUnavailable(f"found device {device!r}, expected cpu, cuda or cuda:N")
    available = onnxruntime.get_available_providers()
    if "CUDAExecutionProvider" not in available:
        raise DeviceUnavailable(f"{device}: this onnxruntime has {', '.join(available)}; install the extra `gpu`")
    return [("CUDAExecutionProvider", {"device_id": index or "0"}), "CPUExecutionProvider"]


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle sessions that spin would take the core from the ones that work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _dtype(spec: TensorSpec) -> type[np.generic]:
    if spec.dtype not in _DTYPES:
        raise ContractMismatch(f"input {spec.name}: found {spec.dtype}, expected one of {list(_DTYPES)}")
    return _DTYPES[spec.dtype]


def _shapes(feeds: Mapping[str, AnyArray]) -> str:
    return ", ".join(f"{name} {value.dtype}{list(value.shape)}" for name, value in feeds.items())
