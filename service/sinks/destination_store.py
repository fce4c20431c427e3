"""The rows of destinations, people's browsers and Apprise's addresses, and the key pair of Web Push."""

import datetime as dt
from dataclasses import dataclass, field, fields
from typing import Literal

import sqlalchemy as sa

from service import idempotency
from service.database import UtcTime, metadata, now
from service.sealed import SealedText
from service.secret_box import LOST
from service.sinks.manners import Wishes
from service.sinks.store import deliveries, manners_columns, read_wishes, sink_cursors, wish_values

DestinationKind = Literal["apprise", "push"]
SCOPE = "destinations"
"""Of their idempotency keys."""
_KEY = "vapid"

destinations = sa.Table(
    "destinations",
    metadata,
    sa.Column("destination_id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("address", SealedText, nullable=False),
    sa.Column("shown", sa.Text, nullable=False),
    sa.Column("messages", sa.JSON, nullable=False),
    sa.Column("streams", sa.JSON),
    sa.Column("actions", sa.JSON),
    sa.Column("only_rules", sa.Boolean, nullable=False),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    *manners_columns(),
)
push_keys = sa.Table(
    "push_keys",
    metadata,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("private_key", SealedText, nullable=False),
)


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination as it is stored.

    address: an Apprise address, or a browser's subscription as JSON.  shown: what may be seen of it.
    """

    destination_id: str
    kind: DestinationKind
    name: str
    address: str = field(repr=False)
    shown: str
    wishes: Wishes = field(default_factory=Wishes)
    is_enabled: bool = True
    created_at: dt.datetime = field(default_factory=now)

    @property
    def is_lost(self) -> bool:
        """Whether its address was sealed with another key: it waits until it is entered again."""
        return self.address == LOST


_OWN_COLUMNS = tuple(one.name for one in fields(DestinationRow) if one.name != "wishes")


def put(connection: sa.Connection, row: DestinationRow) -> None:
    """Store a destination, new or changed."""
    plain = {name: getattr(row, name) for name in _OWN_COLUMNS}
    values = {**plain, **wish_values(row.wishes)}
    chosen = destinations.c.destination_id == row.destination_id
    if connection.execute(sa.update(destinations).where(chosen).values(values)).rowcount == 0:
        connection.execute(sa.insert(destinations).values(values))


def get(connection: sa.Connection, destination_id: str) -> DestinationRow | None:
    """A destination, or None."""
    query = sa.select(destinations).where(destinations.c.destination_id == destination_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _row(row)


def all_destinations(connection: sa.Connection) -> list[DestinationRow]:
    """Every destination, the oldest first; there are few."""
    query = sa.select(destinations).order_by(destinations.c.created_at, destinations.c.destination_id)
    return [_row(row) for row in connection.execute(query).mappings()]


def remove(connection: sa.Connection, destination_id: str) -> None:
    """Remove a destination, its place, its deliveries and its idempotency key; harmless when there is none."""
    idempotency.release(connection, SCOPE, destination_id)
    connection.execute(sa.delete(destinations).where(destinations.c.destination_id == destination_id))
    connection.execute(sa.delete(sink_cursors).where(sink_cursors.c.name == destination_id))
    connection.execute(sa.delete(deliveries).where(deliveries.c.sink == destination_id))


def push_key(connection: sa.Connection) -> str | None:
    """The private key of Web Push; None before the first use, and where it was sealed with another key."""
    found = connection.execute(sa.select(push_keys.c.private_key)).scalar()
    return None if found in (None, LOST) else str(found)


def put_push_key(connection: sa.Connection, private_key: str) -> None:
    """Keep a new key pair in place of any other."""
    connection.execute(sa.delete(push_keys))
    connection.execute(sa.insert(push_keys).values(name=_KEY, private_key=private_key))


def _row(row: sa.RowMapping) -> DestinationRow:
    return DestinationRow(wishes=read_wishes(row), **{name: row[name] for name in _OWN_COLUMNS})
