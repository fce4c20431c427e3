"""Which events bear a zone or a tag, in a table of its own, so that they are found without reading the others."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from service.database import UtcTime, metadata

event_marks = sa.Table(
    "event_marks",
    metadata,
    sa.Column("mark", sa.Text, primary_key=True),
    sa.Column("start_time", UtcTime, primary_key=True),
    sa.Column("event_id", sa.String(128), primary_key=True, index=True),
)


def zone_mark(name: str) -> str:
    """What an event in a zone bears."""
    return f"zone:{name}"


def tag_mark(key: str, value: str) -> str:
    """What an event with a tag bears."""
    return f"tag:{key}:{value}"


def put(
    connection: sa.Connection, event_id: str, start_time: dt.datetime, zones: Sequence[str], tags: Mapping[str, str]
) -> None:
    """Note what an event bears now, in place of what it bore."""
    connection.execute(sa.delete(event_marks).where(event_marks.c.event_id == event_id))
    rows = [{"mark": mark, "start_time": start_time, "event_id": event_id} for mark in _marks(zones, tags)]
    if rows:
        connection.execute(sa.insert(event_marks), rows)


def remove(connection: sa.Connection, event_ids: Sequence[str]) -> None:
    """Forget what some events bore, as many as one statement takes."""
    connection.execute(sa.delete(event_marks).where(event_marks.c.event_id.in_(event_ids)))


def _marks(zones: Sequence[str], tags: Mapping[str, str]) -> Iterator[str]:
    yield from dict.fromkeys(map(zone_mark, zones))
    yield from (tag_mark(key, value) for key, value in tags.items())
