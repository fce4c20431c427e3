"""What is used of OpenVINO, typed: its package carries no types."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from models.arrays import AnyArray


class Size(Protocol):
    """One dimension of a shape."""

    @property
    def is_static(self) -> bool:
        """Whether it is a number."""
        ...

    def get_length(self) -> int:
        """The number."""
        ...


class ElementType(Protocol):
    """The type of a tensor's numbers."""

    def get_type_name(self) -> str:
        """Such as `f32`."""
        ...


class Port(Protocol):
    """One input or output."""

    def get_any_name(self) -> str:
        """Its name."""
        ...

    def get_partial_shape(self) -> Sequence[Size]:
        """Its dimensions."""
        ...

    def get_element_type(self) -> ElementType:
        """Its type."""
        ...


class Model(Protocol):
    """A network that was read."""

    @property
    def inputs(self) -> Sequence[Port]:
        """What it takes."""
        ...

    @property
    def outputs(self) -> Sequence[Port]:
        """What it gives."""
        ...

    def clone(self) -> "Model":
        """The same once more."""
        ...

    def reshape(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Fix the shapes of its inputs."""
        ...


class InferRequest(Protocol):
    """What runs a compiled network, one call at a time."""

    def infer(self, inputs: Mapping[str, AnyArray], share_inputs: bool) -> Mapping[int, AnyArray]:
        """The outputs by their place; they are the request's own and change with its next call."""
        ...


class CompiledModel(Protocol):
    """A network for one size of input."""

    def create_infer_request(self) -> InferRequest:
        """A new request."""
        ...


class Core(Protocol):
    """The engine itself."""

    def read_model(self, model: str | Path | bytes) -> Model:
        """Read a file, or what one holds."""
        ...

    def compile_model(self, model: Model, device: str, options: Mapping[str, object]) -> CompiledModel:
        """Make it ready to run."""
        ...

    def get_property(self, device: str, name: str) -> str | Sequence[str]:
        """Something that it knows of a device."""
        ...

    def set_property(self, options: Mapping[str, object]) -> None:
        """Change how it works."""
        ...
