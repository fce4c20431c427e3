"""Whether this server is one of several, which others there are, and which of them leads.

A replica writes its row anew every second. One whose row has expired is removed by any other, and from then on nothing
that it tries to write is stored: every transaction of the log looks for the row of its replica first. So what it had
can be given to others although it may only have been asleep.
"""

import contextlib
import datetime as dt
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from pydantic import JsonValue

from service.database import Database
from service.errors import DatabaseBusy, ReplicaMismatch, ServiceError
from service.periodic import Periodic
from service.replicas.tables import ReplicaRow, replicas

logger = logging.getLogger(__name__)

ALONE = "alone"
LEASE_S = 5.0
BEAT_S = 1.0
_MARGIN_S = 1.0
"""A leader stops so long before its lease ends: clocks and messages in flight."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a replica says of itself when it joins; see ReplicaRow."""

    site: str
    url: str
    key_check: str
    blobs: str


class Membership(Protocol):
    """This server among those of its database."""

    @property
    def replica_id(self) -> str:
        """The name under which it has what it has; a new one after it was thought dead."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether no other server can be on this database."""
        ...

    def is_leader(self) -> bool:
        """Whether it is the one that delivers to sinks and cleans up."""
        ...

    def require(self, connection: sa.Connection) -> None:
        """Raise ReplicaLost where others may have what this server had."""
        ...

    def alive(self, connection: sa.Connection) -> set[str]:
        """The replicas that are there, this one included; removes the others' rows."""
        ...

    def members(self) -> Sequence[ReplicaRow]:
        """All replicas, this one included, as of the last beat; none where nobody else can be."""
        ...


class ReplicaLost(DatabaseBusy):
    """This server was away for so long that others took over; it has joined anew in a moment."""


class Alone:
    """The only server: its home's lock holds off any other."""

    replica_id = ALONE
    is_alone = True

    def is_leader(self) -> bool:
        """Always."""
        return True

    def require(self, connection: sa.Connection) -> None:
        """Nobody can have taken over."""

    def alive(self, connection: sa.Connection) -> set[str]:  # noqa: ARG002 - nobody else is to be looked for
        """This one."""
        return {ALONE}

    def members(self) -> Sequence[ReplicaRow]:
        """None."""
        return ()


