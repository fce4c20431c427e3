"""The outboxes that run: one for each webhook, destination and sink of the settings."""

import datetime as dt
import logging
import threading
from collections.abc import Callable

from service.database import Database, now
from service.event_log import EventLog, Message
from service.sinks.delivery import Sink
from service.sinks.manners import PoliteTurn, Wishes, wants
from service.sinks.outbox import Outbox, Turn
from service.sinks.store import DatabaseLedger

logger = logging.getLogger(__name__)

STOP_S = 8.0


class Outboxes:
    """Starts and stops outboxes by their names.

    on_attempt: told a sink's kind and the outcome of every try, for metrics.
    is_settled: whether an event needs nobody any more.  clock: the time in UTC.
    leads: whether this server is the one that delivers, of those that share the database.
    """

    def __init__(
        self, database: Database, log: EventLog, on_attempt: Callable[[str, str], None] = lambda _, __: None,
        is_settled: Callable[[str], bool] = lambda _: False, clock: Callable[[], dt.datetime] = now,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._on_attempt = on_attempt
        self._is_settled = is_settled
        self._clock = clock
        self._leads = leads
        self._running: dict[str, Outbox] = {}
        self._lock = threading.Lock()

    def is_ours(self) -> bool:
        """Whether this server delivers now."""
        return self._leads()

    def ledger(self, name: str, kind: str) -> DatabaseLedger:
        """A sink's place in the log and what became of its tries."""
        return DatabaseLedger(self._database, name, lambda outcome: self._on_attempt(kind, outcome))

    def launch_for(self, name: str, kind: str, sink: Sink, wishes: Wishes) -> None:
        """Begin to deliver what somebody wishes."""
        turn = PoliteTurn(wishes, self._is_settled, self._clock)
        self.launch(name, kind, sink, lambda message: wants(wishes, message), turn)

    def launch(
        self, name: str, kind: str, sink: Sink, wanted: Callable[[Message], bool] = lambda _: True,
        turn: Turn | None = None,
    ) -> None:  # fmt: skip
        """Begin to deliver to a sink, from where it stopped."""
        outbox = Outbox(name, self._log, sink, self.ledger(name, kind), wanted, turn=turn, may_deliver=self._leads)
        with self._lock:
            self._running[name] = outbox
        outbox.start()

    def end(self, name: str) -> None:
        """Stop delivering after the delivery in hand; harmless when there is nothing to stop."""
        with self._lock:
            outbox = self._running.pop(name, None)
        if outbox is not None:
            outbox.stop()
            outbox.join(STOP_S)

    def forget(self, name: str) -> None:
        """Stop from within the delivery itself: its thread ends by itself."""
        with self._lock:
            outbox = self._running.pop(name, None)
        if outbox is not None:
            outbox.stop()

    def stop(self) -> None:
        """Finish the deliveries in hand; may be called twice."""
        with self._lock:
            leaving = list(self._running.values())
            self._running.clear()
        for outbox in leaving:
            outbox.stop()
        for outbox in leaving:
            if not outbox.join(STOP_S):
                logger.warning(
                    "sink %s did not stop within %.0f s; it will resume where it left off", outbox.name, STOP_S
                )

    def wake(self, message: Message) -> None:
        """Note that something was stored; may be called from any thread, never blocks."""
        if message.seq > 0:
            for outbox in list(self._running.values()):
                outbox.wake()

    def pending(self) -> dict[str, int]:
        """Sink → number of messages that it has not processed yet."""
        return {name: outbox.pending for name, outbox in list(self._running.items())}
