"""Where blobs lie: below a folder of this machine, or in an object store that several machines share."""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from models.atomic_file import replacing
from service.errors import BlobsUnavailable

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """One blob as a listing tells it.

    key: its place, with slashes: `jobs/job_1/results.jsonl`.  modified: UTC.
    etag: in quotes; empty where none is told.
    """

    key: str
    size_bytes: int
    modified: dt.datetime
    etag: str = ""

    @property
    def name(self) -> str:
        """The last part of its key."""
        return PurePosixPath(self.key).name


class BlobStore(Protocol):
    """Blobs by key. Every request ends in time; BlobsUnavailable is raised where the store does not do its part."""

    def get(self, key: str) -> "Path | RemoteBlob | None":
        """A blob that can be sent: the file itself where it lies on this machine; None when there is none."""
        ...

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Every blob below a folder, in the order of their keys; none when there is no such folder."""
        ...

    def folders(self, folder: str) -> Iterator[str]:
        """The names of the folders right below one."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A blob's bytes from `start` up to, without, `stop`, in pieces; raises FileNotFoundError."""
        ...

    def put(self, key: str, path: Path) -> None:
        """Store a file's bytes, piece by piece; a blob of this key is replaced as a whole."""
        ...

    def write(self, key: str, data: bytes) -> None:
        """Store a few bytes; a blob of this key is replaced as a whole."""
        ...

    def remove(self, key: str) -> None:
        """Remove a blob, or everything below a folder; harmless when there is none."""
        ...

    def check(self) -> None:
        """Raise BlobsUnavailable unless blobs can be listed now."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteBlob:
    """A blob that is no file of this machine, with the store that has it."""

    info: BlobInfo
    store: BlobStore = field(repr=False)


class FileStore:
    """Blobs as files below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, key: str) -> Path:
        """Where a blob lies, there or not."""
        return self._root / key

    def get(self, key: str) -> Path | None:
        """The file; None when there is none."""
        path = self.path(key)
        return path if path.is_file() else None

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Every file below a folder; one that goes meanwhile is left out."""
        for path in sorted(self.path(folder).rglob("*")):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                modified = dt.datetime.fromtimestamp(found.st_mtime, dt.UTC)
                yield BlobInfo(path.relative_to(self._root).as_posix(), found.st_size, modified)

    def folders(self, folder: str) -> Iterator[str]:
        """Names of folders."""
        if self.path(folder).is_dir():
            yield from sorted(path.name for path in self.path(folder).iterdir() if path.is_dir())

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """A file's bytes in pieces."""
        with self.path(key).open("rb") as file:
            file.seek(start)
            left = None if stop is None else stop - start
            while piece := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                left = None if left is None else left - len(piece)
                yield piece

    def put(self, key: str, path: Path) -> None:
        """Copy a file."""
        target = self._made(key)
        with replacing(target) as part:
            shutil.copyfile(path, part)

    def write(self, key: str, data: bytes) -> None:
        """Write a file."""
        with replacing(self._made(key)) as part:
            part.write_bytes(data)

    def remove(self, key: str) -> None:
        """Remove a file or a folder."""
        path = self.path(key)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise BlobsUnavailable where the folder cannot be looked at."""
        try:
            next(self._root.iterdir(), None)
        except FileNotFoundError:
            return
        except OSError as error:
            raise BlobsUnavailable(f"{self._root}: {error.strerror}") from error

    def _made(self, key: str) -> Path:
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def pieces(blob: Path | RemoteBlob) -> Iterator[bytes]:
    """The bytes of a blob that was found, in pieces; raises FileNotFoundError where it is gone, BlobsUnavailable."""
    if isinstance(blob, RemoteBlob):
        yield from blob.store.read(blob.info.key)
        return
    with blob.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


def lines(blob: Path | RemoteBlob) -> Iterator[str]:
    """The lines of a text that was found, without their ends; raises what `pieces` does."""
    rest = b""
    for piece in pieces(blob):
        *whole, rest = (rest + piece).split(b"\n")
        yield from (line.decode() for line in whole)
    if rest:
        yield rest.decode()


def read_text(store: BlobStore, key: str) -> str | None:
    """A small blob as text; None when there is none."""
    try:
        return b"".join(store.read(key)).decode()
    except FileNotFoundError:
        return None


def fetch(store: BlobStore, key: str, path: Path, on_piece: Callable[[], None] = lambda: None) -> None:
    """A blob as a file of this machine, piece by piece and complete.

    on_piece: called after each; what it raises ends the fetch. Raises FileNotFoundError, OSError, BlobsUnavailable.
    """
    with replacing(path) as part, part.open("wb") as file:
        for piece in store.read(key):
            file.write(piece)
            on_piece()
