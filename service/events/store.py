"""The rows of events, tracks and feedback."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import NoneType, UnionType
from typing import Literal, get_args, get_origin, get_type_hints

import sqlalchemy as sa
from pydantic import JsonValue

from models.severity import Severity
from pipelines.event_json import STORED, event_object, parse_event
from pipelines.types import Event, EventState
from service.database import UtcTime, metadata, now
from service.events import marks

ClipState = Literal["none", "pending", "ready", "failed"]
OPEN: tuple[EventState, ...] = ("provisional", "confirmed")
GONE = "erased"
RULE_MODEL = "rule over time"
"""What stands as the model of an event that a rule over time has found: no worker opens or closes it."""
_CLIP_REACH = dt.timedelta(minutes=2)
"""How far from its event a clip may reach."""


def _event_columns() -> Iterator["sa.Column[object]"]:
    """A column for each field of `Event`: a field added there needs a migration, and no change here."""
    usual = {int: sa.BigInteger, float: sa.Float}
    special = {
        "event_id": sa.Column("event_id", sa.String(128), primary_key=True),
        "state": sa.Column("state", sa.String(16), nullable=False),
    }
    for name, kind in get_type_hints(Event).items():
        (main, *others) = get_args(kind) if get_origin(kind) is UnionType else (kind,)
        is_text = main is str or get_origin(main) is Literal
        column = sa.String(64) if is_text else usual.get(main, sa.JSON)()
        yield special.get(name, sa.Column(name, column, nullable=NoneType in others))


events = sa.Table(
    "events",
    metadata,
    *_event_columns(),
    sa.Column("stream_id", sa.String(64)),
    sa.Column("job_id", sa.String(64), index=True),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("start_time", UtcTime, nullable=False),
    sa.Column("end_time", UtcTime, nullable=False),
    sa.Column("zones", sa.JSON, nullable=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("model", sa.String(128), nullable=False),
    sa.Column("networks", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("clip_state", sa.String(16), nullable=False),
    sa.Column("clip", sa.JSON, nullable=False),
    sa.Column("acknowledged_at", UtcTime),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    # All that sums over days and hours ask for: they read the index alone.
    sa.Index("ix_events_insights", "stream_id", "start_time", "end_time", "state", "action", "severity", "track_id"),
    # The same in the order in which they are summed up.
    sa.Index(
        "ix_events_sums", "stream_id", "action", "start_time", "end_time", "state", "severity", "track_id"
    ),
    # All by which events are searched, in the order of the list: what does not fit is passed over in the index.
    sa.Index(
        "ix_events_search", "start_time", "event_id", "end_time", "stream_id", "state", "action", "severity", "score",
    ),
    sa.Index("ix_events_action", "action", "start_time", "event_id"),
)  # fmt: skip
tracks = sa.Table(
    "tracks",
    metadata,
    sa.Column("stream_id", sa.String(64), primary_key=True),
    sa.Column("track_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("start_time", UtcTime, nullable=False, index=True),
    sa.Column("end_time", UtcTime),
    sa.Column("reason", sa.String(16)),
    sa.Index("ix_tracks_insights", "stream_id", "start_time", "end_time", "track_id", "reason"),
)
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("feedback_id", sa.String(64), primary_key=True),
    sa.Column("event_id", sa.String(128), nullable=False, index=True),
    sa.Column("verdict", sa.String(16), nullable=False),
    sa.Column("action", sa.String(64)),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event as it is stored: the event, and what the service knows of it.

    start_time, end_time: UTC.
    networks: detector, pose and action → name and sha256; empty for events of an earlier version.
    clip: what the evidence really covers, once it is ready.
    seq: the number of its newest message in the log.
    """

    event: Event
    severity: Severity
    start_time: dt.datetime
    end_time: dt.datetime
    stream_id: str | None = None
    job_id: str | None = None
    zones: Sequence[str] = ()
    rules: Sequence[str] = ()
    model: str = ""
    networks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    clip_state: ClipState = "none"
    clip: Mapping[str, JsonValue] = field(default_factory=dict)
    acknowledged_at: dt.datetime | None = None
    comment: str = ""
    seq: int = 0

    @property
    def duration_s(self) -> float:
        """Media seconds from onset to offset, or to the latest time seen so far."""
        return max(0.0, self.event.end_s - self.event.start_s)


_OWN_COLUMNS = tuple(one.name for one in fields(EventRow) if one.name != "event")


