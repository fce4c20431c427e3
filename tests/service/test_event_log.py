"""The log numbers without holes, whatever is undone and whoever writes at the same time."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.database import Database, migrate
from service.event_log import EventLog, Message


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    migrate(found)
    yield found
    found.close()


def test_log_has_no_hole_after_a_transaction_is_undone(database: Database) -> None:
    told: list[Message] = []
    log = EventLog(database, told.append)

    with log.transaction() as transaction:
        transaction.announce(Message("job.completed"))
    with pytest.raises(ZeroDivisionError):
        _announce_and_fail(log)
    with log.transaction() as transaction:
        transaction.announce(Message("job.completed"))

    assert [message.seq for message in log.read(0, log.head(), 10)] == [1, 2]
    assert [(message.seq, message.type) for message in told] == [(1, "job.completed"), (2, "job.completed")]


def _announce_and_fail(log: EventLog) -> None:
    with log.transaction() as transaction:
        transaction.announce(Message("job.failed"))
        raise ZeroDivisionError


def test_log_tells_in_order_when_many_write_at_once(database: Database) -> None:
    told: list[int] = []
    log = EventLog(database, lambda message: told.append(message.seq))

    def write() -> None:
        for _ in range(10):
            with log.transaction() as transaction:
                transaction.announce(Message("action.ended"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert told == list(range(1, 41))


def test_log_keeps_every_field(database: Database) -> None:
    log = EventLog(database, lambda _: None)
    message = Message(
        "action.ended", {"score": 0.5, "zones": ["door"]}, "cam", None, media_time_s=1.25, tags={"a": "b"}
    )

    with log.transaction() as transaction:
        stored = transaction.announce(message)

    assert log.read(0, 1, 1) == [stored]
    assert stored.time.tzinfo is not None


def test_log_forgets_the_oldest_and_goes_on_counting(database: Database) -> None:
    log = EventLog(database, lambda _: None)
    for _ in range(5):
        with log.transaction() as transaction:
            transaction.announce(Message("job.completed"))

    gone = log.forget(2)

    assert (gone, log.oldest(), log.head()) == (3, 4, 5)
