"""Repeated POSTs: what an `Idempotency-Key` made the first time, kept for a day at least (docs/api-guide.md)."""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Header

from service.database import UtcTime, metadata, now
from service.errors import IdempotencyConflict

KEPT = dt.timedelta(hours=24)
"""How long a client may repeat a POST."""

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("scope", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("resource_id", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", UtcTime, nullable=False),
)

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Repeat a POST with the same key and you get what the first one made, for a day at least.",
    ),
]


@dataclass(frozen=True, slots=True)
class RepeatablePost:
    """A POST that may come more than once.

    scope: the kind of resource that it makes.
    key: the client's `Idempotency-Key`; without one every POST makes something new.
    body: fingerprint of what was asked for.
    """

    scope: str
    key: str | None
    body: str

    def find_made(self, connection: sa.Connection) -> str | None:
        """The id of what the first POST with this key made, or None; raises IdempotencyConflict for another body."""
        if self.key is None:
            return None
        table = idempotency_keys
        row = connection.execute(
            sa.select(table.c.fingerprint, table.c.resource_id).where(
                table.c.scope == self.scope, table.c.key == self.key
            )
        ).one_or_none()
        if row is None:
            return None
        if row.fingerprint != self.body:
            raise IdempotencyConflict(
                f"Idempotency-Key {self.key!r} was already used for {row.resource_id}, with a different body"
            )
        return str(row.resource_id)

    def remember(self, connection: sa.Connection, resource_id: str) -> None:
        """Keep what this POST made, in the transaction that makes it."""
        if self.key is None:
            return
        connection.execute(
            sa.insert(idempotency_keys).values(
                scope=self.scope, key=self.key, fingerprint=self.body, resource_id=resource_id, created_at=now()
            )
        )


def fingerprint(*parts: str) -> str:
    """What tells one request's body from another's; the parts themselves are not kept."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def release(connection: sa.Connection, scope: str, resource_id: str) -> None:
    """Forget the keys of a resource that goes; harmless when there are none."""
    table = idempotency_keys
    connection.execute(sa.delete(table).where(table.c.scope == scope, table.c.resource_id == resource_id))


def forget(connection: sa.Connection, scope: str, age: dt.timedelta = KEPT) -> int:
    """Forget the keys of a scope that nobody will repeat any more; returns how many."""
    table = idempotency_keys
    return connection.execute(sa.delete(table).where(table.c.scope == scope, table.c.created_at < now() - age)).rowcount
