"""A network in onnxruntime, on a processor or a GPU."""

from collections.abc import Mapping

import onnxruntime

from models.arrays import AnyArray
from models.errors import ContractMismatch
from models.runtime.engines.types import Opening, TensorSpec, shown_feeds

NAME = "onnxruntime"

_errors = onnxruntime.capi.onnxruntime_pybind11_state
_LOAD_ERRORS = (_errors.InvalidProtobuf, _errors.InvalidGraph, _errors.Fail, _errors.NotImplemented, _errors.NoModel)
_RUN_ERRORS = (_errors.InvalidArgument, _errors.RuntimeException, _errors.Fail)


class OnnxRuntimeNetwork:
    """One onnxruntime session.

    Raises ContractMismatch when onnxruntime cannot read the network, DeviceUnavailable where it lacks the device.
    """

    engine = NAME

    def __init__(self, opening: Opening) -> None:
        self._path = opening.path
        device = opening.device
        self.precision = "float16" if device.fp16 else "float32"
        try:
            self._session = onnxruntime.InferenceSession(
                opening.graph or str(opening.path),
                _options(opening.threads),
                providers=device.providers(onnxruntime.get_available_providers()),
            )
        except _LOAD_ERRORS as error:
            raise ContractMismatch(f"{opening.path.name}: onnxruntime cannot load it: {error}") from error
        self.inputs = tuple(TensorSpec(i.name, tuple(i.shape), i.type) for i in self._session.get_inputs())
        self.outputs = tuple(TensorSpec(o.name, tuple(o.shape), o.type) for o in self._session.get_outputs())

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, most wanted first."""
        return tuple(str(provider) for provider in self._session.get_providers())

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Outputs by name. Raises ContractMismatch when the feeds do not fit the network."""
        names = [output.name for output in self.outputs]
        try:
            values = self._session.run(names, dict(feeds))
        except _RUN_ERRORS as error:
            raise ContractMismatch(f"{self._path.name}: {shown_feeds(feeds)}: {error}") from error
        return dict(zip(names, values, strict=True))


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle sessions that spin would take the core from the ones that work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
