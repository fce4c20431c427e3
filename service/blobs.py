"""The blobs of jobs: one folder per job, a place for what is still coming in, and a guard on the disk's free space."""

import datetime as dt
import errno
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.blob_store import BlobStore, FileStore, RemoteBlob
from service.errors import BlobsUnavailable, StorageFull

logger = logging.getLogger(__name__)

THUMBNAIL_CACHE = "private, max-age=300"
"""For small pictures: they never change, and a browser shows an erased one for five minutes at most."""
BLOB_SCHEME = "blob:"
"""Begins what a worker is told of a blob that is no file of this machine."""
_JOBS = "jobs"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@dataclass(frozen=True, slots=True)
class FolderSize:
    """What is in a folder. newest: when its newest file was written, UTC."""

    size_bytes: int
    newest: dt.datetime


class BlobFolder:
    """Uploads and results of jobs, each job in a folder of its own.

    root: on this machine; what comes in passes through it, also where the store lies elsewhere.
    reserve_bytes: free bytes that must stay on the disk.
    store: where they are kept; None: below `root`.
    """

    def __init__(
        self, root: Path, reserve_bytes: int, free_bytes: Callable[[Path], int] = _free_bytes,
        store: BlobStore | None = None,
    ) -> None:  # fmt: skip
        self._root = root
        self._reserve_bytes = reserve_bytes
        self._free_bytes = free_bytes
        self._files = FileStore(root)
        self._store = store or self._files

    def open(self) -> None:
        """Make the folders, and remove what a run before this one left half way."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._incoming, self._jobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def place(self, job_id: str, name: str = "") -> str:
        """What a worker is told of a job's folder, or of a file in it: a path, or `blob:` and a key.

        Raises StorageFull.
        """
        key = "/".join(filter(None, (_key(job_id), name)))
        return str(self.make(job_id) / name) if self.is_local else f"{BLOB_SCHEME}{key}"

    def incoming(self, job_id: str) -> Path:
        """Where a job's upload is written until it is complete."""
        return self._incoming / f"{job_id}.part"

    def adopt(self, job_id: str, incoming: Path, name: str) -> None:
        """Move a complete upload to its job's folder, in one step; raises StorageFull, BlobsUnavailable."""
        if self.is_local:
            incoming.replace(self.make(job_id) / name)
        else:
            self._store.put(f"{_key(job_id)}/{name}", incoming)

    def make(self, job_id: str) -> Path:
        """The folder of a job on this machine, made where it is missing; raises StorageFull."""
        folder = self._jobs / job_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not is_full(error):
                raise
            raise StorageFull(f"the blob disk has no room for the folder of {job_id}") from error
        return folder

    def get(self, job_id: str, name: str) -> Path | RemoteBlob | None:
        """A file of a job, as it can be sent; None when there is none. Raises BlobsUnavailable."""
        return self._store.get(f"{_key(job_id)}/{name}")

    def names(self, job_id: str) -> list[str]:
        """The names of a job's files. Raises BlobsUnavailable."""
        return [blob.name for blob in self._store.list(_key(job_id))]

    def remove(self, job_id: str) -> None:
        """Remove a job's folder; harmless when there is none. What a store does not remove now is removed later."""
        try:
            self._store.remove(_key(job_id))
        except BlobsUnavailable as error:
            logger.warning("the files of %s are removed later: %s", job_id, error)

    def remove_results(self, job_id: str) -> None:
        """Remove all but the source: what an analysis that did not finish left; a store only gets whole results."""
        if not self.is_local:
            return
        for name in self.names(job_id):
            if not name.startswith("source."):
                self._store.remove(f"{_key(job_id)}/{name}")

    def iter_jobs(self) -> Iterator[str]:
        """Ids of the jobs that have a folder. Raises BlobsUnavailable."""
        yield from self._store.folders(_JOBS)

    def sizes(self) -> Mapping[str, FolderSize]:
        """Job → what is in its folder. Raises BlobsUnavailable."""
        found: dict[str, FolderSize] = {}
        for blob in self._store.list(_JOBS):
            job_id = blob.key.split("/")[1]
            known = found.get(job_id, FolderSize(0, blob.modified))
            newest = max(known.newest, blob.modified)
            found[job_id] = FolderSize(known.size_bytes + blob.size_bytes, newest)
        return found

    def require_disk_space(self, more_bytes: int = 0) -> None:
        """Raise StorageFull unless `more_bytes` fit beside the reserve."""
        free = self._free_bytes(self._root)
        if free < self._reserve_bytes + more_bytes:
            raise StorageFull(
                f"{free} bytes free on the blob disk, {self._reserve_bytes + more_bytes} needed for {more_bytes} more "
                f"beside the reserve of {self._reserve_bytes}"
            )

    @property
    def is_local(self) -> bool:
        """Whether they are files of this machine."""
        return self._store is self._files

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    @property
    def _jobs(self) -> Path:
        return self._root / _JOBS


def _key(job_id: str) -> str:
    return f"{_JOBS}/{job_id}"


def is_full(error: OSError) -> bool:
    """Whether an error says that the disk is full."""
    return error.errno in _NO_ROOM


def source_name(shown: str) -> str:
    """The file name under which a source is kept: its own suffix where that is harmless, nothing else of it."""
    suffix = Path(shown).suffix.lower()
    return f"source{suffix}" if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else "source.bin"


def safe_name(text: str) -> str:
    """A text as one folder name: nothing that a path or a shell reads."""
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in text)[:128]
