"""The rows of what somebody asked to erase and is not gone yet: they outlive a server that ends in between."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from service.database import UtcTime, metadata, now

WHOLE = 0
"""Stands for every track of a stream; people are numbered from 1."""

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("stream_id", sa.String(64), primary_key=True),
    sa.Column("track_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("requested_at", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is to go: one person of a stream, or the stream with all that it left (`track_id` 0)."""

    stream_id: str
    track_id: int
    requested_at: dt.datetime


def request(connection: sa.Connection, stream_id: str, track_id: int = WHOLE) -> None:
    """Ask for it; harmless when that was done already."""
    chosen = sa.and_(erasures.c.stream_id == stream_id, erasures.c.track_id == track_id)
    if connection.execute(sa.select(erasures.c.stream_id).where(chosen)).first() is None:
        values = {"stream_id": stream_id, "track_id": track_id, "requested_at": now()}
        connection.execute(sa.insert(erasures).values(values))


def pending(connection: sa.Connection) -> list[Erasure]:
    """What is not gone yet, in the order in which it was asked for."""
    rows = connection.execute(sa.select(erasures).order_by(erasures.c.requested_at)).mappings()
    return [Erasure(**row) for row in rows]


def streams(connection: sa.Connection) -> set[str]:
    """Ids of the streams that are being erased: a new stream must not take one of them."""
    return set(connection.execute(sa.select(erasures.c.stream_id).where(erasures.c.track_id == WHOLE)).scalars())


def finish(connection: sa.Connection, erasure: Erasure) -> None:
    """It is gone."""
    chosen = sa.and_(erasures.c.stream_id == erasure.stream_id, erasures.c.track_id == erasure.track_id)
    connection.execute(sa.delete(erasures).where(chosen))
