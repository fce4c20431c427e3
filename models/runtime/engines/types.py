"""What every engine gives for a network, whatever computes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.arrays import AnyArray
from models.runtime.device import Device


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a network; a name instead of a number is a dimension that varies."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What is to be opened, and how.

    path: of the file, which names it in messages. graph: the network itself where it is not the file's.
    threads: of one call.
    """

    path: Path
    device: Device
    threads: int = 1
    graph: bytes | None = None


class EngineNetwork(Protocol):
    """A network that is ready to run in one engine; `run` may be called from several threads at once."""

    @property
    def engine(self) -> str:
        """`onnxruntime` or `openvino`."""
        ...

    @property
    def precision(self) -> str:
        """What it computes in: `float32`, `bfloat16` or `float16`."""
        ...

    @property
    def providers(self) -> tuple[str, ...]:
        """What it uses of the machine, in the engine's own words, most wanted first."""
        ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """What it takes."""
        ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What it gives."""
        ...

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Outputs by name. Raises ContractMismatch when the feeds do not fit the network."""
        ...


def shown_feeds(feeds: Mapping[str, AnyArray]) -> str:
    """Names, types and shapes of feeds, for messages."""
    return ", ".join(f"{name} {value.dtype}{list(value.shape)}" for name, value in feeds.items())
