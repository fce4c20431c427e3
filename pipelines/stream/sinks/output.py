"""An output file that appears when it is whole: written beside its place under another name, then renamed."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import DiskFull, SinkError
from pipelines.stream.file_names import printable

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what the system says of writing to `path` into DiskFull or SinkError; a closed pipe passes."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        name = printable(str(path))
        if error.errno in _FULL:
            raise DiskFull(f"{name}: no space left on the device, found {_free(path)} bytes free") from error
        raise SinkError(f"{name}: cannot be written: {error.strerror or error}") from error


class OutputFile:
    """The place of one result.

    path: where it goes. A device or a pipe is written directly; anything else is replaced when `commit` is called.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part: Path | None = None

    def open(self) -> Path:
        """Where to write to. Raises SinkError when the folder is missing or closed."""
        if self.path.is_dir():
            raise SinkError(f"{printable(str(self.path))}: is a folder, a file name is expected")
        if self.path.exists() and not self.path.is_file():
            return self.path
        with told(self.path):
            handle, name = tempfile.mkstemp(prefix=f".{self.path.stem[:40]}.", suffix=".part", dir=self.path.parent)
            os.close(handle)
            self._part = Path(name)
            self._part.chmod(0o666 & ~_umask())
        return self._part

    def commit(self) -> None:
        """Make what was written appear, whole, in its place."""
        if self._part is None:
            return
        with told(self.path), self._part.open("rb") as file:
            os.fsync(file.fileno())
            self._part.replace(self.path)
        self._part = None

    def abort(self) -> None:
        """Remove what was written; may be called in any state."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part = None


def _umask() -> int:
    """The process's file mode mask; the system has no call that only reads it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _free(path: Path) -> int:
    try:
        status = os.statvfs(path.parent)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize
