"""Whole pictures through a network: letterbox, normalise, batch by shape, and back to one answer per picture."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.arrays import AnyArray, Image
from models.errors import ContractMismatch
from models.runtime.detector import Letterbox, iter_batches, letterbox_for, normalise_tables, planes
from models.runtime.device import is_bound
from models.runtime.session import Session
from models.weights.registry import InputContract

DEFAULT_MAX_BATCH = 16
DEVICE_MAX_BATCH = 32
"""Pictures at once on a device: of 640 x 640 pixels, 157 MB before the first layer."""
_MULTIPLE = 32


class PictureNetwork:
    """A network with one picture input, fed as its registry entry says.

    long_side: longer side of the input in pixels, where the network leaves it free. On a device every picture is then
    put into a square of that side, so that the network sees one size.
    is_centred: whether it learnt pictures in the middle of their padding.
    """

    def __init__(
        self, contract: InputContract, session: Session, long_side: int | None = None, is_centred: bool = False
    ) -> None:
        if len(session.inputs) != 1 or len(session.inputs[0].shape) != 4:
            found = [(spec.name, spec.shape) for spec in session.inputs]
            raise ContractMismatch(f"{session.path.name}: found inputs {found}, expected one of (B, 3, H, W)")
        self._session = session
        self._contract = contract
        self._long_side = long_side or max(contract.size_wh)
        self._is_centred = is_centred
        self._tables = normalise_tables(contract.mean, contract.std)
        self._shape: tuple[int | str | None, ...] = session.inputs[0].shape
        if is_bound(session.device):
            self._shape = self._declared_shape()
        self._max_batch = session.max_batch or contract.max_batch or DEFAULT_MAX_BATCH

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return (self._session,)

    def iter_answers(self, images: Sequence[Image]) -> Iterator[tuple[int, Letterbox, dict[str, AnyArray]]]:
        """Per picture its index, its letterbox and its row of every output; in order of shape, not of index."""
        name = self._session.inputs[0].name
        boxes = [letterbox_for(image, self._shape, self._long_side, self._is_centred) for image in images]
        for indexes in iter_batches([box.canvas for box in boxes], self._max_batch):
            batch = np.empty((len(indexes), 3, *boxes[indexes[0]].canvas.shape[:2]), np.float32)
            for into, index in zip(batch, indexes, strict=True):
                planes(boxes[index].canvas, self._tables, self._contract.colour, into)
            outputs = self._session.run({name: self._padded(batch)})
            for row, index in enumerate(indexes):
                yield index, boxes[index], {output: value[row] for output, value in outputs.items()}

    def _declared_shape(self) -> tuple[int | str | None, ...]:
        """One size of picture, declared."""
        batch, channels, *sides = self._session.inputs[0].shape
        side = -(-self._long_side // _MULTIPLE) * _MULTIPLE
        row = (
            3 if not isinstance(channels, int) else channels,
            *(one if isinstance(one, int) else side for one in sides),
        )
        self._session.declare({self._session.inputs[0].name: row}, self._contract.max_batch or DEVICE_MAX_BATCH)
        return (batch, *row)

    def _padded(self, batch: AnyArray) -> AnyArray:
        """Zeros up to the only batch size that the network takes, if there is one."""
        missing = (self._session.fixed_batch or len(batch)) - len(batch)
        return np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), batch.dtype)]) if missing else batch