def put(connection: sa.Connection, row: EventRow) -> None:
    """Store an event, new or changed."""
    values: dict[str, object] = {name: getattr(row, name) for name in _OWN_COLUMNS}
    values |= {"zones": list(row.zones), "rules": list(row.rules), "tags": dict(row.tags), "clip": dict(row.clip)}
    values["networks"] = {place: dict(one) for place, one in row.networks.items()}
    values |= event_object(row.event, STORED)
    chosen = events.c.event_id == row.event.event_id
    if connection.execute(sa.update(events).where(chosen).values(values)).rowcount == 0:
        connection.execute(sa.insert(events).values(values))
    marks.put(connection, row.event.event_id, row.start_time, row.zones, row.tags)


def get(connection: sa.Connection, event_id: str) -> EventRow | None:
    """An event, or None."""
    row = connection.execute(sa.select(events).where(events.c.event_id == event_id)).mappings().one_or_none()
    return None if row is None else parse_row(row)


def parse_row(row: sa.RowMapping) -> EventRow:
    """An event of its row."""
    return EventRow(parse_event(dict(row)), **{name: row[name] for name in _OWN_COLUMNS})


def iter_open(connection: sa.Connection, stream_id: str) -> list[EventRow]:
    """The events of a stream that its worker began and did not end."""
    query = sa.select(events).where(events.c.stream_id == stream_id, *_left_by_a_worker())
    return [parse_row(row) for row in connection.execute(query).mappings()]


def iter_promised(connection: sa.Connection, stream_id: str) -> list[EventRow]:
    """The events of a stream whose evidence is promised and not there yet."""
    query = sa.select(events).where(events.c.stream_id == stream_id, events.c.clip_state == "pending")
    return [parse_row(row) for row in connection.execute(query).mappings()]


def streams_left_open(connection: sa.Connection) -> list[str]:
    """Every stream, existing or removed, that has events, tracks or evidence left open."""
    is_left = sa.or_(sa.and_(*_left_by_a_worker()), events.c.clip_state == "pending")
    of_events = sa.select(events.c.stream_id).where(is_left, events.c.stream_id.is_not(None))
    of_tracks = sa.select(tracks.c.stream_id).where(tracks.c.end_time.is_(None))
    return sorted(connection.execute(sa.union(of_events, of_tracks)).scalars())


def _left_by_a_worker() -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return events.c.state.in_(OPEN), events.c.model != RULE_MODEL


def ids_of(connection: sa.Connection, stream_id: str, track_id: int | None = None) -> list[str]:
    """Ids of the events of a stream, or of one of its people."""
    query = sa.select(events.c.event_id).where(events.c.stream_id == stream_id)
    return list(connection.execute(query if track_id is None else query.where(events.c.track_id == track_id)).scalars())


def known(connection: sa.Connection, event_ids: Sequence[str]) -> set[str]:
    """Which of these events there are."""
    found: set[str] = set()
    for start in range(0, len(event_ids), 500):
        query = sa.select(events.c.event_id).where(events.c.event_id.in_(event_ids[start : start + 500]))
        found |= set(connection.execute(query).scalars())
    return found


def has_open(connection: sa.Connection, stream_id: str, track_id: int) -> bool:
    """Whether a person's events or clips are still being written."""
    is_open = sa.or_(events.c.state.in_(OPEN), events.c.clip_state == "pending")
    chosen = sa.and_(events.c.stream_id == stream_id, events.c.track_id == track_id, is_open)
    return connection.execute(sa.select(events.c.event_id).where(chosen)).first() is not None


def ids_beside(connection: sa.Connection, stream_id: str, track_id: int) -> list[str]:
    """Ids of other people's events whose evidence may show a person: those of about the same time."""
    track = get_track(connection, stream_id, track_id)
    if track is None or track["end_time"] is None:
        return []
    chosen = sa.and_(
        events.c.stream_id == stream_id, events.c.track_id != track_id,
        events.c.start_time <= track["end_time"] + _CLIP_REACH, events.c.end_time >= track["start_time"] - _CLIP_REACH,
    )  # fmt: skip
    return list(connection.execute(sa.select(events.c.event_id).where(chosen)).scalars())


def lose_clips(connection: sa.Connection, event_ids: Sequence[str]) -> None:
    """Note that the clips of some events are gone, because somebody in them was erased."""
    for event_id in event_ids:
        values = {"clip_state": "failed", "clip": {"reason": GONE}}
        connection.execute(sa.update(events).where(events.c.event_id == event_id).values(values))


def erase_stream(connection: sa.Connection, stream_id: str) -> None:
    """Remove every event, track and feedback of a stream."""
    _erase_events(connection, ids_of(connection, stream_id))
    connection.execute(sa.delete(tracks).where(tracks.c.stream_id == stream_id))


