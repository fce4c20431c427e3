"""The blob folder: one folder per job, a place for what is still coming in, and a guard on the disk's free space."""

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from service.errors import StorageFull

THUMBNAIL_CACHE = "private, max-age=300"
"""For small pictures: they never change, and a browser shows an erased one for five minutes at most."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class BlobFolder:
    """Uploads and results below one folder.

    reserve_bytes: free bytes that must stay on the disk.
    """

    def __init__(self, root: Path, reserve_bytes: int, free_bytes: Callable[[Path], int] = _free_bytes) -> None:
        self._root = root
        self._reserve_bytes = reserve_bytes
        self._free_bytes = free_bytes

    def open(self) -> None:
        """Make the folders, and remove what a run before this one left half way."""
        shutil.rmtree(self._incoming, ignore_errors=True)
        for folder in (self._root, self._incoming, self._jobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def job(self, job_id: str) -> Path:
        """The folder of a job, there or not."""
        return self._jobs / job_id

    def incoming(self, job_id: str) -> Path:
        """Where a job's upload is written until it is complete."""
        return self._incoming / f"{job_id}.part"

    def adopt(self, job_id: str, incoming: Path, name: str) -> Path:
        """Move a complete upload to its job's folder, in one step; raises StorageFull."""
        return incoming.replace(self.make(job_id) / name)

    def make(self, job_id: str) -> Path:
        """The folder of a job, made where it is missing; raises StorageFull."""
        folder = self.job(job_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not is_full(error):
                raise
            raise StorageFull(f"the blob disk has no room for the folder of {job_id}") from error
        return folder

    def remove(self, job_id: str) -> None:
        """Remove a job's folder; harmless when there is none."""
        shutil.rmtree(self.job(job_id), ignore_errors=True)

    def remove_results(self, job_id: str) -> None:
        """Remove all but the source: what an analysis that did not finish left."""
        for path in self.job(job_id).glob("*"):
            if not path.name.startswith("source."):
                path.unlink(missing_ok=True)

    def iter_jobs(self) -> Iterator[str]:
        """Ids of the jobs that have a folder."""
        with os.scandir(self._jobs) as entries:
            yield from (entry.name for entry in entries if entry.is_dir())

    def size_bytes(self, job_id: str) -> int:
        """Bytes in a job's folder."""
        return sum(path.stat().st_size for path in self.job(job_id).glob("*") if path.is_file())

    def require_disk_space(self, more_bytes: int = 0) -> None:
        """Raise StorageFull unless `more_bytes` fit beside the reserve."""
        free = self._free_bytes(self._root)
        if free < self._reserve_bytes + more_bytes:
            raise StorageFull(
                f"{free} bytes free on the blob disk, {self._reserve_bytes + more_bytes} needed for {more_bytes} more "
                f"beside the reserve of {self._reserve_bytes}"
            )

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    @property
    def _jobs(self) -> Path:
        return self._root / "jobs"


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
