"""One ONNX network in an engine: where it runs, which shapes it may see, what it takes and gives, its warm-up."""

import itertools
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from models.arrays import AnyArray
from models.errors import ContractMismatch, DeviceUnavailable, WeightsMissing
from models.runtime.device import Device, EngineName
from models.runtime.engines.choose import open_network
from models.runtime.engines.types import EngineNetwork, Opening, TensorSpec, shown_feeds
from models.runtime.shapes import (
    BATCHES,
    DeclaredShapes,
    Shape,
    batches_up_to,
    joined,
)
from models.runtime.spare import SpareThreads

logger = logging.getLogger(__name__)

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


@runtime_checkable
class OnSessions(Protocol):
    """Anything that runs on sessions: a session, a detector, a pose estimator, an action model."""

    @property
    def sessions(self) -> tuple["Session", ...]:
        """What it runs on."""
        ...


def sessions_of(*parts: object) -> "tuple[Session, ...]":
    """The sessions that these parts run on, each once; of what runs on none, none."""
    found = (session for part in parts if isinstance(part, OnSessions) for session in part.sessions)
    return tuple(dict.fromkeys(found))


class Session:
    """A network that is ready to run; `run` may be called from several threads at once.

    On a device it sees only the shapes that were declared, each batch size opened for itself: batches are padded,
    outputs are cut back, and any other shape is refused. On the CPU every shape goes as it is.
    device: its name says the engine, too (`device.py`). graph: the network itself where it is not the file's, such as
    one that was changed after it was read. spare: threads that a call may have beside its own while nothing else runs,
    on the CPU; the answer is the same.
    Raises WeightsMissing without the file, ContractMismatch when the engine cannot read it, and DeviceUnavailable
    when a GPU is asked for and onnxruntime would quietly run on the CPU instead, or OpenVINO and it is not there.
    """

    def __init__(
        self, path: Path, device: str = "cpu", threads: int = 1, graph: bytes | None = None,
        spare: SpareThreads | None = None,
    ) -> None:  # fmt: skip
        if not path.is_file():
            raise WeightsMissing(f"{path}: no such weight file")
        self.path = path
        self.device = device
        self._device = Device.parse(device)
        self._opening = Opening(path, self._device, threads, graph)
        self._network = open_network(self._opening)
        # get_available_providers() lists CUDA where no GPU is; only the session tells what it really uses.
        if self._device.kind == "cuda" and "CUDAExecutionProvider" not in self.providers:
            raise DeviceUnavailable(f"{device}: found {', '.join(self.providers)}, expected CUDAExecutionProvider")
        if self._device.engine == "auto":
            # Every batch size in the engine that was measured to be faster.
            chosen: EngineName = "openvino" if self._network.engine == "openvino" else "onnxruntime"
            self._opening = replace(self._opening, device=replace(self._device, engine=chosen))
        self.inputs, self.outputs = self._network.inputs, self._network.outputs
        self._spare = spare if spare is not None and spare.threads > threads and not self._device.is_bound else None
        # Threads belong to what was opened: a second one, for calls that have the cores to themselves.
        self._wide = open_network(replace(self._opening, threads=spare.threads)) if spare and self._spare else None
        self._lock = threading.Lock()
        self._by_batch: dict[int, EngineNetwork] = {}
        self._fed: set[tuple[tuple[str, Shape], ...]] = set()
        self._declared: DeclaredShapes | None = None
        if self._device.is_bound and all(_is_fixed(spec) for spec in self.inputs):
            self.declare()

    @property
    def sessions(self) -> tuple["Session", ...]:
        """Itself: what runs on sessions says so by this name."""
        return (self,)

    @property
    def providers(self) -> tuple[str, ...]:
        """What is used of the machine, in the engine's words, most wanted first."""
        return self._network.providers

    @property
    def engine(self) -> str:
        """What computes it: `onnxruntime` or `openvino`."""
        return self._network.engine

    @property
    def precision(self) -> str:
        """What it is computed in: `float32`, `bfloat16` or `float16`."""
        return self._network.precision

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that the network takes; None where it takes any."""
        batch = self.inputs[0].shape[0]
        return batch if isinstance(batch, int) else None

    @property
    def max_batch(self) -> int | None:
        """The most rows that go at once; None where nothing bounds them."""
        return self._declared.max_batch if self._declared is not None else self.fixed_batch

    @property
    def batches(self) -> tuple[int, ...]:
        """The batch sizes that were declared; empty where every shape goes."""
        return () if self._declared is None else self._declared.batches

    @property
    def declared_shapes(self) -> tuple[dict[str, Shape], ...]:
        """What it may be fed on a device, the shape of every input per batch size; empty where every shape goes."""
        return () if self._declared is None else tuple(self._declared.of(size) for size in self._declared.batches)

    @property
    def fed_shapes(self) -> frozenset[tuple[tuple[str, Shape], ...]]:
        """What onnxruntime was fed so far, pairs of input and shape; nothing is noted where every shape goes."""
        return frozenset(self._fed)

    def declare(self, rows: Mapping[str, Shape] | None = None, max_batch: int = BATCHES[-1]) -> None:
        """Say what it will be fed; before the first run. No effect where every shape goes.

        rows: input → shape without the batch axis, for inputs whose sizes the file leaves free. max_batch: most rows at
        once, where the file leaves that free. Raises ContractMismatch where a size is missing or not the file's.
        """
        if not self._device.is_bound:
            return
        known = {spec.name: self._row(spec, (rows or {}).get(spec.name)) for spec in self.inputs}
        batches = (self.fixed_batch,) if self.fixed_batch else batches_up_to(max_batch, self.device)
        self._declared = DeclaredShapes(known, batches)

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Outputs by name, one row per row that was fed.

        Raises ContractMismatch when the feeds do not fit the network, or were not declared on a device.
        """
        if not self._device.is_bound:
            return self._run_free(feeds)
        if self._declared is None:
            raise ContractMismatch(
                f"{self.path.name}: found {shown_feeds(feeds)}, and no shape was declared on {self.device}"
            )
        num_rows = self._declared.require(feeds, self.path.name)
        return joined([self._run_padded(count, batch) for count, batch in self._declared.chunks(feeds, num_rows)])

    def warm_declared(self) -> None:
        """Run zeros in every declared shape, so that no call has to wait for one that is new."""
        self.warm(self.batches)

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
            shapes = {spec.name: self._shape(spec, size, sizes or {}) for spec in self.inputs}
            self.run({spec.name: np.zeros(shapes[spec.name], _dtype(spec)) for spec in self.inputs})

    def _run_free(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        if self._spare is None or self._wide is None:
            return self._network.run(feeds)
        with self._spare.borrow() as threads:
            return (self._wide if threads > 1 else self._network).run(feeds)

    def _run_padded(self, count: int, batch: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """The first `count` rows of the outputs of a whole batch."""
        self._fed.add(tuple(sorted((name, tuple(value.shape)) for name, value in batch.items())))
        size = len(next(iter(batch.values())))
        outputs = self._of_batch(size).run(batch)
        for name, value in outputs.items():
            if len(value) != size:
                raise ContractMismatch(
                    f"{self.path.name}: {name} has {len(value)} rows, expected {size}, one per input"
                )
        return {name: value[:count] for name, value in outputs.items()}

    def _of_batch(self, size: int) -> EngineNetwork:
        """What sees this batch size and no other: an onnxruntime session that sees two plans at every change."""
        with self._lock:
            if size not in self._by_batch:
                self._by_batch[size] = open_network(self._opening) if self._by_batch else self._network
            return self._by_batch[size]

    def _row(self, spec: TensorSpec, wanted: Shape | None) -> Shape:
        """The declared shape of one input without its batch axis."""
        known = spec.shape[1:]
        row = tuple(wanted) if wanted is not None else tuple(size for size in known if isinstance(size, int))
        fits = (
            len(row) == len(known)
            and min(row, default=1) > 0
            and all(have == size for have, size in zip(known, row, strict=True) if isinstance(have, int))
        )
        if not fits:
            raise ContractMismatch(
                f"{self.path.name}: {spec.name} is {spec.shape}; found {row} declared for a row of it"
            )
        return row

    def _shape(self, spec: TensorSpec, batch: int, sizes: Mapping[str, int]) -> Shape:
        if self._declared is not None:
            return (batch, *self._declared.rows[spec.name])
        rest = [sizes.get(size) if isinstance(size, str) else size for size in spec.shape[1:]]
        if None in rest:
            raise ContractMismatch(
                f"{self.path.name}: {spec.name} is {spec.shape}; give a size to each name for warm-up"
            )
        return tuple(int(size) for size in itertools.chain([batch], rest) if size is not None)


def _is_fixed(spec: TensorSpec) -> bool:
    return all(isinstance(size, int) for size in spec.shape[1:])


def _dtype(spec: TensorSpec) -> type[np.generic]:
    if spec.dtype not in _DTYPES:
        raise ContractMismatch(f"input {spec.name}: found {spec.dtype}, expected one of {list(_DTYPES)}")
    return _DTYPES[spec.dtype]
