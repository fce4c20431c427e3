"""An output file that appears when it is whole, and the errors of one that cannot be written."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from models.atomic_file import AtomicFile
from pipelines.errors import DiskFull, SinkError
from pipelines.stream.file_names import printable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn system errors while writing to `path` into DiskFull or SinkError; a closed pipe is let through."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = printable(str(path))
        if error.errno in _FULL:
            raise DiskFull(f"{name}: the disk is full, {_free(path)} bytes are free") from error
        raise SinkError(f"{name}: could not be written: {error.strerror or error}") from error


class OutputFile:
    """The place of one result, with errors that name it.

    path: where it goes. A device or a pipe is written directly; anything else is replaced when `commit` is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = AtomicFile(path, is_synced=True)

    def open(self) -> Path:
        """Where to write to. Raises SinkError when the folder is missing or closed."""
        if self.path.is_dir():
            raise SinkError(f"{printable(str(self.path))}: expected a file name, found a folder")
        if self.path.exists() and not self.path.is_file():
            return self.path
        with told(self.path):
            return self._file.open()

    def commit(self) -> None:
        """Make what was written appear, whole, in its place."""
        with told(self.path):
            self._file.commit()

    def abort(self) -> None:
        """Remove what was written; may be called in any state."""
        self._file.abort()


def _free(path: Path) -> int:
    try:
        status = os.statvfs(path.parent)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize
