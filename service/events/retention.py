"""Which events are forgotten: ended ones that are too old or too many, and their evidence."""

import datetime as dt
from dataclasses import dataclass

from service.database import now
from service.errors import StorageFull
from service.events.control import EventControl
from service.events.evidence import EvidenceFolder

_ORPHAN_S = 600.0
"""A worker writes evidence a little before its event is stored."""


@dataclass(frozen=True, slots=True)
class EventRetention:
    """Removes events with their evidence; evidence has a limit of its own, in bytes.

    age, num_events: what is kept at most of ended events; beyond it the oldest go first.
    """

    events: EventControl
    evidence: EvidenceFolder
    age: dt.timedelta
    num_events: int

    def sweep(self) -> int:
        """Remove what is beyond the limits; returns how many events went."""
        gone = self._forget(now() - self.age)
        for event_id in gone:
            self.evidence.remove(event_id)
        self.evidence.sweep(self.events.known, _ORPHAN_S)
        return len(gone)

    def _forget(self, older_than: dt.datetime) -> list[str]:
        try:
            return self.events.forget(older_than, self.num_events)
        except StorageFull:
            # Files go without any room, and make the room that the database needs.
            for event_id in self.events.expired(older_than, self.num_events):
                self.evidence.remove(event_id)
            return self.events.forget(older_than, self.num_events)
