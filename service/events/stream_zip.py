"""A zip archive that is sent while it is made: one piece of one file in memory, nothing on disk."""

import datetime as dt
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_PIECE_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    content: a text that is at hand, or a path that is read while it is sent.
    time: what the file is dated with; 1980 to 2107, in UTC.
    """

    name: str
    content: bytes | Path
    time: dt.datetime

    @property
    def size_bytes(self) -> int:
        """How large it is now; 0 for a file that is not there."""
        if isinstance(self.content, bytes):
            return len(self.content)
        try:
            return self.content.stat().st_size
        except FileNotFoundError:
            return 0


def iter_zip(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in pieces; a file that is gone when its turn comes is left out."""
    tap = _Tap()
    with zipfile.ZipFile(tap, "w") as archive:  # type: ignore[arg-type] - it asks for no more than these two methods
        for member in members:
            yield from _iter_member(archive, tap, member)
    yield tap.take()


def _iter_member(archive: zipfile.ZipFile, tap: "_Tap", member: Member) -> Iterator[bytes]:
    with ExitStack() as stack:
        try:
            source = stack.enter_context(_open(member.content))
        except FileNotFoundError:
            return
        target = stack.enter_context(archive.open(_info(member), "w"))
        while piece := source.read(_PIECE_BYTES):
            target.write(piece)
            yield tap.take()


def _open(content: bytes | Path) -> BinaryIO:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _info(member: Member) -> zipfile.ZipInfo:
    time = member.time.astimezone(dt.UTC)
    info = zipfile.ZipInfo(member.name, (time.year, time.month, time.day, time.hour, time.minute, time.second))
    # Videos and pictures are as small as they get.
    is_packed = member.name.endswith((".mp4", ".jpg"))
    info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    info.file_size = member.size_bytes
    return info


class _Tap:
    """What zipfile writes to: it cannot be sought, so that sizes follow each file."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
