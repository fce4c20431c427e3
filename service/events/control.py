"""What users do with events: list them, look at them, acknowledge them, and judge them."""

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from service.database import Database, now
from service.errors import NotFound
from service.events import search, store
from service.events.schemas import EventPatch, FeedbackCreate, TimelineSegment, TrackRead, TrackTimeline
from service.events.search import Filter
from service.events.store import EventRow

_SEGMENTS_MAX = 10_000


class EventControl:
    """Events and tracks as the routes see them; `EventIngest` is where they come from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Where they are."""
        return self._database

    def page(self, wanted: Filter, before: tuple[dt.datetime, str] | None, limit: int) -> list[EventRow]:
        """At most `limit` events, by start time, the newest first."""
        with self._database.read() as connection:
            return search.page(connection, wanted, before, limit)

    def require(self, event_id: str) -> EventRow:
        """An event; raises NotFound."""
        with self._database.read() as connection:
            row = store.get(connection, event_id)
        if row is None:
            raise NotFound(f"no event {event_id}")
        return row

    def is_settled(self, event_id: str) -> bool:
        """Whether an event needs nobody any more: acknowledged, taken back, or gone."""
        with self._database.read() as connection:
            row = store.get(connection, event_id)
        return row is None or row.acknowledged_at is not None or row.event.state == "retracted"

    def change(self, event_id: str, patch: EventPatch) -> EventRow:
        """Acknowledge or comment; raises NotFound."""
        with self._database.write() as connection:
            row = store.get(connection, event_id)
            if row is None:
                raise NotFound(f"no event {event_id}")
            if patch.acknowledged is not None:
                row = replace(row, acknowledged_at=(row.acknowledged_at or now()) if patch.acknowledged else None)
            if patch.comment is not None:
                row = replace(row, comment=patch.comment)
            store.put(connection, row)
        return row

    def add_feedback(self, event_id: str, opinion: FeedbackCreate) -> str:
        """Store a user's opinion and return its id; raises NotFound."""
        self.require(event_id)
        feedback_id = f"fb_{secrets.token_hex(8)}"
        with self._database.write() as connection:
            store.add_feedback(
                connection, feedback_id, event_id, opinion.verdict, opinion.action, opinion.comment
            )  # fmt: skip
        return feedback_id

    def feedback(self, event_id: str) -> list[sa.RowMapping]:
        """Users' opinions of an event, the oldest first; raises NotFound."""
        self.require(event_id)
        with self._database.read() as connection:
            return store.iter_feedback(connection, event_id)

    def require_track(self, stream_id: str, number: int) -> TrackRead:
        """A person of a stream; raises NotFound."""
        with self._database.read() as connection:
            row = store.get_track(connection, stream_id, number)
        if row is None or row["reason"] == store.GONE:
            raise NotFound(f"no track {stream_id}:{number}")
        return TrackRead(
            track_id=f"{stream_id}:{number}", stream_id=stream_id, number=number, start_time=row["start_time"],
            end_time=row["end_time"], reason=row["reason"],
        )  # fmt: skip

    def timeline(self, stream_id: str, number: int) -> TrackTimeline:
        """How long each action of a person lasted; raises NotFound."""
        track = self.require_track(stream_id, number)
        rows = self.page(Filter(stream_id=stream_id, track_id=number), None, _SEGMENTS_MAX)
        kept = sorted(
            (row for row in rows if row.event.state in ("confirmed", "ended")), key=lambda row: row.event.start_s
        )
        totals: dict[str, float] = {}
        for row in kept:
            totals[row.event.action] = totals.get(row.event.action, 0.0) + row.duration_s
        return TrackTimeline(track=track, segments=[_segment(row) for row in kept], totals_s=totals)

    def last_track_id(self, stream_id: str) -> int:
        """The highest track number of a stream; 0 when it has had none."""
        with self._database.read() as connection:
            return store.last_track_id(connection, stream_id)

    def expired(self, older_than: dt.datetime, keep_rows: int) -> list[str]:
        """Ids of the events that `forget` would remove."""
        with self._database.read() as connection:
            return store.expired(connection, older_than, keep_rows)

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Which of these events there are."""
        with self._database.read() as connection:
            return store.known(connection, event_ids)

    def forget(self, older_than: dt.datetime, keep_rows: int) -> list[str]:
        """Remove old events and return their ids."""
        with self._database.write() as connection:
            return store.forget(connection, older_than, keep_rows)


def _segment(row: EventRow) -> TimelineSegment:
    return TimelineSegment(
        event_id=row.event.event_id, action=row.event.action, state=row.event.state, start_time=row.start_time,
        end_time=row.end_time, duration_s=row.duration_s, score=row.event.score,
    )  # fmt: skip
