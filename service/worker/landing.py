"""How the evidence of events comes from a worker's folder to where everybody finds it."""

import logging
import random
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipelines.backoff import Backoff
from service.blob_store import BlobStore
from service.blobs import safe_name
from service.errors import BlobsUnavailable

logger = logging.getLogger(__name__)

_WAITING_MAX = 1000
_LEFT_S = 120.0
_EVIDENCE = "evidence"


class Landing(Protocol):
    """Where evidence goes once it is written."""

    @property
    def folder(self) -> Path:
        """The folder that a worker writes to, one folder per event."""
        ...

    def land(self, event_id: str, then: Callable[[bool], None]) -> None:
        """Bring what is written of an event to its place; `then` is told whether it is there. Never blocks."""
        ...

    def settle(self, timeout_s: float) -> bool:
        """Wait until all that was to land has; False when time ran out."""
        ...


@dataclass(frozen=True, slots=True)
class InPlace:
    """Evidence is written where it stays."""

    folder: Path

    def land(self, event_id: str, then: Callable[[bool], None]) -> None:  # noqa: ARG002 - nothing is to be done
        """It is there already."""
        then(True)

    def settle(self, timeout_s: float) -> bool:  # noqa: ARG002 - nothing is to be waited for
        """Nothing waits."""
        return True


class Uploads:
    """Sends evidence from a folder of this machine to a store, in a thread of its own; tries until the store takes it.

    What a worker leaves that was killed is sent by the next one. What waits is bounded: the oldest is given up.
    """

    def __init__(
        self, folder: Path, store: BlobStore, backoff: Backoff | None = None, waiting_max: int = _WAITING_MAX
    ) -> None:
        self._folder = folder
        self._store = store
        self._backoff = backoff or Backoff(first_s=1.0, longest_s=30.0)
        self._generator = random.Random()  # noqa: S311 - spreads attempts, guards nothing
        self._waiting_max = waiting_max
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, Callable[[bool], None]]] = deque()
        self._is_busy = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="evidence-uploads", daemon=True)

    @property
    def folder(self) -> Path:
        """Where evidence waits."""
        return self._folder

    def start(self) -> None:
        """Begin, with what an earlier worker left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in sorted(self._folder.iterdir()):
            if time.time() - left.stat().st_mtime > _LEFT_S:
                self.land(left.name, _tell_nobody)
        self._thread.start()

    def stop(self) -> None:
        """End after the file at hand; may be called twice."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def land(self, event_id: str, then: Callable[[bool], None]) -> None:
        """Send what there is of an event."""
        given_up: list[tuple[str, Callable[[bool], None]]] = []
        with self._changed:
            self._waiting.append((event_id, then))
            while len(self._waiting) > self._waiting_max:
                given_up.append(self._waiting.popleft())
            self._changed.notify_all()
        for name, tell in given_up:
            logger.error("the evidence of %s is given up: %d others wait for the store", name, self._waiting_max)
            shutil.rmtree(self._folder / safe_name(name), ignore_errors=True)
            tell(False)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing waits."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over or not (self._waiting or self._is_busy), timeout_s)

    def _run(self) -> None:
        failures = 0
        while (found := self._next()) is not None:
            event_id, then = found
            try:
                self._send(event_id)
            except (BlobsUnavailable, OSError) as error:
                failures += 1
                logger.warning("the evidence of %s waits: %s", event_id, error)
                self._put_back(found)
                self._pause(self._backoff.pause_s(failures, self._generator))
                continue
            failures = 0
            then(True)
            self._rest()

    def _next(self) -> tuple[str, Callable[[bool], None]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or bool(self._waiting))
            if self._is_over:
                return None
            self._is_busy = True
            return self._waiting.popleft()

    def _put_back(self, found: tuple[str, Callable[[bool], None]]) -> None:
        with self._changed:
            self._waiting.appendleft(found)
            self._is_busy = False

    def _pause(self, pause_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, pause_s)

    def _rest(self) -> None:
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()

    def _send(self, event_id: str) -> None:
        folder = self._folder / safe_name(event_id)
        if not folder.is_dir():
            return
        # What is half written has a name that begins with a dot.
        for path in sorted(one for one in folder.iterdir() if not one.name.startswith(".")):
            self._store.put(f"{_EVIDENCE}/{folder.name}/{path.name}", path)
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)


def _tell_nobody(_: bool) -> None:
    """Nobody waits for what an earlier worker left."""
