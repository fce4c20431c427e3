"""The event log: every message that clients must not miss, numbered without gaps and stored before it is sent."""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

import sqlalchemy as sa
from pydantic import JsonValue

from service.database import PATIENCE_S, Database, UtcTime, metadata, now
from service.errors import DatabaseBusy

logger = logging.getLogger(__name__)

event_log = sa.Table(
    "event_log",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("stream_id", sa.String(64)),
    sa.Column("job_id", sa.String(64)),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("media_time_s", sa.Float),
    sa.Column("frame_index", sa.BigInteger),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
_COUNTER = "event_log"
_CHUNK_ROWS = 500
ERASED = "log.erased"
"""What a message is called of which nothing but its number is left."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, about a stream, a job or neither.

    seq: its number in the log; 0 before it is stored, and for messages that are never stored.
    media_time_s: seconds in the source, None where there is none.
    """

    type: str
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    stream_id: str | None = None
    job_id: str | None = None
    time: dt.datetime = field(default_factory=now)
    media_time_s: float | None = None
    frame_index: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    seq: int = 0


class Gate(Protocol):
    """What every transaction of the log passes where several servers share a database."""

    def enter(self, connection: sa.Connection) -> None:
        """Wait until it is this transaction's turn; raises DatabaseBusy."""
        ...

    def tell(self, connection: sa.Connection) -> None:
        """Have every server told once the transaction is committed."""
        ...


class Transaction:
    """Rows of a slice and messages of the log, stored together or not at all."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.announced: list[Message] = []

    def announce(self, message: Message) -> Message:
        """Store a message under the next number; it is published after the commit."""
        # A row, not a database sequence: a transaction that is rolled back gives its number back.
        taken = (
            sa.update(counters)
            .where(counters.c.name == _COUNTER)
            .values(value=counters.c.value + 1)
            .returning(counters.c.value)
        )
        stored = replace(message, seq=self.connection.execute(taken).scalar_one())
        self.connection.execute(
            sa.insert(event_log).values(
                seq=stored.seq, type=stored.type, stream_id=stored.stream_id, job_id=stored.job_id, time=stored.time,
                media_time_s=stored.media_time_s, frame_index=stored.frame_index, tags=dict(stored.tags),
                data=dict(stored.data),
            )
        )  # fmt: skip
        self.announced.append(stored)
        return stored


class EventLog:
    """Appends messages in order, reads them from a number on, and forgets the oldest.

    publish: told what is stored; with a gate nothing, since then a follower tells what all servers store.
    gate: passed by every transaction where other servers write too.
    """

    def __init__(
        self, database: Database, publish: Callable[[Message], None] = lambda _: None, gate: Gate | None = None
    ) -> None:
        self._database = database
        self._publish = publish
        self._gate = gate
        # Held over commit and publication, so that messages are published in the order of their numbers.
        self._order = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Write rows and announce messages; what was announced is told once it is committed. Raises DatabaseBusy."""
        if not self._order.acquire(timeout=PATIENCE_S.get()):
            raise DatabaseBusy("others are writing; nothing was stored")
        try:
            with self._database.write() as connection:
                if self._gate is not None:
                    self._gate.enter(connection)
                transaction = Transaction(connection)
                yield transaction
                if self._gate is not None and transaction.announced:
                    self._gate.tell(connection)
            for message in transaction.announced if self._gate is None else ():
                self._publish(message)
        finally:
            self._order.release()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads, and waits for nobody who writes."""
        with self._database.read() as connection:
            yield connection

    def head(self) -> int:
        """The number of the newest message; 0 when there is none."""
        with self._database.read() as connection:
            return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one())

    def oldest(self) -> int | None:
        """The number of the oldest message that is still stored; None when the log is empty."""
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.min(event_log.c.seq))).scalar()

    def read(self, after_seq: int, upto_seq: int, limit: int) -> Sequence[Message]:
        """At most `limit` messages numbered above `after_seq`, up to `upto_seq`, in order."""
        query = (
            sa.select(event_log)
            .where(event_log.c.seq > after_seq, event_log.c.seq <= upto_seq)
            .order_by(event_log.c.seq)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_message(row) for row in connection.execute(query).mappings()]

    def newest(self, connection: sa.Connection, stream_id: str, kind: str) -> int | None:
        """The number of the newest message of a kind about a stream; None when there is none."""
        chosen = sa.and_(event_log.c.stream_id == stream_id, event_log.c.type == kind)
        return connection.execute(sa.select(sa.func.max(event_log.c.seq)).where(chosen)).scalar()

    def erase(self, connection: sa.Connection, stream_id: str, is_meant: Callable[[Message], bool]) -> list[int]:
        """Leave nothing but the numbers of messages about a stream, where they are meant; returns these numbers."""
        query = sa.select(event_log).where(event_log.c.stream_id == stream_id)
        seqs = [row["seq"] for row in connection.execute(query).mappings() if is_meant(_message(row))]
        blank: dict[str, object] = dict.fromkeys(("stream_id", "job_id", "media_time_s", "frame_index"))
        blank |= {"type": ERASED, "tags": {}, "data": {}}
        for start in range(0, len(seqs), _CHUNK_ROWS):
            chosen = event_log.c.seq.in_(seqs[start : start + _CHUNK_ROWS])
            connection.execute(sa.update(event_log).where(chosen).values(blank))
        return seqs

    def forget(self, keep_rows: int) -> int:
        """Remove all but the newest `keep_rows` messages; returns how many."""
        with self._database.write() as connection:
            head = connection.execute(sa.select(counters.c.value).where(counters.c.name == _COUNTER)).scalar_one()
            return connection.execute(sa.delete(event_log).where(event_log.c.seq <= head - keep_rows)).rowcount


def _message(row: sa.RowMapping) -> Message:
    return Message(**row)