class Member:
    """One of several servers on a PostgreSQL database.

    facts: what this server can do, told with every beat.
    """

    is_alone = False

    def __init__(
        self, database: Database, site: Site, facts: Callable[[], Mapping[str, JsonValue]] = dict,
        lease_s: float = LEASE_S, beat_s: float = BEAT_S,
    ) -> None:  # fmt: skip
        self._database = database
        self._site = site
        self._facts = facts
        self._lease_s = lease_s
        self._replica_id = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._rows: tuple[ReplicaRow, ...] = ()
        self._beat_s = float("-inf")
        self._judges_from_s = float("inf")
        self._rounds = Periodic("replica", self._round, beat_s)

    @property
    def replica_id(self) -> str:
        """Its name now."""
        return self._replica_id

    def tell_with(self, facts: Callable[[], Mapping[str, JsonValue]]) -> None:
        """Name what is told with every beat; before `join`."""
        self._facts = facts

    def join(self) -> None:
        """Become one of the replicas; raises ReplicaMismatch where another has another key or other blobs."""
        with self._database.write() as connection:
            # The one before in this home is gone, or its lock would have held us off.
            connection.execute(sa.delete(replicas).where(replicas.c.site == self._site.site))
            for other in _living(connection):
                self._require_alike(other)
            self._insert(connection)
        self._beat_s = self._judges_from_s = time.monotonic()
        self.beat()
        self._rounds.start()
        logger.info("replica %s of %d", self._replica_id, len(self._rows))

    def check(self) -> None:
        """Raise ReplicaMismatch where this server could not join."""
        with self._database.read() as connection:
            for other in _living(connection):
                if other.site != self._site.site:
                    self._require_alike(other)

    def leave(self) -> None:
        """Give up everything at once, so that the others need not wait; may be called twice."""
        self._rounds.stop()
        with contextlib.suppress(ServiceError), self._database.write() as connection:
            connection.execute(sa.delete(replicas).where(replicas.c.replica_id == self._replica_id))
        self._beat_s = float("-inf")

    def is_leader(self) -> bool:
        """Whether it is the oldest, and has said so in time."""
        is_fresh = time.monotonic() < self._beat_s + self._lease_s - _MARGIN_S
        return is_fresh and bool(self._rows) and self._rows[0].replica_id == self._replica_id

    def require(self, connection: sa.Connection) -> None:
        """Raise ReplicaLost unless the row of this replica is there."""
        query = sa.select(replicas.c.replica_id).where(replicas.c.replica_id == self._replica_id)
        if connection.execute(query).one_or_none() is None:
            raise ReplicaLost("this server was away for too long; it joins the others anew")

    def alive(self, connection: sa.Connection) -> set[str]:
        """The replicas whose lease runs; one that could not renew its own in time judges no other for a while."""
        if time.monotonic() < self._judges_from_s:
            return set(connection.execute(sa.select(replicas.c.replica_id)).scalars())
        for gone in connection.execute(sa.delete(replicas).where(_is_expired()).returning(replicas.c.replica_id)):
            logger.warning("replica %s has not been heard of for %.0f s: others take over", gone[0], self._lease_s)
        return set(connection.execute(sa.select(replicas.c.replica_id)).scalars())

    def members(self) -> Sequence[ReplicaRow]:
        """As of the last beat, the oldest first."""
        return self._rows

    def beat(self) -> None:
        """Renew the lease, and look who else is there; joins anew where others thought that this one was dead."""
        began_s = time.monotonic()
        facts = dict(self._facts())
        with self._lock:
            was_late = began_s > self._beat_s + self._lease_s
            with self._database.write() as connection:
                if not self._renew(connection, facts):
                    self._replica_id = secrets.token_hex(8)
                    self._insert(connection)
                    logger.warning("this server was thought dead; it is now replica %s", self._replica_id)
                self._rows = tuple(_living(connection))
            if was_late:
                # Whatever held this server up may have held up the others as well.
                self._judges_from_s = began_s + self._lease_s
            self._beat_s = began_s

    def _round(self) -> None:
        try:
            self.beat()
        except ServiceError as error:
            logger.warning("this server could not say that it is there: %s", error)

    def _renew(self, connection: sa.Connection, facts: Mapping[str, JsonValue]) -> bool:
        chosen = replicas.c.replica_id == self._replica_id
        values = {"expires_at": self._expiry(), "facts": dict(facts)}
        return connection.execute(sa.update(replicas).where(chosen).values(values)).rowcount > 0

    def _insert(self, connection: sa.Connection) -> None:
        one = self._site
        connection.execute(
            sa.insert(replicas).values(
                replica_id=self._replica_id, site=one.site, url=one.url, key_check=one.key_check, blobs=one.blobs,
                facts={}, started_at=sa.func.clock_timestamp(), expires_at=self._expiry(),
            )
        )  # fmt: skip

    def _expiry(self) -> sa.ColumnElement[dt.datetime]:
        # By one clock, the database's: those of the replicas need not agree.
        return sa.func.clock_timestamp() + sa.literal(dt.timedelta(seconds=self._lease_s), sa.Interval)

    def _require_alike(self, other: ReplicaRow) -> None:
        if other.key_check != self._site.key_check:
            raise ReplicaMismatch(
                "another server on this database seals secrets with another key: give all of them the same "
                "ACTOGRAM_SECRET_KEY"
            )
        if other.blobs != self._site.blobs:
            raise ReplicaMismatch(
                f"another server on this database keeps its blobs in {other.blobs}, this one in {self._site.blobs}: "
                "give all of them the same ACTOGRAM_BLOBS_URL"
            )


def _is_expired() -> sa.ColumnElement[bool]:
    return replicas.c.expires_at < sa.func.clock_timestamp()


def _living(connection: sa.Connection) -> list[ReplicaRow]:
    """Those whose lease runs, the oldest first."""
    query = sa.select(replicas).where(sa.not_(_is_expired())).order_by(replicas.c.started_at, replicas.c.replica_id)
    return [ReplicaRow(**row) for row in connection.execute(query).mappings()]