def erase_track(connection: sa.Connection, stream_id: str, track_id: int) -> None:
    """Remove a person's events, feedback and track; of the newest track the number stays: nobody may get it again."""
    _erase_events(connection, ids_of(connection, stream_id, track_id))
    chosen = sa.and_(tracks.c.stream_id == stream_id, tracks.c.track_id == track_id)
    if track_id == last_track_id(connection, stream_id):
        connection.execute(sa.update(tracks).where(chosen).values(start_time=now(), end_time=now(), reason=GONE))
    else:
        connection.execute(sa.delete(tracks).where(chosen))


def _erase_events(connection: sa.Connection, event_ids: Sequence[str]) -> None:
    for start in range(0, len(event_ids), 500):
        ids = event_ids[start : start + 500]
        connection.execute(sa.delete(feedback).where(feedback.c.event_id.in_(ids)))
        marks.remove(connection, ids)
        connection.execute(sa.delete(events).where(events.c.event_id.in_(ids)))


def start_track(connection: sa.Connection, stream_id: str, track_id: int, at: dt.datetime) -> None:
    """A person was found; does nothing if that is known."""
    if get_track(connection, stream_id, track_id) is None:
        connection.execute(sa.insert(tracks).values(stream_id=stream_id, track_id=track_id, start_time=at))


def end_track(connection: sa.Connection, stream_id: str, track_id: int, at: dt.datetime, reason: str) -> None:
    """A person is gone."""
    start_track(connection, stream_id, track_id, at)
    chosen = sa.and_(tracks.c.stream_id == stream_id, tracks.c.track_id == track_id, tracks.c.end_time.is_(None))
    connection.execute(sa.update(tracks).where(chosen).values(end_time=at, reason=reason))


def end_tracks(connection: sa.Connection, stream_id: str, at: dt.datetime, reason: str) -> list[int]:
    """Close the tracks that a lost worker left open, and return their numbers."""
    chosen = sa.and_(tracks.c.stream_id == stream_id, tracks.c.end_time.is_(None))
    found = list(connection.execute(sa.select(tracks.c.track_id).where(chosen)).scalars())
    connection.execute(sa.update(tracks).where(chosen).values(end_time=at, reason=reason))
    return found


def get_track(connection: sa.Connection, stream_id: str, track_id: int) -> sa.RowMapping | None:
    """A track's row, or None."""
    query = sa.select(tracks).where(tracks.c.stream_id == stream_id, tracks.c.track_id == track_id)
    return connection.execute(query).mappings().one_or_none()


def last_track_id(connection: sa.Connection, stream_id: str) -> int:
    """The highest track number of a stream; 0 if there is none."""
    query = sa.select(sa.func.max(tracks.c.track_id)).where(tracks.c.stream_id == stream_id)
    return int(connection.execute(query).scalar() or 0)


def add_feedback(
    connection: sa.Connection, feedback_id: str, event_id: str, verdict: str, action: str | None, comment: str
) -> None:
    """Store a user's opinion of an event."""
    connection.execute(
        sa.insert(feedback).values(
            feedback_id=feedback_id,
            event_id=event_id,
            verdict=verdict,
            action=action,
            comment=comment,
            created_at=now(),
        )
    )


def iter_feedback(connection: sa.Connection, event_id: str) -> list[sa.RowMapping]:
    """Users' opinions of an event, the oldest first."""
    query = sa.select(feedback).where(feedback.c.event_id == event_id).order_by(feedback.c.created_at)
    return list(connection.execute(query).mappings())


def expired(connection: sa.Connection, older_than: dt.datetime, keep_rows: int) -> list[str]:
    """Ids of ended events that are too old or too many."""
    ended = sa.not_(events.c.state.in_(OPEN))
    newest = sa.select(events.c.event_id).order_by(events.c.start_time.desc()).limit(keep_rows)
    chosen = sa.and_(ended, sa.or_(events.c.start_time < older_than, events.c.event_id.not_in(newest)))
    return list(connection.execute(sa.select(events.c.event_id).where(chosen)).scalars())


def forget(connection: sa.Connection, older_than: dt.datetime, keep_rows: int) -> list[str]:
    """Remove ended events that are too old or too many, with their feedback; returns their ids."""
    gone = expired(connection, older_than, keep_rows)
    _erase_events(connection, gone)
    _forget_tracks(connection, older_than, keep_rows)
    return gone


def _forget_tracks(connection: sa.Connection, older_than: dt.datetime, keep_rows: int) -> None:
    """The newest track of each stream stays: its number is where the next worker goes on."""
    newest = sa.select(sa.func.max(tracks.c.track_id)).group_by(tracks.c.stream_id)
    edge = connection.execute(
        sa.select(tracks.c.start_time).order_by(tracks.c.start_time.desc()).offset(keep_rows).limit(1)
    ).scalar()
    oldest = older_than if edge is None else max(older_than, edge)
    connection.execute(sa.delete(tracks).where(tracks.c.end_time < oldest, tracks.c.track_id.not_in(newest)))
