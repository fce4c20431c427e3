"""Erases everything about a stream or about one person: joins the slices that keep something of them.

Rows of streams, events, tracks, feedback and deliveries, messages of the log, lines of the events file, evidence and
pictures. Numbers of messages stay, so that clients see no gap; the audit log stays, since it says who asked for this.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import sqlalchemy as sa

from service import erasures
from service.database import Database, now
from service.erasures import WHOLE, Erasure
from service.errors import BlobsUnavailable, NotReady
from service.event_log import EventLog, Message
from service.events import store as events
from service.events.control import EventControl
from service.events.evidence import EvidenceFolder
from service.periodic import Periodic
from service.sinks.control import SinkControl

logger = logging.getLogger(__name__)

_PERIOD_S = 5.0
_PATIENCE_S = 5.0
_STEP_S = 0.1
_SINKS_AGE = dt.timedelta(hours=1)
"""How long a sink that is down may still learn that a stream is gone."""
_STREAM_ID_MAX = 64
_REMOVED = "stream.removed"


@dataclass(frozen=True, slots=True)
class Streams:
    """What an eraser needs of the streams' slice.

    remove: ends a stream; harmless when there is none.  is_placed: whether a worker may still report of it.
    """

    remove: Callable[[str], None]
    is_placed: Callable[[str], bool]


class Eraser:
    """What was asked for is kept in the database and tried again until it is done.

    leads: whether this server tries again, of those that share the database.
    """

    def __init__(
        self, database: Database, log: EventLog, streams: Streams, evidence: EvidenceFolder, sinks: SinkControl,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._streams = streams
        self._events = EventControl(database)
        self._evidence = evidence
        self._sinks = sinks
        self._sweeping = threading.Lock()
        self._leads = leads
        self._rounds = Periodic("eraser", self._sweep_if_leading, _PERIOD_S)

    def start(self) -> None:
        """Go on with what an earlier server did not finish."""
        self._rounds.start()

    def stop(self) -> None:
        """End; what is left is done after the next start. May be called twice."""
        self._rounds.stop()

    def erase_stream(self, stream_id: str, patience_s: float = _PATIENCE_S) -> bool:
        """Erase a stream, there or removed before; False when that goes on after this call."""
        if len(stream_id) > _STREAM_ID_MAX:
            return True
        self.request(stream_id)
        return self.finish(stream_id, WHOLE, patience_s)

    def erase_track(self, stream_id: str, track_id: int, patience_s: float = _PATIENCE_S) -> bool:
        """Erase a person who left; False when that goes on after this call. Raises NotFound, NotReady."""
        self.request(stream_id, track_id)
        return self.finish(stream_id, track_id, patience_s)

    def request(self, stream_id: str, track_id: int = WHOLE) -> None:
        """Keep that this is to go; whichever server has the home does it. Raises NotFound, NotReady for a person."""
        if track_id != WHOLE:
            self._require_left(stream_id, track_id)
        with self._log.transaction() as transaction:
            erasures.request(transaction.connection, stream_id, track_id)

    def finish(self, stream_id: str, track_id: int, patience_s: float) -> bool:
        """Do what was asked for, as long as patience lasts; False when it is not done."""
        deadline_s = time.monotonic() + patience_s
        while True:
            self.sweep()
            if not self.is_pending(stream_id, track_id):
                return True
            if time.monotonic() >= deadline_s:
                return False
            time.sleep(_STEP_S)

    def is_pending(self, stream_id: str, track_id: int) -> bool:
        """Whether it was asked for and is not done."""
        with self._database.read() as connection:
            return any((one.stream_id, one.track_id) == (stream_id, track_id) for one in erasures.pending(connection))

    def sweep(self) -> int:
        """Erase what can be erased now; returns how much is done with."""
        with self._sweeping:
            with self._database.read() as connection:
                wanted = erasures.pending(connection)
            done = [one for one in wanted if self._is_erased(one)]
            if done:
                # What a database no longer shows may still lie in its file.
                self._database.compact()
                logger.info("erased for good: %d streams or people", len(done))
            return len(done)

    def _sweep_if_leading(self) -> None:
        if self._leads():
            self.sweep()

    def _require_left(self, stream_id: str, track_id: int) -> None:
        track = self._events.require_track(stream_id, track_id)
        with self._database.read() as connection:
            is_open = events.has_open(connection, stream_id, track_id)
        if track.end_time is None or is_open:
            shown = f"{stream_id}:{track_id}"
            raise NotReady(f"{shown} is still followed, or a clip of it is being written", "track_active")

    def _is_erased(self, wanted: Erasure) -> bool:
        try:
            return self._erase_whole(wanted) if wanted.track_id == WHOLE else self._erase_person(wanted)
        except (OSError, BlobsUnavailable) as error:
            # A file that cannot be written anew now, as on a full disk, or a store that is away: tried again later.
            logger.warning("not erased yet: %s", error)
            return False

    def _erase_whole(self, wanted: Erasure) -> bool:
        self._streams.remove(wanted.stream_id)
        if self._streams.is_placed(wanted.stream_id):
            return False
        with self._database.read() as connection:
            event_ids = events.ids_of(connection, wanted.stream_id)
            has_told = self._has_told(connection, wanted)
        self._forget_files(event_ids, wanted.stream_id if has_told else None, lambda _: True)
        with self._log.transaction() as transaction:
            events.erase_stream(transaction.connection, wanted.stream_id)
            self._forget_messages(transaction.connection, wanted, lambda one: has_told or one.type != _REMOVED)
            if has_told:
                erasures.finish(transaction.connection, wanted)
        return has_told

    def _has_told(self, connection: sa.Connection, wanted: Erasure) -> bool:
        """Whether every sink knows that the stream is gone, or had time enough to hear it."""
        removal = self._log.newest(connection, wanted.stream_id, _REMOVED)
        place = self._sinks.lowest_cursor(connection)
        return removal is None or place is None or place >= removal or now() - wanted.requested_at > _SINKS_AGE

    def _erase_person(self, wanted: Erasure) -> bool:
        stream_id, track_id = wanted.stream_id, wanted.track_id
        with self._database.read() as connection:
            event_ids = frozenset(events.ids_of(connection, stream_id, track_id))
            others = events.ids_beside(connection, stream_id, track_id)
        is_meant = _is_about(track_id, event_ids)
        shown = [event_id for event_id in others if self._evidence.forget_person(event_id, track_id)]
        self._forget_files(event_ids, stream_id, is_meant)
        with self._log.transaction() as transaction:
            events.lose_clips(transaction.connection, shown)
            events.erase_track(transaction.connection, stream_id, track_id)
            self._forget_messages(transaction.connection, wanted, is_meant)
            erasures.finish(transaction.connection, wanted)
        return True

    def _forget_files(
        self, event_ids: Collection[str], stream_id: str | None, is_meant: Callable[[Message], bool]
    ) -> None:
        """First the files, then the rows that name them: after a crash in between it begins anew."""
        for event_id in event_ids:
            self._evidence.remove(event_id)
        if stream_id is not None:
            self._sinks.erase(lambda message: message.stream_id == stream_id and is_meant(message))

    def _forget_messages(self, connection: sa.Connection, wanted: Erasure, is_meant: Callable[[Message], bool]) -> None:
        seqs = self._log.erase(connection, wanted.stream_id, is_meant)
        self._sinks.forget_deliveries(connection, seqs)


def _is_about(track_id: int, event_ids: frozenset[str]) -> Callable[[Message], bool]:
    def is_about(message: Message) -> bool:
        return message.data.get("track_id") == track_id or message.data.get("event_id") in event_ids

    return is_about
