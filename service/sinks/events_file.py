"""Appends messages to a file, one JSON object per line, and rotates the file when it reaches its size limit."""

import time
from pathlib import Path

from service.envelope import Envelope
from service.sinks.delivery import DeliveryFailed, Receipt


class EventsFileSink:
    """Keeps `path` and one predecessor `path.1`.

    bytes_max: size at which the file is rotated, bytes.
    """

    def __init__(self, path: Path, bytes_max: int = 256 * 2**20) -> None:
        self._path = path
        self._bytes_max = bytes_max

    def deliver(self, envelope: Envelope) -> Receipt:
        """Append one line and flush it; raises DeliveryFailed if it cannot be written."""
        began_s = time.perf_counter()
        line = envelope.model_dump_json() + "\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size + len(line) > self._bytes_max:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError as error:
            raise DeliveryFailed(f"{self._path.name}: {error.strerror}") from error
        return Receipt((time.perf_counter() - began_s) * 1000)
