"""Cores that are free at the moment: one call gets several threads while nothing else of its process asks a network."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SpareThreads:
    """How many threads a call may take: all while it is alone, one as soon as there is another.

    A camera alone on a worker then uses its cores; many cameras, who share them already, lose nothing to each other.
    threads: at most; with 1 nobody ever gets more. May be used from any thread.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._num_running = 0

    @contextmanager
    def borrow(self) -> Iterator[int]:
        """The number of threads for one call, for as long as the block runs."""
        with self._lock:
            self._num_running += 1
            granted = self.threads if self._num_running == 1 else 1
        try:
            yield granted
        finally:
            with self._lock:
                self._num_running -= 1
