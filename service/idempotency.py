"""Repeated POSTs: what an `Idempotency-Key` made the first time, kept for a day (docs/api-guide.md)."""

import datetime as dt
import hashlib
from typing import Annotated

import sqlalchemy as sa
from fastapi import Header

from service.database import UtcTime, metadata, now
from service.errors import IdempotencyConflict

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
        description="Repeat a POST with the same key: what the first one made is answered, for a day at least.",
    ),
]


def fingerprint(*parts: str) -> str:
    """What tells one request's body from another's; the parts themselves are not kept."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find_made(connection: sa.Connection, scope: str, key: str, body: str) -> str | None:
    """The id of what a key made before, or None; raises IdempotencyConflict when its body was another.

    body: its fingerprint.
    """
    table = idempotency_keys
    row = connection.execute(
        sa.select(table.c.fingerprint, table.c.resource_id).where(table.c.scope == scope, table.c.key == key)
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != body:
        raise IdempotencyConflict(f"Idempotency-Key {key!r} was used for {row.resource_id} with another body")
    return str(row.resource_id)


def remember(connection: sa.Connection, scope: str, key: str, body: str, resource_id: str) -> None:
    """Keep what a key made, in the transaction that makes it."""
    connection.execute(
        sa.insert(idempotency_keys).values(
            scope=scope, key=key, fingerprint=body, resource_id=resource_id, created_at=now()
        )
    )


def release(connection: sa.Connection, resource_id: str) -> None:
    """Forget the keys of a resource that goes; harmless when there is none."""
    connection.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.resource_id == resource_id))


def forget(connection: sa.Connection, older_than: dt.datetime) -> None:
    """Forget the keys that nobody will repeat any more."""
    connection.execute(sa.delete(idempotency_keys).where(idempotency_keys.c.created_at < older_than))
