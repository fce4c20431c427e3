"""A zip archive that is sent while it is made: one piece of one file in memory, nothing on disk."""

import datetime as dt
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from service.blob_store import RemoteBlob, pieces


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    content: a text that is at hand, or a blob that is read while it is sent.
    time: what the file is dated with; 1980 to 2107, in UTC.
    """

    name: str
    content: bytes | Path | RemoteBlob
    time: dt.datetime

    @property
    def size_bytes(self) -> int:
        """How large it is now; 0 for a file that is not there."""
        if isinstance(self.content, bytes):
            return len(self.content)
        if isinstance(self.content, RemoteBlob):
            return self.content.info.size_bytes
        try:
            return self.content.stat().st_size
        except FileNotFoundError:
            return 0


def iter_zip(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in pieces; a file that is gone when its turn comes is left out."""
    tap = _Tap()
    with zipfile.ZipFile(tap, "w") as archive:
        for member in members:
            yield from _iter_member(archive, tap, member)
    yield tap.take()


def _iter_member(archive: zipfile.ZipFile, tap: "_Tap", member: Member) -> Iterator[bytes]:
    source = iter((member.content,)) if isinstance(member.content, bytes) else pieces(member.content)
    try:
        first = next(source, b"")
    except FileNotFoundError:
        return
    with archive.open(_info(member), "w") as target:
        for piece in chain((first,), source):
            target.write(piece)
            yield tap.take()


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

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
