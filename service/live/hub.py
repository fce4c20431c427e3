"""Sends every connected client what it asked for; a slow one loses frames first and is then disconnected."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service.event_log import Message
from service.live.text import MessageTexts
from service.patterns import matches_any

logger = logging.getLogger(__name__)

DROPPABLE = frozenset({"frame", "job.progress"})
"""Types that are never stored: the next message of the same source replaces them."""


@dataclass(frozen=True, slots=True)
class Interest:
    """What a client asked for.

    streams, jobs: shell patterns of ids; None for all.
    messages: families ("action") or types ("action.ended"); None for all but frames.
    max_rate_hz: droppable messages per second and source; None for no limit.
    """

    streams: tuple[str, ...] | None = None
    jobs: tuple[str, ...] | None = None
    messages: frozenset[str] | None = None
    max_rate_hz: float | None = None

    def covers(self, message: Message) -> bool:
        """Whether the client wants this message."""
        if message.stream_id is not None and not _matches(message.stream_id, self.streams):
            return False
        if message.job_id is not None and not _matches(message.job_id, self.jobs):
            return False
        if self.messages is None:
            return message.type != "frame"
        return message.type in self.messages or message.type.partition(".")[0] in self.messages


def _matches(found: str, patterns: tuple[str, ...] | None) -> bool:
    return patterns is None or matches_any(found, patterns)


class Client:
    """One connection's bounded queue, used in the event loop alone.

    capacity: messages that may wait; beyond it droppable ones go first, then the client is overrun.
    """

    def __init__(self, capacity: int, clock: Callable[[], float]) -> None:
        self._queue: deque[Message] = deque()
        self._capacity = capacity
        self._clock = clock
        self._filled = asyncio.Event()
        self._last_told: dict[tuple[str, str], float] = {}
        self.interest: Interest | None = None
        self.dropped = 0
        self.is_overrun = False

    def put(self, message: Message) -> None:
        """Queue a message if the client wants it."""
        if self.is_overrun or self.interest is None or not self.interest.covers(message):
            return
        is_droppable = message.type in DROPPABLE
        if is_droppable and not self._is_due(message):
            return
        if len(self._queue) >= self._capacity and not self._free_queue_space(is_droppable):
            return
        self._queue.append(message)
        self._filled.set()

    async def get(self, timeout_s: float) -> Message | None:
        """The next message; None when none came in time or the client is overrun."""
        if not self._queue and not self.is_overrun:
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), timeout_s)
            except TimeoutError:
                return None
        return self._queue.popleft() if self._queue and not self.is_overrun else None

    def _is_due(self, message: Message) -> bool:
        assert self.interest is not None
        if self.interest.max_rate_hz is None:
            return True
        key = (message.type, message.stream_id or message.job_id or "")
        now_s = self._clock()
        # A tenth of a period of tolerance lets every frame of a jittering source pass; half would double the rate.
        if now_s - self._last_told.get(key, -1e9) < 0.9 / self.interest.max_rate_hz:
            return False
        if len(self._last_told) > 1000:
            self._last_told.clear()
        self._last_told[key] = now_s
        return True

    def _free_queue_space(self, is_droppable: bool) -> bool:
        for index, waiting in enumerate(self._queue):
            if waiting.type in DROPPABLE:
                del self._queue[index]
                self.dropped += 1
                return True
        if is_droppable:
            self.dropped += 1
            return False
        self.is_overrun = True
        self._queue.clear()
        self._filled.set()
        return False


class Hub:
    """Takes messages from any thread and passes them to the clients in the event loop.

    texts: of the messages, which clients share.
    """

    def __init__(self, capacity: int = 512, clients_max: int = 256) -> None:
        self._capacity = capacity
        self._clients_max = clients_max
        self._clients: set[Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._listeners: list[Callable[[Message], None]] = []
        self.texts = MessageTexts()

    def add_listener(self, listener: Callable[[Message], None]) -> None:
        """Call this with every message, in the publisher's thread; it must not block. Add it before `open`."""
        self._listeners.append(listener)

    @property
    def num_clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to send; what was published before is not sent (it is in the log)."""
        with self._lock:
            self._loop = loop

    def close(self) -> None:
        """Send no more."""
        with self._lock:
            self._loop = None

    def publish(self, message: Message) -> None:
        """Send a message to every client that wants it; never blocks, and may be called from any thread."""
        with self._lock:
            if self._loop is not None and self._clients:
                self._loop.call_soon_threadsafe(self._spread, message)
        for listener in self._listeners:
            listener(message)

    def join(self) -> Client | None:
        """A new client; None when there are too many. Called in the event loop."""
        if len(self._clients) >= self._clients_max:
            return None
        assert self._loop is not None
        client = Client(self._capacity, self._loop.time)
        self._clients.add(client)
        return client

    def leave(self, client: Client) -> None:
        """Forget a client; harmless when it is already gone."""
        self._clients.discard(client)

    def _spread(self, message: Message) -> None:
        for client in self._clients:
            client.put(message)
