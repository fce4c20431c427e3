"""Whether a video file is shorter than its own headers say: they are read, never the pictures."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_HEAD_BYTES = 1 << 16
_MAX_ELEMENTS = 1 << 20  # boxes or blocks looked at; hours of video have fewer


def is_cut_off(path: Path, container: str) -> bool:
    """Whether the file ends inside something whose length it declares; False where nothing is declared.

    container: FFmpeg's name of the format. Raises OSError.
    """
    names = container.split(",")
    check = next((check for name, check in _CHECKS.items() if name in names), None)
    if check is None:
        return False
    with path.open("rb") as file:
        try:
            return check(file, os.fstat(file.fileno()).st_size)
        except (struct.error, IndexError):  # the headers themselves end in the middle
            return True


def _boxes(file: BinaryIO, num_bytes: int) -> bool:
    """MP4 and QuickTime: a row of boxes, each with its length."""
    start = 0
    for _ in range(_MAX_ELEMENTS):
        if num_bytes - start < 8:
            return False
        length, kind = struct.unpack(">I4s", _read_at(file, start, 8))
        if length == 1:
            (length,) = struct.unpack(">Q", _read_at(file, start + 8, 8))
        if length < 8 or not kind.isascii():  # 0: up to the end of the file; else rubbish behind the last box
            return False
        start += length
        if start > num_bytes:
            return True
    return False


def _riff(file: BinaryIO, num_bytes: int) -> bool:
    """AVI: one RIFF chunk, or several above a gigabyte; recorders that were switched off leave its length 0."""
    start = 0
    for _ in range(_MAX_ELEMENTS):
        if num_bytes - start < 12:
            return False
        kind, length = struct.unpack("<4sI", _read_at(file, start, 8))
        if kind != b"RIFF":
            return False
        start += 8 + length + length % 2
        if start - length % 2 > num_bytes:
            return True
    return False


def _ebml(file: BinaryIO, num_bytes: int) -> bool:
    """Matroska and WebM: nested elements, each with its length; live recordings leave those of the outer ones open."""
    start = 0
    for _ in range(_MAX_ELEMENTS):
        if start >= num_bytes:
            return False
        head = _read_at(file, start, 12)
        id_bytes = _vint_bytes(head[0])
        size_bytes = _vint_bytes(head[id_bytes])
        if id_bytes > 4 or size_bytes > 8:
            return False  # rubbish behind the last element
        raw = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big")
        if id_bytes + size_bytes > len(head):
            return True
        length, open_length = raw & ((1 << 7 * size_bytes) - 1), (1 << 7 * size_bytes) - 1
        start += id_bytes + size_bytes
        if length != open_length:  # an open element is entered, a closed one is passed over
            start += length
            if start > num_bytes:
                return True
    return False


def _vint_bytes(first: int) -> int:
    """How many bytes a number of variable length takes, by its first one."""
    return 9 - first.bit_length()


def _transport(file: BinaryIO, num_bytes: int) -> bool:
    """MPEG-TS declares nothing, but consists of packets of one size."""
    head = _read_at(file, 0, 2048)
    for size, first in ((188, 0), (192, 4), (204, 0)):
        places = range(first, min(len(head), num_bytes), size)
        if len(places) > 2 and all(head[at] == 0x47 for at in places):
            return num_bytes % size != 0
    return False


def _flv(file: BinaryIO, num_bytes: int) -> bool:
    """FLV: its metadata name the size of the file."""
    head = _read_at(file, 0, _HEAD_BYTES)
    place = head.find(b"\x00\x08filesize\x00")
    if place < 0:
        return False
    (declared,) = struct.unpack_from(">d", head, place + 11)
    return bool(declared > num_bytes)


def _asf(file: BinaryIO, num_bytes: int) -> bool:
    """WMV: the file properties name the size of the file."""
    head = _read_at(file, 0, _HEAD_BYTES)
    place = head.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    if place < 0:
        return False
    (declared,) = struct.unpack_from("<Q", head, place + 40)
    return bool(declared > num_bytes)


def _ogg(file: BinaryIO, num_bytes: int) -> bool:
    """Ogg: the last page says that it is the last."""
    tail = _read_at(file, max(0, num_bytes - _HEAD_BYTES), _HEAD_BYTES)
    place = tail.rfind(b"OggS")
    return place >= 0 and not tail[place + 5] & 0x04


def _gif(file: BinaryIO, num_bytes: int) -> bool:
    """GIF ends with a trailer."""
    return not _read_at(file, max(0, num_bytes - 64), 64).rstrip(b"\x00").endswith(b"\x3b")


def _read_at(file: BinaryIO, place: int, num_bytes: int) -> bytes:
    file.seek(place)
    return file.read(num_bytes)


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mov": _boxes,
    "avi": _riff,
    "matroska": _ebml,
    "mpegts": _transport,
    "flv": _flv,
    "asf": _asf,
    "ogg": _ogg,
    "gif": _gif,
}
