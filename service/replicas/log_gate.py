"""Puts the log's transactions of all replicas in one row, and tells all of them what was stored.

Numbers become visible in order: a transaction takes the next number by changing the counter's row, which PostgreSQL
keeps locked until that transaction is committed or undone; the next number is given out after that. So whoever sees
number n sees every number below it, and none of them comes later. The advisory lock before it makes the transactions
of all replicas follow each other as a whole, as those of one process do: what one of them looks up stays true.
"""

import logging
from collections.abc import Callable, Sequence

import psycopg
import sqlalchemy as sa

from service.database import PATIENCE_S, Database
from service.errors import ServiceError
from service.event_log import EventLog, Message
from service.periodic import Periodic
from service.replicas.membership import Membership

logger = logging.getLogger(__name__)

_LOCK = 0x4143_544F
"""A number that nobody else on the database uses: `ACTO`."""
_CHANNEL = "actogram_log"
_LISTEN_S = 1.0
_PAGE_ROWS = 500


class LogGate:
    """What every transaction of the log passes on a database that several servers share."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def enter(self, connection: sa.Connection) -> None:
        """Wait until it is this transaction's turn; raises DatabaseBusy, ReplicaLost."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(1000 * PATIENCE_S.get()))}")
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        self._membership.require(connection)

    def tell(self, connection: sa.Connection) -> None:
        """Have every replica told, this one too, once the transaction is committed."""
        connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, "")))


class LogFollower:
    """Reads what any replica has stored, in order, each message once, and publishes it here.

    publish: called in this thread, in the order of the numbers.
    """

    def __init__(self, database: Database, log: EventLog, publish: Callable[[Message], None]) -> None:
        self._database = database
        self._log = log
        self._publish = publish
        self._seq = 0
        self._rounds = Periodic("log-follower", self._follow, _LISTEN_S)

    def start(self) -> None:
        """Begin with the next message."""
        self._seq = self._log.head()
        self._rounds.start()
        self._rounds.wake()

    def stop(self) -> None:
        """End; may be called twice."""
        self._rounds.stop()

    def catch_up(self) -> int:
        """Publish what is new; returns how many messages."""
        head, num_told = self._log.head(), 0
        while self._seq < head:
            page: Sequence[Message] = self._log.read(self._seq, head, _PAGE_ROWS)
            for message in page:
                self._publish(message)
            # Numbers without a row were forgotten by retention while this replica was away.
            self._seq = page[-1].seq if len(page) == _PAGE_ROWS else head
            num_told += len(page)
        return num_told

    def _follow(self) -> None:
        try:
            self._listen()
        except (ServiceError, psycopg.Error) as error:
            logger.warning("what other servers store cannot be told now: %s", error)

    def _listen(self) -> None:
        """Until the connection breaks; the next round connects again."""
        with self._database.listener() as connection:
            connection.execute(f"LISTEN {_CHANNEL}")
            while not self._rounds.is_over:
                # Also without any notification: one may be lost with a connection.
                self.catch_up()
                _wait(connection)


def _wait(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    for _ in connection.notifies(timeout=_LISTEN_S, stop_after=1):
        pass
