"""Finds events by an index, whatever is asked for: nothing outside the page is read but what an index holds."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipelines.types import EventState
from service.events.marks import event_marks, tag_mark, zone_mark
from service.events.store import EventRow, events, parse_row

Place = tuple[dt.datetime, str]
"""Where an event stands in a list: its start and its id."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events to list; None asks for all."""

    stream_id: str | None = None
    job_id: str | None = None
    action: str | None = None
    state: EventState | None = None
    zone: str | None = None
    severity: str | None = None
    track_id: int | None = None
    min_score: float | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    tag: tuple[str, str] | None = None
    is_acknowledged: bool | None = None
    is_retracted: bool | None = None


def page(connection: sa.Connection, wanted: Filter, before: Place | None, limit: int) -> list[EventRow]:
    """At most `limit` events before a place in the list, the newest start first."""
    marks = marks_of(wanted)
    if not marks:
        query = sa.select(events).order_by(events.c.start_time.desc(), events.c.event_id.desc())
        within = _within(events.c.start_time, events.c.event_id, wanted, before)
    else:
        both = event_marks.join(events, events.c.event_id == event_marks.c.event_id)
        query = sa.select(events).select_from(both).where(event_marks.c.mark == marks[0])
        query = query.order_by(event_marks.c.start_time.desc(), event_marks.c.event_id.desc())
        within = _within(event_marks.c.start_time, event_marks.c.event_id, wanted, before)
    query = query.where(*within, *conditions(wanted), *map(bears, marks[1:])).limit(limit)
    return [parse_row(row) for row in connection.execute(query).mappings()]


def marks_of(wanted: Filter) -> list[str]:
    """The zone and the tag that are asked for, as events bear them."""
    found = [] if wanted.zone is None else [zone_mark(wanted.zone)]
    return found if wanted.tag is None else [*found, tag_mark(*wanted.tag)]


def bears(mark: str) -> sa.ColumnElement[bool]:
    """Whether an event bears a mark: one look-up for each event."""
    other = event_marks.alias()
    chosen = sa.and_(
        other.c.mark == mark, other.c.start_time == events.c.start_time, other.c.event_id == events.c.event_id
    )
    return sa.exists(sa.select(sa.literal(1)).where(chosen))


def conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    """What an event must be, its time, its zones and its tags apart."""
    indexed = {"stream_id": wanted.stream_id, "job_id": wanted.job_id, "action": wanted.action}
    others = {"state": wanted.state, "severity": wanted.severity, "track_id": wanted.track_id}
    found: list[sa.ColumnElement[bool]] = [
        events.c[name] == value for name, value in indexed.items() if value is not None
    ]
    # Behind a function: else SQLite may build an index by it for this one question, which takes longer than any answer.
    found += [sa.func.coalesce(events.c[name], value) == value for name, value in others.items() if value is not None]
    if wanted.min_score is not None:
        found.append(events.c.score >= wanted.min_score)
    if wanted.is_acknowledged is not None:
        known = events.c.acknowledged_at.is_not(None)
        found.append(known if wanted.is_acknowledged else sa.not_(known))
    if wanted.is_retracted is not None:
        is_back = sa.func.coalesce(events.c.state, "") == "retracted"
        found.append(is_back if wanted.is_retracted else sa.not_(is_back))
    return found


def _within(
    start_time: sa.Column[dt.datetime], event_id: sa.Column[str], wanted: Filter, before: Place | None
) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.since is not None:
        found.append(start_time >= wanted.since)
    if wanted.until is not None:
        found.append(start_time < wanted.until)
    if before is not None:
        edge, last_id = before
        # The first alone would do nothing but let the index begin there: neither database takes an "or" for that.
        found += [start_time <= edge, sa.or_(start_time < edge, event_id < last_id)]
    return found
