"""A file that is replaced whole or not at all: written beside its place under another name, then renamed."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_STEM_MAX = 40


class AtomicFile:
    """The place of one file.

    path: where it goes; its folder must exist.
    is_synced: whether what was written is on the disk before the name is taken; without it a loss of power may leave
               an empty file of that name, a crash of the process may not.
    """

    def __init__(self, path: Path, *, is_synced: bool = False) -> None:
        self.path = path
        self._is_synced = is_synced
        self._part: Path | None = None

    def open(self) -> Path:
        """An empty file to write to, in the same folder: its name begins with a dot and ends with `.part`.

        Raises OSError.
        """
        part = self.path.with_name(f".{self.path.stem[:_STEM_MAX]}.{secrets.token_hex(4)}.part")
        # Not tempfile: its files are closed to everybody else, and so would be what they replace.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        self._part = part
        return part

    def commit(self) -> None:
        """Make what was written appear in its place; does nothing unless it is open. Raises OSError."""
        if self._part is None:
            return
        if self._is_synced:
            land(self._part, self.path)
        else:
            self._part.replace(self.path)
        self._part = None

    def abort(self) -> None:
        """Remove what was written; an older file in that place stays. May be called in any state."""
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part = None


def land(part: Path, path: Path) -> None:
    """Give a whole file of the same disk its name, so that it has it after a loss of power too. Raises OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # Some network file systems refuse this; the file itself is safe there.
        with contextlib.suppress(OSError):
            os.fsync(folder)
    finally:
        os.close(folder)


def remove_parts(folder: Path) -> None:
    """Remove what a process that was killed left half written in a folder that nobody else writes to."""
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path, *, is_synced: bool = False) -> Iterator[Path]:
    """Where to write what takes the place of `path` when the block ends, unless it ends with an error.

    Raises OSError.
    """
    file = AtomicFile(path, is_synced=is_synced)
    part = file.open()
    try:
        yield part
        file.commit()
    finally:
        file.abort()
