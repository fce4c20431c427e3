"""Queries that cut events and tracks at the edges of days or hours, for SQLite and PostgreSQL alike.

The index by stream and time is searched once for each stream and day: nothing outside the range is read, but those of
the past that may reach into it, and of these only the index.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from service.database import UtcTime
from service.days import Bucket

# The columns that are read here; the tables belong to the slice of events.
events = sa.table(
    "events",
    sa.column("stream_id", sa.String), sa.column("track_id", sa.BigInteger), sa.column("action", sa.String),
    sa.column("state", sa.String), sa.column("severity", sa.String), sa.column("start_time", UtcTime),
    sa.column("end_time", UtcTime), sa.column("zones", sa.JSON), sa.column("box", sa.JSON),
)  # fmt: skip
tracks = sa.table(
    "tracks",
    sa.column("stream_id", sa.String), sa.column("track_id", sa.BigInteger), sa.column("start_time", UtcTime),
    sa.column("end_time", UtcTime), sa.column("reason", sa.String),
)  # fmt: skip
_COUNTED = ("confirmed", "ended")
_ERASED = "erased"
_RULES = ("not_got_up", "nobody_seen", "lies_outside")
"""What rules over time tell: not what a person does, so it adds to nobody's seconds unless it is asked for."""
_STREAMS_MAX = 1000


class seconds_between(GenericFunction[float]):  # noqa: N801 - named as it reads in a query
    """Seconds from the second time to the first."""

    type = sa.Float()
    inherit_cache = True


@compiles(seconds_between, "sqlite")
def _sqlite_seconds(element: seconds_between, compiler: SQLCompiler, **options: object) -> str:
    later, earlier = (compiler.process(one, **options) for one in element.clauses)
    return f"((julianday({later}) - julianday({earlier})) * 86400.0)"


@compiles(seconds_between, "postgresql")
def _postgresql_seconds(element: seconds_between, compiler: SQLCompiler, **options: object) -> str:
    later, earlier = (compiler.process(one, **options) for one in element.clauses)
    return f"CAST(EXTRACT(EPOCH FROM ({later} - {earlier})) AS DOUBLE PRECISION)"


class floored(GenericFunction[int]):  # noqa: N801 - named as it reads in a query
    """The whole number below one that is not negative."""

    type = sa.Integer()
    inherit_cache = True


@compiles(floored, "sqlite")
def _sqlite_floored(element: floored, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS INTEGER)"


@compiles(floored, "postgresql")
def _postgresql_floored(element: floored, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST(FLOOR({compiler.process(element.clauses, **options)}) AS INTEGER)"


class names_of(GenericFunction[str]):  # noqa: N801 - named as it reads in a query
    """The texts of a JSON list, as rows of one column."""

    inherit_cache = True


@compiles(names_of, "sqlite")
def _sqlite_names(element: names_of, compiler: SQLCompiler, **options: object) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **options)}))"  # noqa: S608 - made of our own names


@compiles(names_of, "postgresql")
def _postgresql_names(element: names_of, compiler: SQLCompiler, **options: object) -> str:
    return f"(SELECT json_array_elements_text({compiler.process(element.clauses, **options)}))"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events and tracks to look at.

    buckets: neighbours, in order; at least one.
    at: now: what a track that goes on has lasted to.
    """

    streams: Sequence[str]
    buckets: Sequence[Bucket]
    at: dt.datetime
    zone: str | None = None
    action: str | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether zone or action matter, of which tracks know nothing."""
        return self.zone is not None or self.action is not None


def conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What an event must be, its time and its stream apart."""
    found: list[sa.ColumnElement[bool]] = [events.c.state.in_(_COUNTED)]
    if wanted.action is not None:
        found.append(events.c.action == wanted.action)
    else:
        found.append(events.c.action.not_in(_RULES))
    if wanted.zone is not None:
        found.append(sa.literal(wanted.zone).bool_op("IN")(names_of(events.c.zones)))
    return found


def event_pieces(wanted: Wanted, *, is_whole: bool = True) -> sa.Subquery:
    """Events cut at the edges of the buckets.

    is_whole: False leaves out the pieces with which events begin.
    Columns: n (index of the bucket), stream_id, track_id, action, severity, start_time, end_time and is_begun, 1 in
    the piece with which an event begins and 0 in its others.
    """
    columns = [events.c.stream_id, events.c.track_id, events.c.action, events.c.severity]
    return _pieces(wanted, _Source(events, columns, events.c.end_time, conditions(wanted)), is_whole=is_whole)


def track_pieces(wanted: Wanted) -> sa.Subquery:
    """Tracks cut in the same way; columns n, stream_id, track_id, start_time, end_time, is_begun."""
    is_known = sa.or_(tracks.c.reason.is_(None), tracks.c.reason != _ERASED)
    lasted = sa.func.coalesce(tracks.c.end_time, sa.literal(wanted.at, UtcTime), type_=UtcTime)
    return _pieces(wanted, _Source(tracks, [tracks.c.stream_id, tracks.c.track_id], lasted, [is_known]))


@dataclass(frozen=True, slots=True)
class _Source:
    """A table of what begins and ends, with the columns to keep and the conditions to meet."""

    table: sa.TableClause
    columns: Sequence[sa.ColumnClause[object]]
    end_time: sa.ColumnElement[dt.datetime]
    conditions: Sequence[sa.ColumnElement[bool]]


def _pieces(wanted: Wanted, source: _Source, *, is_whole: bool = True) -> sa.Subquery:
    start_time = source.table.c.start_time
    name = source.table.name
    places, buckets = _places(f"{name}_places", wanted.streams), _buckets(f"{name}_buckets", wanted.buckets)
    begun = sa.and_(start_time >= buckets.c.begins, start_time < buckets.c.ends)
    first = wanted.buckets[0].start_time
    of_place = places.join(source.table, source.table.c.stream_id == places.c.stream_id)
    columns = [*source.columns, start_time, source.end_time.label("end_time")]
    within = of_place.join(buckets, begun)
    # Those that begin in a bucket; those of before that reach into the first; and what either leaves to later buckets.
    fresh = sa.select(buckets.c.n, buckets.c.ends, *columns).select_from(within).where(*source.conditions)
    older = (
        sa.select(sa.literal(-1), sa.literal(first, UtcTime), *columns)
        .select_from(of_place)
        .where(start_time < first, source.end_time > first, *source.conditions)
    )
    long = sa.union_all(fresh.where(source.end_time > buckets.c.ends), older).cte(f"{name}_long")
    rest = sa.and_(buckets.c.begins >= long.c.ends, buckets.c.begins < long.c.end_time)
    names = [column.name for column in source.columns]
    whole = fresh.subquery("fresh")
    later = sa.select(
        buckets.c.n, *(long.c[name] for name in names), buckets.c.begins.label("start_time"),
        least(long.c.end_time, buckets.c.ends).label("end_time"), sa.literal_column("0").label("is_begun"),
    ).select_from(long.join(buckets, rest))  # fmt: skip
    if not is_whole:
        return later.subquery(f"{name}_pieces")
    begins = sa.select(
        whole.c.n, *(whole.c[name] for name in names), whole.c.start_time,
        least(whole.c.end_time, whole.c.ends).label("end_time"), sa.literal_column("1").label("is_begun"),
    )  # fmt: skip
    return sa.union_all(begins, later).subquery(f"{name}_pieces")


def least(one: sa.ColumnElement[dt.datetime], other: sa.ColumnElement[dt.datetime]) -> sa.Case[dt.datetime]:
    """The earlier of two times."""
    return sa.case((one < other, one), else_=other)


def seconds_of(pieces: sa.Subquery) -> sa.ColumnElement[float]:
    """How long a piece lasted; an end before its start, which a clock that was put back may make, counts nothing."""
    start_time, end_time = pieces.c.start_time, pieces.c.end_time
    return sa.case((end_time > start_time, seconds_between(end_time, start_time)), else_=0.0)


def _places(name: str, streams: Sequence[str]) -> sa.CTE:
    rows = [(stream_id,) for stream_id in streams]
    return sa.values(sa.column("stream_id", sa.String), name=name).data(rows).cte(name)


def _buckets(name: str, found: Sequence[Bucket]) -> sa.CTE:
    rows = [(n, bucket.start_time, bucket.end_time) for n, bucket in enumerate(found)]
    columns = (sa.column("n", sa.Integer), sa.column("begins", UtcTime), sa.column("ends", UtcTime))
    return sa.values(*columns, name=name).data(rows).cte(name)


def streams_with_any(connection: sa.Connection) -> list[str]:
    """Every stream, existing or removed, that has events or tracks, at most a thousand; by one look-up for each."""
    found = {name for table in (events, tracks) for name in connection.execute(_names(table)).scalars() if name}
    return sorted(found)[:_STREAMS_MAX]


def _names(table: sa.TableClause) -> "sa.Select[*tuple[str | None]]":
    column = table.c.stream_id
    names = sa.select(sa.func.min(column).label("stream_id")).cte("names", recursive=True)
    following = sa.select(sa.func.min(column)).where(column > names.c.stream_id).scalar_subquery()
    names = names.union_all(sa.select(following).where(names.c.stream_id.is_not(None)))
    return sa.select(names.c.stream_id).limit(_STREAMS_MAX + 1)
