"""Sums of the events that began in each bucket, read in the order of an index: nothing is sorted."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from service.database import UtcTime
from service.insights.pieces import Wanted, conditions, events, least, seconds_between

_PARTS_MAX = 4_000
"""Beyond it, looking each of them up takes longer than sorting."""
Part = tuple[int, str, str]
"""Index of the bucket, stream, action."""

_parts = sa.Table(
    "insight_parts",
    sa.MetaData(),
    sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stream_id", sa.String(64)),
    sa.Column("action", sa.String(64)),
    sa.Column("begins", UtcTime),
    sa.Column("ends", UtcTime),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of events of one action: seconds, how many began, how many of these are alarms and no falls, first and last."""

    seconds: float
    count: int
    alarms: int
    first: dt.datetime
    last: dt.datetime


def begun_sums(connection: sa.Connection, wanted: Wanted) -> list[tuple[Part, Sums]] | None:
    """Sums of the events that began in each bucket, cut at its end; None where there are too many parts to look up.

    A temporary table tells the database in which order the parts come, and so that each part's events lie together.
    """
    pairs = _pairs(connection, wanted)
    parts = [(n, *pair) for pair in pairs for n in range(len(wanted.buckets))]
    if len(parts) > _PARTS_MAX:
        return None
    if not parts:
        return []
    rows = [
        {
            "part": number, "stream_id": stream_id, "action": action, "begins": wanted.buckets[n].start_time,
            "ends": wanted.buckets[n].end_time,
        }
        for number, (n, stream_id, action) in enumerate(parts)
    ]  # fmt: skip
    _parts.create(connection)
    try:
        connection.execute(sa.insert(_parts), rows)
        return [(parts[number], sums) for number, sums in _iter_sums(connection, wanted)]
    finally:
        _parts.drop(connection)


def _pairs(connection: sa.Connection, wanted: Wanted) -> list[tuple[str, str]]:
    query = sa.select(events.c.stream_id, events.c.action).where(events.c.stream_id.in_(wanted.streams)).distinct()
    found = {(str(stream_id), str(action)) for stream_id, action in connection.execute(query)}
    return sorted(pair for pair in found if wanted.action in (None, pair[1]))


def _iter_sums(connection: sa.Connection, wanted: Wanted) -> Iterator[tuple[int, Sums]]:
    start_time, end_time = events.c.start_time, least(events.c.end_time, _parts.c.ends)
    begun = sa.and_(
        events.c.stream_id == _parts.c.stream_id, events.c.action == _parts.c.action, start_time >= _parts.c.begins,
        start_time < _parts.c.ends,
    )  # fmt: skip
    # An end before its start, which a clock that was put back may make, counts nothing.
    seconds = sa.case((end_time > start_time, seconds_between(end_time, start_time)), else_=0.0)
    is_alarm = sa.and_(events.c.severity == "alarm", events.c.action != "fall")
    query = (
        sa.select(
            _parts.c.part, sa.func.sum(seconds), sa.func.count(), sa.func.sum(sa.case((is_alarm, 1), else_=0)),
            sa.func.min(start_time), sa.func.max(end_time),
        )
        .select_from(_parts.join(events, begun))
        .where(*conditions(wanted))
        .group_by(_parts.c.part)
    )  # fmt: skip
    for part, lasted, count, alarms, first, last in connection.execute(query):
        yield int(part), Sums(float(lasted), int(count), int(alarms), first, last)
