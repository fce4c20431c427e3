"""The shapes that a network may see on a device: batches padded to a few sizes, everything else fixed.

onnxruntime plans all convolutions of a network anew whenever an input's shape differs from the call before, which costs
a GPU more than the work itself. So a network on a device sees what it was declared for and warmed with, and nothing
else. On the CPU a new shape costs nothing, and there every shape goes as it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray
from models.errors import ContractMismatch
from models.runtime.device import Device

BATCHES = (1, 2, 4, 8, 16, 32, 64)
"""Batch sizes on a device; a call with more rows is cut into several."""
_REHEARSAL_MAX_BATCH = 8  # the rule is the same, and warming takes seconds instead of minutes

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DeclaredShapes:
    """What one network may be fed.

    rows: input → shape without the batch axis.  batches: sizes of the batch axis, smallest first, at least one.
    """

    rows: Mapping[str, Shape]
    batches: tuple[int, ...]

    @property
    def max_batch(self) -> int:
        """The largest batch."""
        return self.batches[-1]

    def of(self, batch: int) -> dict[str, Shape]:
        """The shape of every input at a batch size."""
        return {name: (batch, *row) for name, row in self.rows.items()}

    def batch_for(self, num_rows: int) -> int:
        """The smallest batch that holds so many rows; the largest where none does."""
        return next((size for size in self.batches if size >= num_rows), self.max_batch)

    def require(self, feeds: Mapping[str, AnyArray], network: str) -> int:
        """How many rows the feeds have. Raises ContractMismatch where they are not what was declared."""
        found = {name: tuple(value.shape) for name, value in feeds.items()}
        counts: set[int] = {shape[0] for shape in found.values() if shape}
        if len(counts) != 1 or {name: shape[1:] for name, shape in found.items()} != dict(self.rows):
            raise ContractMismatch(f"{network}: found {_shown(found)}, which was not declared; declared is {self}")
        return counts.pop()

    def chunks(self, feeds: Mapping[str, AnyArray], num_rows: int) -> Iterator[tuple[int, dict[str, AnyArray]]]:
        """The feeds in batches of declared sizes, padded with zeros, each with its number of real rows."""
        for at in range(0, max(num_rows, 1), self.max_batch):
            count = min(self.max_batch, num_rows - at)
            size = self.batch_for(count)
            yield count, {name: padded(value[at : at + count], size) for name, value in feeds.items()}

    def __str__(self) -> str:
        batches = "|".join(str(size) for size in self.batches)
        return ", ".join(f"{name} {_dims([batches, *row])}" for name, row in self.rows.items())


def batches_up_to(max_batch: int, device: str) -> tuple[int, ...]:
    """The batch sizes on a device of a network that takes at most `max_batch` rows at once."""
    most = min(max_batch, _REHEARSAL_MAX_BATCH if Device.parse(device).kind == "cpu" else BATCHES[-1])
    return (*(size for size in BATCHES if size < most), most)


def padded(rows: AnyArray, size: int) -> AnyArray:
    """The same rows, and zeros up to `size` of them."""
    missing = size - len(rows)
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)]) if missing else rows


def joined(parts: Sequence[Mapping[str, AnyArray]]) -> dict[str, AnyArray]:
    """Outputs of several batches as those of one."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _shown(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {_dims(shape)}" for name, shape in shapes.items())


def _dims(sizes: Sequence[int | str]) -> str:
    return f"[{', '.join(str(size) for size in sizes)}]"
