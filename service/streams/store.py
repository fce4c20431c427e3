"""The rows of streams."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import sqlalchemy as sa
from pydantic import JsonValue

from service import idempotency
from service.database import UtcTime, metadata, now
from service.event_log import counters
from service.protocol.stream_config import StreamConfig
from service.sealed import SealedSource

StreamState = Literal["disabled", "connecting", "running", "degraded", "reconnecting", "failed"]
SCOPE = "streams"
"""Of their idempotency keys, each of which is kept as long as its stream."""
FINAL = frozenset({"source_quarantined", "ended", "secret_lost"})
"""Errors after which a stream is not tried again until somebody changes or enables it."""
_LIGHT = frozenset({"zones", "rules", "tags", "time_zone"})
"""Changes of these parts reach a running stream without a new start."""
_COUNTER = "stream_placements"

streams = sa.Table(
    "streams",
    metadata,
    sa.Column("stream_id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("config", SealedSource, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("state_since", UtcTime, nullable=False),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_message", sa.Text),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream as it is stored.

    config: as the client gave it, with the credentials of its source.
    generation: the number of its newest placement; no placement of any stream ever has the same.
    crashes: how often its worker died of it, perhaps, since it last changed.
    """

    stream_id: str
    name: str
    config: Mapping[str, JsonValue] = field(repr=False)
    is_enabled: bool = True
    state: StreamState = "connecting"
    state_since: dt.datetime = field(default_factory=now)
    error_code: str | None = None
    error_message: str | None = None
    generation: int = 0
    crashes: int = 0
    created_at: dt.datetime = field(default_factory=now)

    @property
    def is_final(self) -> bool:
        """Whether it failed for good; a camera that ended its connection is only being waited for."""
        return self.state == "failed" and self.error_code in FINAL


def needs_new_start(row: StreamRow, changed: StreamRow) -> bool:
    """Whether a change of a stream concerns its pictures, so that its worker must begin anew."""
    # What an earlier version stored has fewer parts.
    before = StreamConfig.model_validate(dict(row.config)).model_dump(mode="json")
    after = StreamConfig.model_validate(dict(changed.config)).model_dump(mode="json")
    return any(after[name] != before[name] for name in after if name not in _LIGHT)


def put(connection: sa.Connection, row: StreamRow) -> None:
    """Store a stream, new or changed."""
    values = {one.name: getattr(row, one.name) for one in fields(row)} | {"config": dict(row.config)}
    chosen = streams.c.stream_id == row.stream_id
    if connection.execute(sa.update(streams).where(chosen).values(values)).rowcount == 0:
        connection.execute(sa.insert(streams).values(values))


def get(connection: sa.Connection, stream_id: str) -> StreamRow | None:
    """A stream, or None."""
    row = connection.execute(sa.select(streams).where(streams.c.stream_id == stream_id)).mappings().one_or_none()
    return None if row is None else StreamRow(**row)


def page(connection: sa.Connection, after_id: str, limit: int) -> list[StreamRow]:
    """At most `limit` streams, by id, after one."""
    query = sa.select(streams).where(streams.c.stream_id > after_id).order_by(streams.c.stream_id).limit(limit)
    return [StreamRow(**row) for row in connection.execute(query).mappings()]


def all_streams(connection: sa.Connection) -> list[StreamRow]:
    """Every stream, by id."""
    return [StreamRow(**row) for row in connection.execute(sa.select(streams).order_by(streams.c.stream_id)).mappings()]


def set_state(
    connection: sa.Connection, stream_id: str, state: StreamState, fault: tuple[str, str] | None
) -> StreamRow | None:
    """Change the state; None when it was so already, or the stream is gone."""
    code, message = fault or (None, None)
    changed = (
        sa.update(streams)
        .where(streams.c.stream_id == stream_id)
        .where(sa.or_(streams.c.state != state, streams.c.error_code.is_distinct_from(code)))
        .values(state=state, state_since=now(), error_code=code, error_message=message)
        .returning(streams)
    )
    row = connection.execute(changed).mappings().one_or_none()
    return None if row is None else StreamRow(**row)


def next_placement(connection: sa.Connection, stream_id: str) -> StreamRow | None:
    """The stream as it is now, with the number of a new placement; None when it is gone, disabled, or not to be tried.

    Numbers come from one counter for all streams: one that is removed and made again under its old id must not meet
    its predecessor's events.
    """
    row = get(connection, stream_id)
    if row is None or not row.is_enabled or row.is_final:
        return None
    taken = sa.update(counters).where(counters.c.name == _COUNTER).values(value=counters.c.value + 1)
    number = connection.execute(taken.returning(counters.c.value)).scalar_one_or_none()
    if number is None:
        number = 1
        connection.execute(sa.insert(counters).values(name=_COUNTER, value=number))
    connection.execute(sa.update(streams).where(streams.c.stream_id == stream_id).values(generation=int(number)))
    return replace(row, generation=int(number))


def count_crash(connection: sa.Connection, stream_id: str) -> int:
    """Its worker died of it, perhaps; returns how often that was."""
    changed = (
        sa.update(streams)
        .where(streams.c.stream_id == stream_id)
        .values(crashes=streams.c.crashes + 1)
        .returning(streams.c.crashes)
    )
    return int(connection.execute(changed).scalar_one_or_none() or 0)


def forgive(connection: sa.Connection, stream_id: str) -> None:
    """It ran well for a while: earlier crashes no longer count."""
    connection.execute(sa.update(streams).where(streams.c.stream_id == stream_id).values(crashes=0))


def remove(connection: sa.Connection, stream_id: str) -> None:
    """Remove a stream and its idempotency key; harmless when there is none."""
    idempotency.release(connection, SCOPE, stream_id)
    connection.execute(sa.delete(streams).where(streams.c.stream_id == stream_id))
