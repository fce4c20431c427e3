"""A database with a few events and tracks whose sums are counted by hand."""

import datetime as dt

from models.severity import Severity
from pipelines.event_json import parse_event
from pipelines.types import EventState
from service.database import Database
from service.events import store
from service.events.store import EventRow


def utc(text: str) -> dt.datetime:
    """A time in UTC, written without its zone."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


class Household:
    """Stores events and tracks in fresh tables."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._number = 0

    def event(
        self, action: str, start: str, seconds: float, stream_id: str = "hall", track_id: int = 1,
        state: EventState = "ended", zones: tuple[str, ...] = (),
        box: tuple[float, float, float, float] | None = (0.1, 0.2, 0.2, 0.8),
    ) -> None:  # fmt: skip
        """Somebody does something from a time in UTC on."""
        self._number += 1
        known = {
            "event_id": f"e{self._number}", "track_id": track_id, "action": action, "state": state, "start_s": 0.0,
            "end_s": seconds, "score": 0.9, "box": box,
        }  # fmt: skip
        severity: Severity = "alarm" if action in ("fall", "punch") else "info"
        began = utc(start)
        row = EventRow(
            parse_event(known), severity, began, began + dt.timedelta(seconds=seconds), stream_id=stream_id, zones=zones
        )
        with self.database.write() as connection:
            store.put(connection, row)

    def track(self, number: int, start: str, end: str | None, stream_id: str = "hall", reason: str = "left") -> None:
        """Somebody is in the picture, until a time or still."""
        with self.database.write() as connection:
            store.start_track(connection, stream_id, number, utc(start))
            if end is not None:
                store.end_track(connection, stream_id, number, utc(end), reason)
