"""Sums of what people did, and when somebody was in the picture."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from service.database import UtcTime
from service.insights.begun import Sums, begun_sums
from service.insights.calendar import By
from service.insights.pieces import Wanted, conditions, event_pieces, events, seconds_between, seconds_of, track_pieces

Key = tuple[str | int, ...]
_Rows = sa.Select[*tuple[Any, ...]]
TRACKS_MAX = 500
Grouping = By | Literal["camera_day"]
_COLUMNS: dict[Grouping, tuple[str, ...]] = {
    "day": ("n",), "hour": ("n",), "camera": ("stream_id",), "track": ("stream_id", "track_id"), "action": ("action",),
    "camera_day": ("stream_id", "n"),
}  # fmt: skip


@dataclass(slots=True)
class Group:
    """What is known of one day, hour, camera, person or action.

    totals_s, counts: action → seconds of it, and how many began.
    first_movement, last_movement: UTC; None where nothing was seen.
    presence_s: seconds with somebody in the picture; None where tracks do not say.
    """

    totals_s: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    falls: int = 0
    other_alarms: int = 0
    tracks: int = 0
    presence_s: float | None = None
    first_movement: dt.datetime | None = None
    last_movement: dt.datetime | None = None

    def add(self, action: str, sums: Sums) -> None:
        """Add events of an action."""
        self.totals_s[action] = self.totals_s.get(action, 0.0) + sums.seconds
        self.counts[action] = self.counts.get(action, 0) + sums.count
        self.falls += sums.count if action == "fall" else 0
        self.other_alarms += sums.alarms
        self.see(sums.first, sums.last)

    def see(self, first: dt.datetime, last: dt.datetime) -> None:
        """Widen the time in which somebody moved."""
        self.first_movement = min(first, self.first_movement or first)
        self.last_movement = max(last, self.last_movement or last)


def summarise(connection: sa.Connection, wanted: Wanted, by: Grouping) -> dict[Key, Group]:
    """What is known of each group that has any event or track.

    Of people the newest `TRACKS_MAX` and one more, which says that there are others.
    """
    if not wanted.streams:
        return {}
    has_tracks = by != "action" and not wanted.is_filtered
    shown = _newest(connection, wanted, has_tracks) if by == "track" else None
    found: dict[Key, Group] = {}
    _add_actions(connection, wanted, by, shown, found)
    if has_tracks:
        _add_presence(connection, wanted, by, shown, found)
    # Tracks may be forgotten before their events.
    if any(group.counts and not group.tracks for group in found.values()):
        _count_tracks(connection, wanted, by, found)
    return found


def near_falls(connection: sa.Connection, wanted: Wanted) -> dict[Key, int]:
    """Stream and index of the bucket → falls that were begun and taken back: they did not go on."""
    buckets = sa.values(
        sa.column("n", sa.Integer), sa.column("begins", UtcTime), sa.column("ends", UtcTime), name="parts"
    ).data([(n, one.start_time, one.end_time) for n, one in enumerate(wanted.buckets)])
    parts = buckets.cte("parts")
    begun = sa.and_(events.c.start_time >= parts.c.begins, events.c.start_time < parts.c.ends)
    query = (
        sa.select(events.c.stream_id, parts.c.n, sa.func.count())
        .select_from(parts.join(events, begun))
        .where(events.c.action == "fall", events.c.state == "retracted", events.c.stream_id.in_(wanted.streams))
        .group_by(events.c.stream_id, parts.c.n)
    )
    return {(str(name), int(n)): int(count) for name, n, count in connection.execute(query)}


def _add_actions(
    connection: sa.Connection, wanted: Wanted, by: Grouping, shown: Sequence[Key] | None, found: dict[Key, Group]
) -> None:
    # People are many, and each has few events: they are sorted together.
    is_whole = by == "track" or not _add_begun(connection, wanted, by, found)
    pieces = event_pieces(wanted, is_whole=is_whole)
    keys = [pieces.c[name] for name in _COLUMNS[by]]
    is_alarm = sa.and_(pieces.c.severity == "alarm", pieces.c.action != "fall")
    query = sa.select(
        *keys, pieces.c.action.label("done"), sa.func.sum(seconds_of(pieces)), sa.func.sum(pieces.c.is_begun),
        sa.func.sum(sa.case((is_alarm, pieces.c.is_begun), else_=0)), sa.func.min(pieces.c.start_time),
        sa.func.max(pieces.c.end_time),
    ).group_by(*dict.fromkeys((*keys, pieces.c.action)))  # fmt: skip
    for *key, action, seconds, count, alarms, first, last in connection.execute(_among(query, keys, shown)):
        found.setdefault(tuple(key), Group()).add(action, Sums(float(seconds), int(count), int(alarms), first, last))


def _add_begun(connection: sa.Connection, wanted: Wanted, by: Grouping, found: dict[Key, Group]) -> bool:
    """The pieces with which events begin, in the order of an index; False where that would be too many parts."""
    places = {"n": 0, "stream_id": 1, "action": 2}
    sums = begun_sums(connection, wanted)
    if sums is None:
        return False
    for part, one in sums:
        key = tuple(part[places[name]] for name in _COLUMNS[by])
        found.setdefault(key, Group()).add(str(part[2]), one)
    return True


def _add_presence(
    connection: sa.Connection, wanted: Wanted, by: Grouping, shown: Sequence[Key] | None, found: dict[Key, Group]
) -> None:
    """Seconds with anybody in the picture: what two tracks share counts once."""
    pieces = track_pieces(wanted)
    keys = [pieces.c[name] for name in _COLUMNS[by]]
    order = (pieces.c.start_time, pieces.c.end_time)
    seen = sa.func.max(pieces.c.end_time).over(partition_by=keys, order_by=order, rows=(None, -1)).label("seen")
    lined = _among(sa.select(*keys, pieces.c.start_time, pieces.c.end_time, seen), keys, shown).subquery("lined")
    begins = sa.case((lined.c.seen > lined.c.start_time, lined.c.seen), else_=lined.c.start_time)
    fresh = sa.case((lined.c.end_time > begins, seconds_between(lined.c.end_time, begins)), else_=0.0)
    names = [lined.c[name] for name in _COLUMNS[by]]
    query = sa.select(
        *names, sa.func.sum(fresh), sa.func.count(), sa.func.min(lined.c.start_time), sa.func.max(lined.c.end_time)
    ).group_by(*names)
    for *key, seconds, count, first, last in connection.execute(query):
        group = found.setdefault(tuple(key), Group())
        group.presence_s = float(seconds)
        group.tracks = int(count)
        group.see(first, last)


def _count_tracks(connection: sa.Connection, wanted: Wanted, by: Grouping, found: dict[Key, Group]) -> None:
    """Count the people of the events, where no tracks tell."""
    columns = dict.fromkeys((*_COLUMNS[by], "stream_id", "track_id"))
    if len(wanted.buckets) > 1 or "n" in columns:
        pieces = event_pieces(wanted)
        query = sa.select(*(pieces.c[name] for name in columns))
    else:
        query = sa.select(*(events.c[name] for name in columns)).where(*_within(wanted))
    people = query.distinct().subquery("people")
    keys = [people.c[name] for name in _COLUMNS[by]]
    for *key, count in connection.execute(sa.select(*keys, sa.func.count()).group_by(*keys)):
        group = found.get(tuple(key))
        if group is not None and not group.tracks:
            group.tracks = int(count)


def _within(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    """What begins in the one bucket, or reaches into it."""
    whole = wanted.buckets[0]
    reaches = sa.or_(events.c.start_time >= whole.start_time, events.c.end_time > whole.start_time)
    return [
        events.c.stream_id.in_(wanted.streams), events.c.start_time < whole.end_time, reaches, *conditions(wanted)
    ]  # fmt: skip


def _newest(connection: sa.Connection, wanted: Wanted, has_tracks: bool) -> list[Key]:
    sources = [event_pieces(wanted), *([track_pieces(wanted)] if has_tracks else [])]
    everybody = sa.union_all(
        *(sa.select(one.c.stream_id, one.c.track_id, one.c.start_time) for one in sources)
    ).subquery("everybody")
    query = (
        sa.select(everybody.c.stream_id, everybody.c.track_id)
        .group_by(everybody.c.stream_id, everybody.c.track_id)
        .order_by(sa.func.min(everybody.c.start_time).desc(), everybody.c.stream_id, everybody.c.track_id)
        .limit(TRACKS_MAX + 1)
    )
    return [tuple(row) for row in connection.execute(query)]


def _among(query: _Rows, keys: Sequence[sa.ColumnElement[object]], shown: Sequence[Key] | None) -> _Rows:
    return query if shown is None else query.where(sa.tuple_(*keys).in_(shown))
