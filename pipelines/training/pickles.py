"""Reads a pickle of plain containers and numeric arrays as data: no callable of it is ever called.

A machine of its own with the few opcodes that such files need. Every step costs what it takes in the file: sizes are
looked up in the bytes that are there before anything is made of them, and what refers to itself again and again is
measured as if it were written out. That is why it needs no process of its own to be ended.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray
from pipelines.errors import DatasetInvalid

_INT_BYTES_MAX = 8
_DIMS_MAX = 8
_SMALL_BYTES = 64
_KEY_INT_MAX = 2**31
_DTYPES = frozenset({"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
_TEXT_DTYPE = re.compile(r"U[1-9]\d{0,3}")
"""Arrays of texts, as names of sequences are kept by some."""
_SPARE = 1000
"""Values that even the smallest file may hold."""
_ARRAY_GROWTH = 4
"""Bytes of arrays, each counted where it is referred to, for every byte of the file."""

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_BUILTINS = ("builtins", "__builtin__")
_NAMES: Mapping[tuple[str, str], str] = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("collections", "OrderedDict"): "dict",
    **{(module, "_reconstruct"): "reconstruct" for module in _MULTIARRAY},
    **{(module, "scalar"): "scalar" for module in _MULTIARRAY},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "frombuffer" for core in ("core", "_core")},
    **{(module, name): name for module in _BUILTINS for name in ("set", "frozenset", "bytes", "bytearray")},
}


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that the file mentions, and what it stands for here."""

    meaning: str


@dataclass(slots=True)
class _DtypeDraft:
    """A dtype between its name and its byte order."""

    name: str
    order: str = "<"

    def finish(self) -> np.dtype[np.generic]:
        """The dtype."""
        return np.dtype(f"{'|' if self.name in ('b1', 'i1', 'u1') else self.order}{self.name}")


@dataclass(slots=True)
class _ArrayDraft:
    """An array before its state came; afterwards the array itself stands in."""

    found: AnyArray | None = None


class _Mark:
    """Where a container's members begin on the stack."""


_MARK = _Mark()


def loads(data: bytes) -> object:
    """The value that a pickle describes; raises DatasetInvalid for everything that is not plain data."""
    try:
        found = _Machine(data).run()
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, UnicodeError) as cause:
        raise DatasetInvalid(f"not a readable pickle ({type(cause).__name__}: {cause})") from cause
    _require_modest(found, len(data))
    return found


