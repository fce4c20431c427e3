"""One server per home: a lock that the operating system holds, taken before anything in the home is touched."""

import fcntl
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from service.database import sqlite_file
from service.errors import HomeInUse, HomeUnusable
from service.settings import Settings

_NAME = "serve.lock"
_TEXT_BYTES_MAX = 512


class FileLock:
    """A lock on one file. It goes with the process that holds it, however that process ends; the file stays.

    shown: what the lock protects, for the message.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it, or raise HomeInUse, which names the holder; HomeUnusable when the file cannot be made."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeUnusable(f"{self._shown}: {self._path.name} cannot be written there: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _read(descriptor)
            os.close(descriptor)
            raise HomeInUse(
                f"{self._shown} is in use by {holder}: stop that server first, or give this one a home of its own "
                "(ACTOGRAM_HOME)"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise HomeUnusable(f"{self._shown}: its file system keeps no locks: {error.strerror}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give it back; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _read(descriptor: int) -> str:
    text = os.pread(descriptor, _TEXT_BYTES_MAX, 0).decode("utf-8", "replace").strip()
    return f"another server ({text})" if text.isprintable() and text else "another server"


class HomeLock:
    """The right to serve from a home: its folder and, where that lies elsewhere, its SQLite file."""

    def __init__(self, settings: Settings) -> None:
        self._locks = [FileLock(settings.home / _NAME, f"home {settings.home}")]
        database = sqlite_file(sa.make_url(settings.database))
        if database is not None and database.parent.resolve() != settings.home.resolve():
            self._locks.append(FileLock(database.with_name(f"{database.name}.lock"), f"database {database}"))
        self._held = ExitStack()
        self._is_held = False

    def acquire(self) -> None:
        """Take every lock or none; harmless when they are held already. Raises HomeInUse, HomeUnusable."""
        if self._is_held:
            return
        with ExitStack() as stack:
            for lock in self._locks:
                lock.acquire()
                stack.callback(lock.release)
            self._held = stack.pop_all()
        self._is_held = True

    def release(self) -> None:
        """Give them back; may be called twice."""
        self._held.close()
        self._is_held = False

    def __enter__(self) -> "HomeLock":
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.release()
