"""Appends messages to a file, one JSON object per line, and rotates the file when it reaches its size limit."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from models.atomic_file import replacing
from service.envelope import Envelope
from service.event_log import Message
from service.sinks.delivery import DeliveryFailed, Receipt


class EventsFileSink:
    """Keeps `path` and one predecessor `path.1`.

    bytes_max: size at which the file is rotated, bytes.
    """

    def __init__(self, path: Path, bytes_max: int = 256 * 2**20) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._lock = threading.Lock()

    def deliver(self, envelope: Envelope) -> Receipt:
        """Append one line and flush it; raises DeliveryFailed if it cannot be written."""
        began_s = time.perf_counter()
        line = envelope.model_dump_json() + "\n"
        try:
            with self._lock:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                if self._path.exists() and self._path.stat().st_size + len(line) > self._bytes_max:
                    self._path.replace(self._older)
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(line)
        except OSError as error:
            raise DeliveryFailed(f"{self._path.name}: {error.strerror}") from error
        return Receipt((time.perf_counter() - began_s) * 1000)

    def erase(self, is_meant: Callable[[Message], bool]) -> None:
        """Write both files anew without some messages; raises OSError."""
        with self._lock:
            for path in (self._older, self._path):
                if path.is_file():
                    _rewrite(path, is_meant)

    @property
    def _older(self) -> Path:
        return self._path.with_name(self._path.name + ".1")


def _rewrite(path: Path, is_meant: Callable[[Message], bool]) -> None:
    with path.open(encoding="utf-8") as file:
        if not any(_is_meant(line, is_meant) for line in file):
            return
    with path.open(encoding="utf-8") as file, replacing(path) as part, part.open("w", encoding="utf-8") as kept:
        kept.writelines(line for line in file if not _is_meant(line, is_meant))


def _is_meant(line: str, is_meant: Callable[[Message], bool]) -> bool:
    """Whether a line is such a message; one that was cut off when the disk was full is none."""
    try:
        found = Envelope.model_validate_json(line)
    except ValidationError:
        return False
    return is_meant(Message(found.type, found.data, found.stream_id, found.job_id))