class _Machine:
    """The stack, the memo and the place in the file."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._stack: list[object] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """Carry out every opcode up to STOP."""
        while True:
            code = self._data[self._at]
            self._at += 1
            if code == _STOP:
                return _settled(self.pop())
            step = _STEPS.get(code)
            if step is None:
                raise DatasetInvalid(
                    f"not a readable pickle: opcode {bytes([code])!r} is none of plain containers and arrays"
                )
            step(self)

    def take(self, num_bytes: int) -> memoryview:
        """The next bytes of the file."""
        end = self._at + num_bytes
        if end > len(self._data):
            raise ValueError(f"{num_bytes} bytes announced, {len(self._data) - self._at} are left")
        found = self._data[self._at : end]
        self._at = end
        return found

    def number(self, num_bytes: int) -> int:
        """The next bytes as an unsigned number."""
        return int.from_bytes(self.take(num_bytes), "little")

    def line(self) -> str:
        """The text up to the end of the line."""
        end = bytes(self._data[self._at : self._at + 256]).index(b"\n")
        return bytes(self.take(end + 1))[:-1].decode("ascii")

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def pop(self) -> object:
        """Take the topmost value."""
        if isinstance(self._stack[-1], _Mark):
            raise ValueError("a value is missing")
        return self._stack.pop()

    def pop_to_mark(self) -> list[object]:
        """Take everything above the last mark, and the mark."""
        place = len(self._stack) - 1
        while not isinstance(self._stack[place], _Mark):
            place -= 1
            if place < 0:
                raise ValueError("a mark is missing")
        found = self._stack[place + 1 :]
        del self._stack[place:]
        return found

    def top(self) -> object:
        """The topmost value, which stays."""
        return self._stack[-1]

    def remember(self, place: int | None = None) -> None:
        """Keep the topmost value under a number; None: the next one."""
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def recall(self, place: int) -> None:
        """Put a kept value on the stack again."""
        self.push(self._memo[place])


def _text(machine: _Machine, num_bytes: int) -> None:
    machine.push(str(machine.take(num_bytes), "utf-8", "strict"))


def _blob(machine: _Machine, num_bytes: int) -> None:
    found = machine.take(num_bytes)
    # A view, not a copy: the bytes of an array are copied once, into the array.
    machine.push(bytes(found) if num_bytes <= _SMALL_BYTES else found)


def _long(machine: _Machine, num_bytes: int) -> None:
    if num_bytes > _INT_BYTES_MAX:
        raise ValueError(f"an integer of {num_bytes} bytes; at most {_INT_BYTES_MAX}")
    machine.push(int.from_bytes(machine.take(num_bytes), "little", signed=True))


def _tuple(machine: _Machine, size: int) -> None:
    machine.push(tuple(reversed([machine.pop() for _ in range(size)])))


def _append(machine: _Machine, values: list[object]) -> None:
    target = machine.top()
    if not isinstance(target, list):
        raise TypeError("members for what is no list")
    target.extend(_settled(value) for value in values)


def _set_items(machine: _Machine, flat: list[object]) -> None:
    target = machine.top()
    if not isinstance(target, dict) or len(flat) % 2:
        raise TypeError("keys and values for what is no dict")
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        target[_key(key)] = _settled(value)


def _add_items(machine: _Machine, values: list[object]) -> None:
    target = machine.top()
    if not isinstance(target, set):
        raise TypeError("members for what is no set")
    target.update(_key(value) for value in values)


def _dict(machine: _Machine) -> None:
    flat = machine.pop_to_mark()
    machine.push({})
    _set_items(machine, flat)


def _list(machine: _Machine) -> None:
    values = machine.pop_to_mark()
    machine.push([])
    _append(machine, values)


def _pop_one(machine: _Machine) -> list[object]:
    return [machine.pop()]


def _pop_two(machine: _Machine) -> list[object]:
    value, key = machine.pop(), machine.pop()
    return [key, value]


def _key(value: object) -> str | int:
    """What may be a key or a member of a set: nothing whose hash a file can choose."""
    if isinstance(value, str) or (isinstance(value, int) and abs(value) < _KEY_INT_MAX):
        return value
    raise TypeError(f"a key is a text or a small integer, found {type(value).__name__}")


def _settled(value: object) -> object:
    """A value as it stands in a container: drafts as what they became."""
    if isinstance(value, _ArrayDraft):
        if value.found is None:
            raise ValueError("an array without content")
        return value.found
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, (_Name, _DtypeDraft, _Mark)):
        raise TypeError("a name where a value belongs")
    return value


def _global(machine: _Machine, module: object, name: object) -> None:
    meaning = _NAMES.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
    if meaning is None:
        raise DatasetInvalid(f"pickle asks for {module}.{name}; only containers and numpy arrays are read")
    machine.push(_Name(meaning))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    _global(machine, module, name)


def _reduce(machine: _Machine) -> None:
    arguments, name = machine.pop(), machine.pop()
    if not isinstance(name, _Name) or not isinstance(arguments, tuple):
        raise TypeError("a call of what has no name")
    maker = _MAKERS.get(name.meaning)
    if maker is None:
        raise TypeError(f"{name.meaning} cannot be called")
    machine.push(maker(*arguments))


def _build(machine: _Machine) -> None:
    state, target = machine.pop(), machine.top()
    if not isinstance(state, tuple):
        raise TypeError("a state that is no tuple")
    if isinstance(target, _DtypeDraft):
        version, order, *rest = state
        if version not in (3, 4) or order not in ("<", ">", "|", "=") or rest[:3] != [None, None, None]:
            raise DatasetInvalid("pickle holds a dtype that is not plain")
        target.order = str(order)
    elif isinstance(target, _ArrayDraft):
        _, shape, dtype, is_fortran, content = state
        target.found = _array(content, dtype, shape, "F" if is_fortran is True else "C")
    else:
        raise TypeError("a state for what has none")


def _make_dtype(name: object, *flags: object) -> _DtypeDraft:
    is_known = isinstance(name, str) and (name in _DTYPES or _TEXT_DTYPE.fullmatch(name) is not None)
    if not is_known or not all(isinstance(flag, int) for flag in flags):
        shown = name[:20] if isinstance(name, str) else type(name).__name__
        raise DatasetInvalid(f"pickle holds an array of dtype {shown!r}; only bool, int, float and text are read")
    return _DtypeDraft(str(name))


def _make_array(kind: object, _shape: object, _typecode: object) -> _ArrayDraft:
    if kind != _Name("ndarray"):
        raise DatasetInvalid("pickle holds an array of a class of its own")
    # Whatever the call says of the shape is never allocated: the state that follows says it, with the bytes.
    return _ArrayDraft()


def _make_from_buffer(content: object, dtype: object, shape: object, order: object) -> AnyArray:
    return _array(content, dtype, shape, "F" if order == "F" else "C")


def _make_scalar(dtype: object, content: object = b"") -> object:
    return _array(content, dtype, (1,), "C")[0].item()


def _make_encoded(text: object, coding: object) -> bytes:
    if not isinstance(text, str) or coding not in ("latin1", "latin-1"):
        raise TypeError("only texts that stand for bytes are encoded")
    return text.encode("latin-1")


def _make_bytes(*content: object) -> bytes:
    # Never of an integer, which would ask for so many bytes.
    if not content:
        return b""
    (only,) = content
    if not isinstance(only, (bytes, memoryview)):
        raise TypeError(f"bytes of {type(only).__name__}")
    return bytes(only)


def _make_dict(pairs: object = ()) -> dict[str | int, object]:
    """An ordered dict; what it holds comes as items later, or as pairs from Python 2."""
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(pair, (list, tuple)) for pair in pairs):
        raise TypeError(f"a dict of {type(pairs).__name__}")
    return {_key(key): _settled(value) for key, value in pairs}


def _make_set(members: object = ()) -> set[str | int]:
    if not isinstance(members, (list, tuple)):
        raise TypeError(f"a set of {type(members).__name__}")
    return {_key(member) for member in members}


def _array(content: object, dtype: object, shape: object, order: str) -> AnyArray:
    """An array of its bytes; shape, dtype and bytes must agree before anything is allocated."""
    if not isinstance(dtype, _DtypeDraft):
        raise DatasetInvalid("pickle holds an array without a plain dtype")
    found = dtype.finish()
    if (
        not isinstance(shape, tuple)
        or len(shape) > _DIMS_MAX
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise DatasetInvalid("pickle holds an array whose shape is no tuple of sizes")
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise DatasetInvalid(f"pickle holds an array whose content is {type(content).__name__}, expected bytes")
    expected = math.prod(shape) * found.itemsize
    if expected != len(content):
        raise DatasetInvalid(f"pickle holds an array of {expected} bytes by its shape, with {len(content)} bytes")
    flat = np.frombuffer(content, found) if expected else np.empty(0, found)
    if found.kind == "b" and not np.isin(flat.view(np.uint8), (0, 1)).all():
        raise DatasetInvalid("pickle holds a boolean that is neither true nor false")
    array: AnyArray = flat.reshape(shape, order="F" if order == "F" else "C").copy(order="K")
    return array


def _require_modest(root: object, file_bytes: int) -> None:
    """Raise DatasetInvalid for values that, written out, are far larger than the file: references to references."""
    values, array_bytes = 0, 0
    waiting: list[Iterator[object]] = [iter((root,))]
    while waiting:
        value = next(waiting[-1], _MARK)
        if value is _MARK:
            waiting.pop()
            continue
        values += 1
        if isinstance(value, np.ndarray):
            array_bytes += value.nbytes
        elif isinstance(value, dict):
            waiting.append(iter(value.values()))
        elif isinstance(value, (list, tuple)):
            waiting.append(iter(value))
        elif isinstance(value, (set, frozenset)):
            values += len(value)
        elif isinstance(value, (str, bytes, bytearray, memoryview)):
            array_bytes += len(value)
        elif not isinstance(value, (int, float)) and value is not None:
            raise DatasetInvalid(f"pickle holds a {type(value).__name__} where a value belongs")
        if values > file_bytes + _SPARE or array_bytes > _ARRAY_GROWTH * file_bytes + 2**20 or len(waiting) > _SPARE:
            raise DatasetInvalid(f"a pickle of {file_bytes} bytes that refers to itself until it is far larger")


_MAKERS: Mapping[str, Callable[..., object]] = {
    "dtype": _make_dtype, "reconstruct": _make_array, "frombuffer": _make_from_buffer, "scalar": _make_scalar,
    "encode": _make_encoded, "bytes": _make_bytes, "bytearray": _make_bytes, "set": _make_set, "frozenset": _make_set,
    "dict": _make_dict,
}  # fmt: skip
_STOP = ord(".")
_FLOAT = np.dtype(">f8")
_STEPS: Mapping[int, Callable[[_Machine], None]] = {
    0x80: lambda m: _require_protocol(m.number(1)),
    # The length of a frame only helps readers that read piece by piece.
    0x95: lambda m: _discard(m.number(8)),
    ord("("): lambda m: m.push(_MARK),
    ord("0"): lambda m: _discard(m.pop()),
    ord("1"): lambda m: _discard(m.pop_to_mark()),
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("J"): lambda m: _long(m, 4),
    ord("K"): lambda m: m.push(m.number(1)),
    ord("M"): lambda m: m.push(m.number(2)),
    0x8A: lambda m: _long(m, m.number(1)),
    0x8B: lambda m: _long(m, m.number(4)),
    ord("G"): lambda m: m.push(float(np.frombuffer(m.take(8), _FLOAT)[0])),
    ord("X"): lambda m: _text(m, m.number(4)),
    0x8C: lambda m: _text(m, m.number(1)),
    0x8D: lambda m: _text(m, m.number(8)),
    ord("B"): lambda m: _blob(m, m.number(4)),
    ord("C"): lambda m: _blob(m, m.number(1)),
    0x8E: lambda m: _blob(m, m.number(8)),
    0x96: lambda m: _blob(m, m.number(8)),
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("t"): lambda m: m.push(tuple(m.pop_to_mark())),
    ord("]"): lambda m: m.push([]),
    ord("a"): lambda m: _append(m, _pop_one(m)),
    ord("e"): lambda m: _append(m, m.pop_to_mark()),
    ord("l"): _list,
    ord("}"): lambda m: m.push({}),
    ord("s"): lambda m: _set_items(m, _pop_two(m)),
    ord("u"): lambda m: _set_items(m, m.pop_to_mark()),
    ord("d"): _dict,
    0x8F: lambda m: m.push(set()),
    0x90: lambda m: _add_items(m, m.pop_to_mark()),
    0x91: lambda m: m.push(frozenset(_key(value) for value in m.pop_to_mark())),
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    0x94: lambda m: m.remember(),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    ord("c"): lambda m: _global(m, m.line(), m.line()),
    0x93: _stack_global,
    ord("R"): _reduce,
    ord("b"): _build,
}  # fmt: skip


def _discard(_: object) -> None:
    """Nothing is done with it."""


def _require_protocol(version: int) -> None:
    if not 2 <= version <= 5:
        raise DatasetInvalid(f"pickle protocol {version}; 2 to 5 are read")
