"""The log of several servers on one PostgreSQL database: one row of numbers, seen in order, told once by each."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from service.database import PATIENCE_S, Database, migrate
from service.errors import DatabaseBusy
from service.event_log import EventLog, Message, event_log
from service.replicas.log_gate import LogFollower, LogGate
from service.replicas.membership import Member, Site
from tests.postgres import postgres

_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE left(query, 6) = 'LISTEN'"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgres() as found:
        database = Database(found)
        migrate(database)
        database.close()
        yield found


@dataclass
class Server:
    """What of a server writes the log and tells what is in it."""

    database: Database
    member: Member
    log: EventLog
    told: list[int] = field(default_factory=list)


@contextmanager
def server(url: str, name: str) -> Iterator[Server]:
    database = Database(url)
    member = Member(database, Site(name, "", "key", "s3://blobs"))
    log = EventLog(database, gate=LogGate(member))
    found = Server(database, member, log)
    follower = LogFollower(database, log, lambda message: found.told.append(message.seq))
    member.join()
    follower.start()
    try:
        yield found
    finally:
        follower.stop()
        member.leave()
        database.close()


def _until(is_so: Callable[[], bool], timeout_s: float = 20.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not is_so() and time.monotonic() < until_s:
        time.sleep(0.01)


def _write(log: EventLog, times: int, *, fails: bool = False) -> None:
    for index in range(times):
        try:
            with log.transaction() as transaction:
                for _ in range(1 + index % 3):
                    transaction.announce(Message("action.ended", stream_id="door"))
                if fails and index % 4 == 0:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue


def test_numbers_of_many_writers_are_seen_in_order_without_holes(url: str) -> None:
    seen: list[list[int]] = []
    is_over = threading.Event()

    def look(database: Database, first: int) -> None:
        while not is_over.is_set():
            with database.read() as connection:
                query = sa.select(event_log.c.seq).where(event_log.c.seq > first).order_by(event_log.c.seq)
                seen.append(list(connection.execute(query).scalars()))

    with ExitStack() as stack:
        servers = [stack.enter_context(server(url, f"writer-{number}")) for number in range(3)]
        first = servers[0].log.head()
        watcher = threading.Thread(target=look, args=(servers[0].database, first))
        watcher.start()
        writers = [
            threading.Thread(target=_write, args=(one.log, 30), kwargs={"fails": bool(number % 2)})
            for one in servers
            for number in range(2)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        head = servers[0].log.head()
        _until(lambda: all(one.told[-1:] == [head] for one in servers))
        is_over.set()
        watcher.join()

        # Three of four transactions of every second writer were undone in part: their numbers went to others.
        assert (
            head - first
            == sum(1 + index % 3 for index in range(30)) * 3
            + sum(1 + index % 3 for index in range(30) if index % 4) * 3
        )
        assert [one.told for one in servers] == [list(range(first + 1, head + 1))] * 3
        assert all(found == list(range(first + 1, first + 1 + len(found))) for found in seen)


def test_replica_that_was_thought_dead_stores_nothing_until_it_has_joined_anew(url: str) -> None:
    with server(url, "asleep") as asleep, server(url, "awake") as awake:
        before = asleep.member.replica_id
        with awake.database.write() as connection:
            connection.execute(sa.text("DELETE FROM replicas WHERE replica_id = :one"), {"one": before})
        with pytest.raises(DatabaseBusy):
            _write(asleep.log, 1)

        asleep.member.beat()
        _write(asleep.log, 1)

        assert asleep.member.replica_id != before


def test_transaction_waits_for_another_server_no_longer_than_its_patience(url: str) -> None:
    with server(url, "slow") as slow, server(url, "quick") as quick, slow.log.transaction():
        patience = PATIENCE_S.set(0.3)
        with pytest.raises(DatabaseBusy):
            _write(quick.log, 1)
        PATIENCE_S.reset(patience)


def test_server_that_stands_still_within_a_transaction_loses_it(url: str) -> None:
    def stand_still(stuck: Server, other: Server) -> None:
        with stuck.database.write() as connection:
            connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 300")
            LogGate(stuck.member).enter(connection)
            _write(other.log, 1)
            connection.exec_driver_sql("SELECT 1")

    with server(url, "stuck") as stuck, server(url, "next") as other, pytest.raises(DatabaseBusy):
        stand_still(stuck, other)


def test_follower_goes_on_after_its_connection_was_cut(url: str) -> None:
    with server(url, "cut") as cut:
        first = cut.log.head()
        with cut.database.write() as connection:
            connection.exec_driver_sql(_CUT)

        _write(cut.log, 4)

        head = cut.log.head()
        _until(lambda: cut.told[-1:] == [head])
        assert cut.told == list(range(first + 1, head + 1))
