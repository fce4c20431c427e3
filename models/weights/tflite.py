"""Reads a TensorFlow Lite file into plain values: tensors with their constants, and operators in order.

The format is a flatbuffer; table fields are numbered as in LiteRT's published `schema.fbs`. Only what BlazePose's
two files use is read: float and int32 constants, half precision, and constants stored sparse (TACO's format, see
Kjolstad et al., "The Tensor Algebra Compiler", OOPSLA 2017), which LiteRT expands with its DENSIFY operator.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import AnyArray, IntArray
from models.errors import ContractMismatch

_DTYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2"), 2: np.dtype("<i4")}
_INDEX_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<i4"), 2: np.dtype("<u2"), 3: np.dtype("u1")}
_OPERATORS = {
    0: "ADD", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 5: "DEPTH_TO_SPACE", 6: "DEQUANTIZE",
    14: "LOGISTIC", 17: "MAX_POOL_2D", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 34: "PAD", 124: "DENSIFY",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TfliteTensor:
    """One tensor; `value` is its dense constant, None for what the network computes."""

    name: str
    shape: tuple[int, ...]
    value: AnyArray | None


@dataclass(frozen=True, slots=True)
class Table:
    """A table inside a flatbuffer; fields are addressed by their number in the schema, absent ones give the default."""

    data: bytes
    at: int

    def _field(self, number: int) -> int | None:
        vtable = self.at - int(struct.unpack_from("<i", self.data, self.at)[0])
        size = int(struct.unpack_from("<H", self.data, vtable)[0])
        slot = 4 + 2 * number
        offset = int(struct.unpack_from("<H", self.data, vtable + slot)[0]) if slot < size else 0
        return self.at + offset if offset else None

    def integer(self, number: int, code: str = "i", default: int = 0) -> int:
        """A scalar field; `code` is struct's letter for its width."""
        at = self._field(number)
        return default if at is None else int(struct.unpack_from("<" + code, self.data, at)[0])

    def _follow(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self.data, at)[0])

    def table(self, number: int) -> "Table | None":
        """A field that is itself a table."""
        at = self._field(number)
        return None if at is None else Table(self.data, self._follow(at))

    def require(self, number: int) -> "Table":
        """A field that is itself a table and must be there."""
        table = self.table(number)
        if table is None:
            raise ContractMismatch(f"tflite: table field {number} is missing")
        return table

    def tables(self, number: int) -> list["Table"]:
        """A field that is a list of tables."""
        start, count = self._vector(number)
        return [Table(self.data, self._follow(start + 4 * index)) for index in range(count)]

    def array(self, number: int, dtype: np.dtype[Any]) -> AnyArray:
        """A field that is a list of numbers; empty when absent."""
        start, count = self._vector(number)
        return np.frombuffer(self.data, dtype, count, start) if count else np.zeros(0, dtype)

    def text(self, number: int) -> str:
        """A field that is a string; empty when absent."""
        start, count = self._vector(number)
        return self.data[start : start + count].decode()

    def _vector(self, number: int) -> tuple[int, int]:
        at = self._field(number)
        if at is None:
            return 0, 0
        start = self._follow(at)
        return start + 4, int(struct.unpack_from("<I", self.data, start)[0])


@dataclass(frozen=True, slots=True)
class TfliteOperator:
    """One operator: its schema name, the tensors it takes and gives, and its options table if it has one."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True, slots=True)
class TfliteGraph:
    """The only subgraph of a file; operators stand in the order in which they run."""

    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def load_tflite(path: Path) -> TfliteGraph:
    """Read a file.

    Raises ContractMismatch for what is not a TensorFlow Lite file, or uses an operator or type outside the set above.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ContractMismatch(f"{path.name}: found file identifier {data[4:8]!r}, expected b'TFL3'")
    try:
        return _read(data)
    except (struct.error, ValueError, IndexError) as error:
        raise ContractMismatch(f"{path.name}: not a readable TensorFlow Lite file: {error}") from error


def _read(data: bytes) -> TfliteGraph:
    model = Table(data, int(struct.unpack_from("<I", data, 0)[0]))
    graphs = model.tables(2)
    if len(graphs) != 1:
        raise ContractMismatch(f"tflite: found {len(graphs)} subgraphs, expected 1")
    buffers = model.tables(4)
    codes = [_operator_name(code) for code in model.tables(1)]
    return TfliteGraph(
        tuple(_tensor(table, buffers) for table in graphs[0].tables(0)),
        tuple(_operator(table, codes) for table in graphs[0].tables(3)),
        _indexes(graphs[0], 1),
        _indexes(graphs[0], 2),
    )


def _operator_name(code: Table) -> str:
    number = max(code.integer(0, "b"), code.integer(3, "i"))  # field 0 is the old, narrow one
    if number not in _OPERATORS:
        raise ContractMismatch(f"tflite: found operator {number}, expected one of {sorted(_OPERATORS.values())}")
    return _OPERATORS[number]


def _operator(table: Table, codes: list[str]) -> TfliteOperator:
    return TfliteOperator(codes[table.integer(0, "I")], _indexes(table, 1), _indexes(table, 2), table.table(4))


def _indexes(table: Table, number: int) -> tuple[int, ...]:
    return tuple(int(index) for index in table.array(number, np.dtype("<i4")))


def _tensor(table: Table, buffers: list[Table]) -> TfliteTensor:
    shape = _indexes(table, 0)
    kind = table.integer(1, "b")
    if kind not in _DTYPES:
        raise ContractMismatch(f"{table.text(3)}: found tensor type {kind}, expected float32, float16 or int32")
    stored = buffers[table.integer(2, "I")].array(0, np.dtype("u1"))
    if not len(stored):
        return TfliteTensor(table.text(3), shape, None)
    values = stored.view(_DTYPES[kind])
    sparsity = table.table(6)
    return TfliteTensor(
        table.text(3), shape, values.reshape(shape) if sparsity is None else densify(values, shape, sparsity)
    )


def densify(values: AnyArray, shape: tuple[int, ...], sparsity: Table) -> AnyArray:
    """Expand a sparse constant: walk the dimensions in storage order, keeping the coordinates of every stored value.

    A dense dimension repeats every coordinate `size` times; a compressed one (CSR) names, per coordinate so far, the
    indexes that exist. Raises ContractMismatch for blocks or a permuted order, which BlazePose does not use.
    """
    if list(_indexes(sparsity, 0)) != list(range(len(shape))) or len(_indexes(sparsity, 1)):
        raise ContractMismatch("tflite: found a permuted or blocked sparse tensor, expected plain dimension order")
    flat: IntArray = np.zeros(1, np.int64)
    for size, dimension in zip(shape, sparsity.tables(2), strict=True):
        if dimension.integer(0, "b") == 0:
            flat = (flat[:, None] * size + np.arange(size)).reshape(-1)
        else:
            segments = _index_vector(dimension, 2)
            flat = np.repeat(flat, np.diff(segments)) * size + _index_vector(dimension, 4)
    dense = np.zeros(int(np.prod(shape)), values.dtype)
    dense[flat] = values[: len(flat)]
    return dense.reshape(shape)


def _index_vector(dimension: Table, number: int) -> IntArray:
    dtype = _INDEX_DTYPES[dimension.integer(number, "B")]
    return dimension.require(number + 1).array(0, dtype).astype(np.int64)
