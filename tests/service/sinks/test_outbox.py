"""The outbox: in order, at least once, from where it stopped, and never in another sink's way."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.backoff import Backoff
from service.database import Database, migrate
from service.envelope import Envelope
from service.event_log import EventLog, Message
from service.sinks.delivery import DeliveryFailed, Receipt, Retries
from service.sinks.outbox import Attempt, Outbox

_WAIT_S = 10.0


@dataclass
class MemoryLedger:
    """A ledger that outlives the outbox, as the database does."""

    at: int | None = None
    attempts: list[Attempt] = field(default_factory=list)

    def cursor(self) -> int | None:
        return self.at

    def advance(self, seq: int) -> None:
        self.at = seq

    def record(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)


class ListSink:
    """Takes messages; fails as often as told for each one; `expect` waits for a number of arrivals."""

    def __init__(self, failures: int = 0, *, is_final: bool = False) -> None:
        self.seen: list[int] = []
        self._failures = failures
        self._is_final = is_final
        self._failed: dict[int, int] = {}
        self._changed = threading.Condition()

    def deliver(self, envelope: Envelope) -> Receipt:
        with self._changed:
            failed = self._failed.get(envelope.seq, 0)
            if failed < self._failures:
                self._failed[envelope.seq] = failed + 1
                self._changed.notify_all()
                raise DeliveryFailed("not now", is_final=self._is_final, status=500)
            self.seen.append(envelope.seq)
            self._changed.notify_all()
        return Receipt(1.0, 200)

    def expect(self, arrivals: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= arrivals, _WAIT_S)


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    database = Database(f"sqlite:///{tmp_path / 'log.sqlite3'}")
    migrate(database)
    return EventLog(database, lambda _: None)


def announce(log: EventLog, *kinds: str) -> None:
    for kind in kinds:
        with log.transaction() as transaction:
            transaction.announce(Message(kind, {"action": "fall"}, stream_id="door"))


def run(log: EventLog, sink: ListSink, ledger: MemoryLedger, kind: str = "action") -> Outbox:
    outbox = Outbox(
        "test", log, sink, ledger, lambda message: message.type.startswith(kind),
        retries=Retries(Backoff(first_s=0.001, longest_s=0.01)), poll_s=0.01,
    )  # fmt: skip
    outbox.start()
    return outbox


def stop(outbox: Outbox) -> None:
    outbox.stop()
    assert outbox.join(_WAIT_S)


def test_outbox_delivers_in_order_what_the_sink_wants(log: EventLog) -> None:
    sink, ledger = ListSink(), MemoryLedger(at=0)
    announce(log, "action.started", "stream.state_changed", "action.ended")

    outbox = run(log, sink, ledger)

    assert sink.expect(2)
    stop(outbox)
    assert sink.seen == [1, 3]


def test_outbox_tries_again_until_the_sink_takes_it(log: EventLog) -> None:
    sink, ledger = ListSink(failures=3), MemoryLedger(at=0)
    announce(log, "action.started", "action.ended")

    outbox = run(log, sink, ledger)

    assert sink.expect(2)
    stop(outbox)
    assert sink.seen == [1, 2]
    assert [one.outcome for one in ledger.attempts[:4]] == ["retrying", "retrying", "retrying", "delivered"]


def test_outbox_keeps_a_dead_letter_and_goes_on_when_the_receiver_refuses(log: EventLog) -> None:
    sink, ledger = ListSink(failures=1, is_final=True), MemoryLedger(at=0)
    announce(log, "action.started")

    outbox = run(log, sink, ledger)
    announce(log, "stream.state_changed")

    deadline = threading.Event()
    for _ in range(1000):
        if ledger.at == 2:
            break
        deadline.wait(0.01)
    stop(outbox)
    assert [one.outcome for one in ledger.attempts] == ["dead"]
    assert ledger.at == 2


def test_outbox_goes_on_where_it_stopped(log: EventLog) -> None:
    ledger = MemoryLedger(at=0)
    first = ListSink()
    announce(log, "action.started")
    outbox = run(log, first, ledger)
    assert first.expect(1)
    stop(outbox)
    announce(log, "action.ended", "action.started")

    second = ListSink()
    outbox = run(log, second, ledger)

    assert second.expect(2)
    stop(outbox)
    assert second.seen == [2, 3]


def test_new_outbox_begins_with_what_comes_next(log: EventLog) -> None:
    announce(log, "action.started")
    sink, ledger = ListSink(), MemoryLedger()

    outbox = run(log, sink, ledger)
    announce(log, "action.ended")

    assert sink.expect(1)
    stop(outbox)
    assert sink.seen == [2]


def test_outbox_stops_while_the_sink_is_down(log: EventLog) -> None:
    sink, ledger = ListSink(failures=10**9), MemoryLedger(at=0)
    announce(log, "action.started")
    outbox = run(log, sink, ledger)

    outbox.stop()

    assert outbox.join(_WAIT_S)
    assert ledger.at == 0
