"""What a task says to the supervisor: a queue that keeps what must not be lost, and each task's way into it."""

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

from service.protocol.messages import (
    BestEffort,
    Durable,
    Fact,
    FromWorker,
    Outcome,
    Sample,
    StopReason,
    Task,
    Values,
    encode,
)
from service.protocol.pause_clock import PauseClock
from service.protocol.preview import PreviewPicture
from service.protocol.track_history import AskTrack

HEARTBEAT_S = 1.0
_BEST_EFFORT_MAX = 512
_DURABLE_MAX = 2048
_RESEND_S = 10.0
_DELIVER_S = 30.0
_URGENT_MAX = 64
_QUESTIONS_MAX = 16


@dataclass(frozen=True, slots=True)
class Ended:
    """How a task went: what `TaskRunners.run` returns."""

    outcome: Outcome
    facts: Values
    code: str = ""
    message: str = ""


class MessageQueue:
    """What waits to be sent: best effort in a ring that forgets, durable until acknowledged, of pictures the newest."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._filled = threading.Condition()
        self._urgent: deque[FromWorker] = deque(maxlen=_URGENT_MAX)
        self._best: deque[BestEffort] = deque(maxlen=_BEST_EFFORT_MAX)
        self._pictures: dict[str, PreviewPicture] = {}
        self._durable: OrderedDict[int, tuple[Durable, float]] = OrderedDict()
        self._ids = itertools.count(1)
        self._is_closed = False

    def urge(self, message: FromWorker) -> None:
        """Send before everything else: life signs."""
        with self._filled:
            self._urgent.append(message)
            self._filled.notify_all()

    def offer(self, message: BestEffort) -> None:
        """Send when there is time; the oldest is forgotten when too many wait."""
        with self._filled:
            if isinstance(message, PreviewPicture):
                self._pictures[message.task_id] = message
            else:
                self._best.append(message)
            self._filled.notify_all()

    def deliver(self, make: Callable[[int], Durable]) -> None:
        """Send until acknowledged; waits while too many are unacknowledged.

        Raises TimeoutError when no place came free within 30 s.
        """
        with self._filled:
            if not self._filled.wait_for(lambda: self._is_closed or len(self._durable) < _DURABLE_MAX, _DELIVER_S):
                raise TimeoutError(f"{_DURABLE_MAX} messages have waited {_DELIVER_S:.0f} s to be stored")
            delivery_id = next(self._ids)
            self._durable[delivery_id] = (make(delivery_id), 0.0)
            self._filled.notify_all()

    def acknowledge(self, delivery_id: int) -> None:
        """Forget a durable message that is stored."""
        with self._filled:
            self._durable.pop(delivery_id, None)
            self._filled.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all durable messages are acknowledged; False when time ran out."""
        with self._filled:
            return self._filled.wait_for(lambda: self._is_closed or not (self._durable or self._urgent), timeout_s)

    def close(self) -> None:
        """Wake everyone; `run` ends."""
        with self._filled:
            self._is_closed = True
            self._filled.notify_all()

    def run(self) -> None:
        """Send until closed or the other side is gone."""
        while not self._is_closed:
            for message in self._next():
                try:
                    self._connection.send_bytes(encode(message))
                except (OSError, ValueError):
                    self.close()
                    return

    def _next(self) -> list[FromWorker]:
        with self._filled:
            self._filled.wait_for(lambda: self._has_work(), HEARTBEAT_S)
            # Durable before best effort, in the order they came: an end never overtakes a start.
            out: list[FromWorker] = [*self._urgent, *self._due()]
            now_s = time.monotonic()
            for message in self._due():
                self._durable[message.delivery_id] = (message, now_s)
            out += [*self._best, *self._pictures.values()]
            self._urgent.clear()
            self._best.clear()
            self._pictures.clear()
            return out

    def _has_work(self) -> bool:
        return bool(self._is_closed or self._urgent or self._best or self._pictures or self._due())

    def _due(self) -> list[Durable]:
        horizon_s = time.monotonic() - _RESEND_S
        return [message for message, sent_s in self._durable.values() if sent_s < horizon_s]


class Channel:
    """One task's way to the supervisor."""

    def __init__(self, task: Task, queue: MessageQueue, samples: "deque[Sample]", clock: PauseClock) -> None:
        self.task = task
        self.stop_reason: StopReason | None = None
        self._queue = queue
        self._samples = samples
        self._clock = clock
        self._alive_s = clock.now_s()
        self._shown_until_s = 0.0
        self._questions: deque[AskTrack] = deque(maxlen=_QUESTIONS_MAX)

    @property
    def age_s(self) -> float:
        """Seconds since the task last made progress."""
        return self._clock.now_s() - self._alive_s

    @property
    def is_looked_at(self) -> bool:
        """Whether somebody wants pictures now."""
        return self._clock.now_s() < self._shown_until_s

    def show(self, for_s: float) -> None:
        """Somebody wants pictures for the next seconds."""
        self._shown_until_s = self._clock.now_s() + for_s

    def ask(self, question: AskTrack) -> None:
        """Keep a question for the task's own thread; when too many wait, the oldest stays unanswered."""
        self._questions.append(question)

    def take_questions(self) -> list[AskTrack]:
        """What was asked since the last call."""
        return [self._questions.popleft() for _ in range(len(self._questions))]

    def beat(self) -> None:
        """The task made progress."""
        self._alive_s = self._clock.now_s()

    def offer(self, message: BestEffort) -> None:
        """Report; may be lost."""
        self.beat()
        self._queue.offer(message)

    def deliver(self, make: Callable[[int], Fact]) -> None:
        """Report something that must not be lost; `make` gets the delivery id."""
        self.beat()
        self._queue.deliver(make)

    def measure(self, sample: Sample) -> None:
        """Count something; goes with the next heartbeat."""
        self._samples.append(sample)
