"""Delivers the log's messages to one sink: in order, at least once, resuming where it stopped."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.envelope import Envelope
from service.event_log import EventLog, Message
from service.sinks.delivery import DeliveryFailed, Receipt, Retries, Sink

logger = logging.getLogger(__name__)

_PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver a message.

    attempt: 1 for the first.
    outcome: `delivered`, `retrying`, or `dead` when it will not be tried again; `quiet` or `acknowledged` when it was
             not sent at all.
    """

    seq: int
    type: str
    attempt: int
    outcome: str
    detail: str = ""
    status: int | None = None
    latency_ms: float | None = None


class Ledger(Protocol):
    """Remembers a sink's position in the log and its delivery attempts."""

    def cursor(self) -> int | None:
        """The number of the last message that is done; None when the sink is new."""

    def advance(self, seq: int) -> None:
        """Everything up to `seq` is done."""

    def record(self, attempt: Attempt) -> None:
        """An attempt was made."""


class Turn(Protocol):
    """When a message's turn comes, and whether it is still wanted then."""

    def wait_s(self, message: Message) -> float:
        """Seconds until it may be sent; 0 or less for now. Later messages wait behind it."""

    def refusal(self, message: Message) -> str | None:
        """Why it is not sent after all, as an outcome; None when it is."""


class AtOnce:
    """The turn of a sink that takes everything as it comes."""

    def wait_s(self, message: Message) -> float:  # noqa: ARG002
        """Never any wait."""
        return 0.0

    def refusal(self, message: Message) -> str | None:  # noqa: ARG002
        """Nothing is refused."""
        return None


class Outbox:
    """One thread per sink: a sink that is down keeps its position and does not hold up the others.

    wants: which messages the sink takes; the others are passed over.  turn: when, and whether even then.
    may_deliver: False once another server delivers instead.
    """

    def __init__(
        self, name: str, log: EventLog, sink: Sink, ledger: Ledger, wants: Callable[[Message], bool],
        *, turn: Turn | None = None, retries: Retries | None = None, poll_s: float = 1.0,
        may_deliver: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self.name = name
        self._log = log
        self._sink = sink
        self._ledger = ledger
        self._wants = wants
        self._turn = turn or AtOnce()
        self._retries = retries or Retries()
        self._backoff = self._retries.backoff
        self._poll_s = poll_s
        self._may_deliver = may_deliver
        self._generator = random.Random(name)  # noqa: S311 - jitter, not a secret
        self._stopping = threading.Event()
        self._filled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)

    def start(self) -> None:
        """Start where the sink stopped; a new sink starts with the next message."""
        if self._ledger.cursor() is None:
            self._ledger.advance(self._log.head())
        self._thread.start()

    def wake(self) -> None:
        """Something new is in the log."""
        self._filled.set()

    def stop(self) -> None:
        """Stop after the current delivery; may be called twice."""
        self._stopping.set()
        self._filled.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; False if it did not in time."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def pending(self) -> int:
        """Number of messages in the log that the sink has not processed yet, wanted or not."""
        return max(0, int(self._log.head()) - (self._ledger.cursor() or 0))

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._filled.clear()
            try:
                is_idle = self._drain() == 0
            except Exception:  # the thread's edge: a full disk or a lost database must not end the sink
                logger.exception("sink %s: tried again in %.0f s", self.name, self._backoff.longest_s)
                self._stopping.wait(self._backoff.longest_s)
                continue
            if is_idle:
                self._filled.wait(self._poll_s)

    def _drain(self) -> int:
        """Process one page of the log; returns the number of messages."""
        after = self._ledger.cursor() or 0
        head = self._log.head()
        if head <= after:
            return 0
        page = self._log.read(after, head, _PAGE_ROWS)
        if not page:  # forgotten by retention while the sink was away
            logger.warning("sink %s: messages %d to %d are no longer in the log", self.name, after + 1, head)
            self._ledger.advance(head)
            return 0
        if page[0].seq > after + 1:
            logger.warning("sink %s: messages %d to %d are no longer in the log", self.name, after + 1, page[0].seq - 1)
        for message in page:
            if not self._wants(message):
                continue
            if self._turn.wait_s(message) > 0:
                # Its place in the log is the memory of the wait: another server goes on with it.
                if message.seq - 1 > (self._ledger.cursor() or 0):
                    self._ledger.advance(message.seq - 1)
                return 0
            if not self._hand_over(message):
                return 0
            self._ledger.advance(message.seq)
        if not self._wants(page[-1]):
            # Once for all that were passed over: each step is a write that others wait for.
            self._ledger.advance(page[-1].seq)
        return len(page)

    def _hand_over(self, message: Message) -> bool:
        """Try until it is delivered or given up; False if the outbox stops first."""
        refusal = self._turn.refusal(message)
        if refusal is not None:
            self._ledger.record(Attempt(message.seq, message.type, 0, refusal))
            return True
        envelope = Envelope.of(message, message.seq)
        began_s = time.monotonic()
        attempt = 0
        while not self._stopping.is_set() and self._may_deliver():
            attempt += 1
            try:
                receipt = self._sink.deliver(envelope)
            except DeliveryFailed as error:
                is_dead = error.is_final or time.monotonic() - began_s > self._retries.give_up_s
                self._note(message, attempt, error, is_dead=is_dead)
                if is_dead:
                    return True
                wait_s = max(self._backoff.pause_s(attempt, self._generator), error.retry_after_s)
                self._stopping.wait(min(wait_s, self._backoff.longest_s))
                continue
            self._note(message, attempt, receipt)
            return True
        return False

    def _note(self, message: Message, attempt: int, result: Receipt | DeliveryFailed, *, is_dead: bool = False) -> None:
        if isinstance(result, Receipt):
            found = Attempt(message.seq, message.type, attempt, "delivered", "", result.status, result.latency_ms)
        else:
            outcome = "dead" if is_dead else "retrying"
            found = Attempt(message.seq, message.type, attempt, outcome, str(result), result.status)
        self._ledger.record(found)
