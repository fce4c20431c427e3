"""How many events began when: for a calendar by day, for a timeline by camera and part of the day."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.database import UtcTime
from service.days import Bucket
from service.events.search import Filter, bears, conditions, marks_of
from service.events.store import events

_Rows = sa.Select[*tuple[Any, ...]]
_REACH = dt.timedelta(days=1)
"""How long before a range events are looked for that reach into it."""
_LONG_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events began in a bucket, and how many of them are urgent."""

    count: int
    alarms: int
    warnings: int


def by_bucket(connection: sa.Connection, wanted: Filter, buckets: Sequence[Bucket]) -> dict[int, Tally]:
    """Index of the bucket → events that began in it; none where there are none."""
    rows = connection.execute(_tallies(wanted, buckets, []))
    return {int(n): Tally(int(count), int(alarms), int(warnings)) for n, count, alarms, warnings in rows}


def by_stream(connection: sa.Connection, wanted: Filter, buckets: Sequence[Bucket]) -> dict[str, dict[int, Tally]]:
    """Stream → index of the bucket → events that began in it; events of jobs are not counted."""
    found: dict[str, dict[int, Tally]] = {}
    rows = connection.execute(_tallies(wanted, buckets, [events.c.stream_id]).where(events.c.stream_id.is_not(None)))
    for stream_id, n, count, alarms, warnings in rows:
        found.setdefault(stream_id, {})[int(n)] = Tally(int(count), int(alarms), int(warnings))
    return found


def reaching(
    connection: sa.Connection, wanted: Filter, buckets: Sequence[Bucket]
) -> list[tuple[str, dt.datetime, dt.datetime]]:
    """Stream, start and end of the events that outlast the bucket in which they began, or reach into the first."""
    first = buckets[0].start_time
    ends = _buckets(buckets)
    columns = (events.c.stream_id, events.c.start_time, events.c.end_time)
    usual = [events.c.stream_id.is_not(None), *_conditions(wanted)]
    begun = sa.and_(events.c.start_time >= ends.c.begins, events.c.start_time < ends.c.ends)
    long = sa.select(*columns).select_from(ends.join(events, begun)).where(events.c.end_time > ends.c.ends, *usual)
    before = sa.and_(events.c.start_time >= first - _REACH, events.c.start_time < first, events.c.end_time > first)
    both = sa.union_all(long, sa.select(*columns).where(before, *usual)).limit(_LONG_MAX)
    return [(str(stream_id), start, end) for stream_id, start, end in connection.execute(both)]


def _tallies(wanted: Filter, buckets: Sequence[Bucket], keys: Sequence[sa.Column[Any]]) -> _Rows:
    parts = _buckets(buckets)
    begun = sa.and_(events.c.start_time >= parts.c.begins, events.c.start_time < parts.c.ends)

    def number(severity: str) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((events.c.severity == severity, 1), else_=0))

    columns = [*keys, parts.c.n]
    query = sa.select(*columns, sa.func.count(), number("alarm"), number("warning"))
    return query.select_from(parts.join(events, begun)).where(*_conditions(wanted)).group_by(*columns)


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    return [*conditions(wanted), *map(bears, marks_of(wanted))]


def _buckets(found: Sequence[Bucket]) -> sa.CTE:
    rows = [(n, bucket.start_time, bucket.end_time) for n, bucket in enumerate(found)]
    columns = (sa.column("n", sa.Integer), sa.column("begins", UtcTime), sa.column("ends", UtcTime))
    return sa.values(*columns, name="parts").data(rows).cte("parts")
