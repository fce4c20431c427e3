"""Which shared libraries a library of Linux needs, read from its file without loading it.

Source: System V Application Binary Interface, chapters 4 and 5, and its ELF-64 object file format.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<QQ")


def needed_libraries(path: Path) -> tuple[str, ...]:
    """The names of the libraries that the loader looks for when it loads this one, in its order.

    Raises OSError where the file cannot be read, ValueError where it is no such library.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[: len(_MAGIC)] != _MAGIC:
            raise ValueError(f"{path.name}: not a 64-bit little-endian ELF file")
        try:
            return tuple(_needed(content))
        except (struct.error, OverflowError) as error:
            raise ValueError(f"{path.name}: its dynamic section cannot be read") from error


def _needed(content: mmap.mmap) -> Iterator[str]:
    segments = list(_segments(content))
    entries = [
        entry for kind, offset, _, size in segments if kind == _PT_DYNAMIC for entry in _dynamic(content, offset, size)
    ]
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    for tag, value in entries:
        if tag == _DT_NEEDED and tables:
            start = _offset(segments, tables[0]) + value
            end = content.find(b"\0", start)
            yield content[start:end].decode("ascii", "replace")


def _segments(content: mmap.mmap) -> Iterator[tuple[int, int, int, int]]:
    """(kind, offset in the file, address, size) of every segment."""
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for index in range(count):
        kind, _, offset, address, _, length, _, _ = _SEGMENT.unpack_from(content, table + index * size)
        yield kind, offset, address, length


def _dynamic(content: mmap.mmap, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(offset, offset + size, _ENTRY.size):
        tag, value = _ENTRY.unpack_from(content, at)
        if tag == _DT_NULL:
            return
        yield tag, value


def _offset(segments: list[tuple[int, int, int, int]], address: int) -> int:
    """Where in the file an address lies."""
    for kind, offset, start, size in segments:
        if kind == _PT_LOAD and start <= address < start + size:
            return address - start + offset
    raise OverflowError(f"address {address:#x} is in no segment")
