"""Which streams are on a worker now, and which wait before they are placed again."""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from pipelines.backoff import Backoff
from service.streams.store import StreamRow

# Without jitter: a stream is placed by one thread, and nothing outside is asked.
_BACKOFF = Backoff(first_s=1.0, longest_s=60.0, spread=(1.0, 1.0))
"""Waits before a stream that failed by itself is placed again."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A stream on a worker.

    row: as it was placed; one that was removed is remembered until its worker has let go of it.
    tags: of the row, for messages.  replica_id: under which name this server placed it.
    figures: the worker's last word on it.  is_leaving: it was called back.
    """

    row: StreamRow
    tags: Mapping[str, str]
    replica_id: str = ""
    figures: Mapping[str, JsonValue] = field(default_factory=dict)
    is_leaving: bool = False


class Placements:
    """Stream → its placement; may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._placed: dict[str, Placement] = {}
        self._reconnects: dict[str, int] = {}

    def add(self, row: StreamRow, replica_id: str = "") -> None:
        """A stream is handed to a worker."""
        with self._lock:
            self._placed[row.stream_id] = Placement(row, tags_of(row), replica_id)

    @property
    def ids(self) -> list[str]:
        """The streams that are on workers."""
        with self._lock:
            return list(self._placed)

    def change(self, row: StreamRow) -> None:
        """A stream's zones, rules or tags are others now; its placement stays the same."""
        with self._lock:
            placement = self._placed.get(row.stream_id)
            if placement is not None:
                kept = replace(row, generation=placement.row.generation)
                self._placed[row.stream_id] = replace(placement, row=kept, tags=tags_of(row))

    def get(self, stream_id: str) -> Placement | None:
        """Where a stream stands; None when it is on no worker."""
        with self._lock:
            return self._placed.get(stream_id)

    def current(self, stream_id: str, generation: int) -> Placement | None:
        """The placement that a worker's message is about; None when that was an older one."""
        placement = self.get(stream_id)
        return placement if placement is not None and placement.row.generation == generation else None

    def note(self, stream_id: str, generation: int, figures: Mapping[str, JsonValue]) -> None:
        """Keep a worker's last word; what an older placement says is ignored."""
        with self._lock:
            placement = self._placed.get(stream_id)
            if placement is not None and placement.row.generation == generation:
                self._placed[stream_id] = replace(placement, figures=figures)

    def call_back(self, stream_id: str) -> bool:
        """Its worker is to let go of it; False when it is on none."""
        with self._lock:
            placement = self._placed.get(stream_id)
            if placement is not None:
                self._placed[stream_id] = replace(placement, is_leaving=True)
            return placement is not None

    def remove(self, stream_id: str) -> None:
        """Its worker has let go of it; harmless when none had it."""
        with self._lock:
            placement = self._placed.pop(stream_id, None)
            if placement is not None:
                self._reconnects[stream_id] = self._num_reconnects(placement)

    def figures(self, stream_id: str) -> dict[str, JsonValue]:
        """Its worker's last word, with the reconnects that earlier workers counted; empty before any."""
        with self._lock:
            placement = self._placed.get(stream_id)
            earlier = self._reconnects.get(stream_id, 0)
            if placement is None:
                return {"reconnects": earlier} if earlier else {}
            if not placement.figures and not earlier:
                return {}
            return {**placement.figures, "reconnects": self._num_reconnects(placement)}

    def keep(self, stream_ids: set[str]) -> None:
        """Forget what was counted of every other stream: one that gets the same id begins anew."""
        with self._lock:
            self._reconnects = {one: number for one, number in self._reconnects.items() if one in stream_ids}

    def _num_reconnects(self, placement: Placement) -> int:
        found = placement.figures.get("reconnects", 0)
        earlier = self._reconnects.get(placement.row.stream_id, 0)
        return earlier + (found if isinstance(found, int) else 0)


class Pauses:
    """What failed by itself is tried again after a wait that grows.

    clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._generator = random.Random()  # noqa: S311 - draws pauses, guards nothing
        self._waits: dict[str, tuple[int, float]] = {}

    def begin(self, stream_id: str) -> None:
        """It failed: wait twice as long as the last time."""
        with self._lock:
            num_failures = self._waits.get(stream_id, (0, 0.0))[0] + 1
            self._waits[stream_id] = (num_failures, self._clock() + _BACKOFF.pause_s(num_failures, self._generator))

    def holds(self, stream_id: str) -> bool:
        """Whether it waits now."""
        with self._lock:
            return self._waits.get(stream_id, (0, 0.0))[1] > self._clock()

    def forget(self, stream_id: str) -> None:
        """It runs, was changed or is gone: the next wait is the first one again."""
        with self._lock:
            self._waits.pop(stream_id, None)


def tags_of(row: StreamRow) -> dict[str, str]:
    """A stream's tags."""
    tags = row.config.get("tags")
    return {key: str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}
