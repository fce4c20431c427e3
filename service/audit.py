"""Who did what: one line for every change that a key asked for, in a file of the home whose size is bounded."""

import datetime as dt
import getpass
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from service.database import now
from service.private_files import make_private_file

logger = logging.getLogger(__name__)

NAME = "audit.jsonl"
RESOURCE = "actogram.resource"
"""Where a route leaves the path of what it made, in the scope of a request, where the path that was asked says less."""
_TEXT_MAX = 256


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change, done or refused.

    key_id, name, role: of the key; on a server without keys the first is empty. `cli` is the command line.
    address: of the peer, empty on the command line.  method, resource: what was asked.  status: the HTTP status.
    """

    time: str
    key_id: str
    name: str
    role: str
    address: str
    method: str
    resource: str
    status: int


class AuditLog:
    """Appends entries; when the file is full it becomes `.1`, and the one of before is forgotten.

    bytes_max: of both files together.
    """

    def __init__(self, path: Path, bytes_max: int) -> None:
        self._path = path
        self._half_bytes = max(1, bytes_max // 2)
        self._lock = threading.Lock()

    def append(self, entry: AuditEntry) -> None:
        """Keep an entry; a disk that gives out is said in the log and undoes nothing."""
        line = json.dumps(asdict(entry), ensure_ascii=True) + "\n"
        try:
            with self._lock:
                self._rotate(len(line))
                make_private_file(self._path)
                # One write at the file's end: the command line may append at the same time.
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
                try:
                    os.write(descriptor, line.encode())
                finally:
                    os.close(descriptor)
        except OSError as error:
            logger.error("audit: %s %s was not kept: %s", entry.method, entry.resource, error.strerror)

    def read(self, limit: int) -> list[AuditEntry]:
        """The newest `limit` entries, the oldest first; a line that was cut off is passed over."""
        return list(deque(self._iter_all(), maxlen=limit))

    def _iter_all(self) -> Iterator[AuditEntry]:
        for path in (self._older, self._path):
            if path.is_file():
                with path.open(encoding="utf-8", errors="replace") as file:
                    yield from filter(None, map(_entry, file))

    def _rotate(self, more_bytes: int) -> None:
        if self._path.is_file() and self._path.stat().st_size + more_bytes > self._half_bytes:
            self._path.replace(self._older)

    @property
    def _older(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")


def entry_now(key_id: str, name: str, role: str, address: str, method: str, resource: str, status: int) -> AuditEntry:
    """An entry of this moment; texts of clients are cut."""
    time = now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return AuditEntry(time, key_id, name[:_TEXT_MAX], role, address[:_TEXT_MAX], method, resource[:_TEXT_MAX], status)


def entry_of_command(method: str, resource: str) -> AuditEntry:
    """An entry of the command line: whoever may run it on this machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return entry_now("cli", user, "admin", "", method, resource, 0)


def _entry(line: str) -> AuditEntry | None:
    try:
        found = AuditEntry(**json.loads(line))
        dt.datetime.fromisoformat(found.time)
    except (ValueError, TypeError):
        return None
    return found
