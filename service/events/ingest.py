"""Turns what workers report into events: stored in one transaction, and announced once that is committed."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from models.severity import Severity
from pipelines.event_json import MESSAGE, event_object
from pipelines.types import Event, EventState
from service.database import Database, now
from service.event_log import EventLog, Message, Transaction
from service.events import store
from service.events.rules import Occurrence, RuleBook
from service.events.store import EventRow
from service.events.zones import Zone, locate
from service.protocol.facts import ActionReport, ClipReport, TrackEnded, TrackStarted

_RANK: Mapping[EventState, int] = {"provisional": 0, "confirmed": 1, "ended": 2, "retracted": 2}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where events come from, and what the owner of the source wants to know about them.

    rules: None means that every event is announced with its action's own severity.
    severities: action → how urgent it is here, where the owner says otherwise than the action model.
    """

    stream_id: str | None = None
    job_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    zones: Sequence[Zone] = ()
    rules: RuleBook | None = None
    severities: Mapping[str, Severity] = field(default_factory=dict)


class EventIngest:
    """Takes facts in; what is known already is neither stored nor announced again.

    severity_of: how urgent an action is in itself.
    """

    def __init__(self, database: Database, log: EventLog, severity_of: Callable[[str], Severity]) -> None:
        self._database = database
        self._log = log
        self._severity_of = severity_of

    def take(self, origin: Origin, report: ActionReport) -> EventRow | None:
        """Store and announce a change of an event; None if it is known already or lies in an excluded zone.

        Even if reports are lost on the way, an event is announced as started exactly once, before any update or end.
        """
        with self._log.transaction() as transaction:
            known = store.get(transaction.connection, report.event.event_id)
            if known is not None and _is_old(known.event, report):
                return None
            row = self._judge(origin, report, known)
            if row is None:
                return None
            for name, shown in _announcements(report, row, known):
                row = replace(row, seq=transaction.announce(event_message(name, shown, report)).seq)
            store.put(transaction.connection, row)
            return row

    def take_track(self, stream_id: str, change: TrackStarted | TrackEnded) -> None:
        """Store and announce that a person was found or is gone, unless that is known already."""
        track_id, at = change.track_id, change.time
        data: dict[str, JsonValue] = {"track_id": track_id}
        with self._log.transaction() as transaction:
            known = store.get_track(transaction.connection, stream_id, track_id)
            if isinstance(change, TrackStarted):
                if known is not None:
                    return
                store.start_track(transaction.connection, stream_id, track_id, at)
            else:
                if known is not None and known["end_time"] is not None:
                    return
                store.end_track(transaction.connection, stream_id, track_id, at, change.reason)
                data["reason"] = change.reason
                if change.broken_by is not None:
                    data["break"] = change.broken_by
            transaction.announce(Message(change.name, data, stream_id=stream_id, time=at))

    def take_clip(self, report: ClipReport) -> bool:
        """Store and announce, once, that evidence is ready or never will be; False if there is no such event."""
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, report.event_id)
            if row is None:
                return False
            if row.clip_state not in ("ready", "failed"):
                clip: dict[str, JsonValue] = {
                    "asked_s": None if report.asked_s is None else list(report.asked_s),
                    "covered_s": None if report.covered_s is None else list(report.covered_s),
                    "reason": report.reason,
                }
                _settle_clip(transaction, row, report.state, clip)
        return True

    def close_stream(self, stream_id: str) -> int:
        """End what a worker left open when it died or was stopped; returns the number of events.

        Evidence that it promised and has not delivered is marked as failed.
        """
        with self._log.transaction() as transaction:
            return self.close_within(transaction, stream_id)

    def close_within(self, transaction: Transaction, stream_id: str) -> int:
        """The same, together with what else the transaction does."""
        left = store.iter_open(transaction.connection, stream_id)
        for row in left:
            self._close(transaction, row)
        for row in store.iter_promised(transaction.connection, stream_id):
            _settle_clip(transaction, row, "failed", {"reason": "worker_lost"})
        for track_id in store.end_tracks(transaction.connection, stream_id, now(), "lost"):
            data: dict[str, JsonValue] = {"track_id": track_id, "reason": "lost"}
            transaction.announce(Message("track.ended", data, stream_id=stream_id))
        return len(left)

    def close_all(self, transaction: Transaction, spared: Collection[str] = ()) -> int:
        """End what an earlier server left open, also in removed streams; returns the number of events.

        spared: streams that other servers have now.
        """
        streams = [one for one in store.streams_left_open(transaction.connection) if one not in spared]
        return sum(self.close_within(transaction, stream_id) for stream_id in streams)

    def _judge(self, origin: Origin, report: ActionReport, known: EventRow | None) -> EventRow | None:
        event, zones = report.event, tuple(known.zones) if known else ()
        if event.box is not None:
            place = locate(origin.zones, event.box, report.frame_size)
            # Once announced, an event is followed to its end: somebody waits for it.
            if place.is_excluded and known is None:
                return None
            zones = tuple(dict.fromkeys((*zones, *place.zones)))
        if known is None and event.state == "retracted":
            return None
        first = known or _new_row(origin, report)
        severity, rules = self._weigh(origin, event, zones, known)
        is_promised = first.clip_state == "none" and report.has_evidence and event.state in ("confirmed", "ended")
        return replace(
            first, event=_merged(first.event, event), severity=severity, zones=zones, rules=rules,
            end_time=report.end_time if event.state == "ended" else max(first.end_time, report.end_time),
            clip_state="pending" if is_promised else first.clip_state,
        )  # fmt: skip

    def _weigh(
        self, origin: Origin, event: Event, zones: tuple[str, ...], known: EventRow | None
    ) -> tuple[Severity, tuple[str, ...]]:
        """How urgent an event is, and the rules that it has met so far."""
        own = origin.severities.get(event.action) or self._severity_of(event.action)
        severity = known.severity if known else own
        told = tuple(known.rules) if known else ()
        if origin.rules is None or origin.stream_id is None or event.state in ("provisional", "retracted"):
            return severity, told
        met = origin.rules.judge(Occurrence(event, origin.stream_id, zones))
        for rule in met:
            severity = rule.severity or severity
        return severity, tuple(dict.fromkeys((*told, *(rule.name for rule in met))))

    def _close(self, transaction: Transaction, row: EventRow) -> None:
        state: EventState = "ended" if row.event.state == "confirmed" else "retracted"
        closed = replace(row, event=replace(row.event, state=state))
        told = transaction.announce(event_message(f"action.{state}", closed, None))
        store.put(transaction.connection, replace(closed, seq=told.seq))


def _announcements(report: ActionReport, row: EventRow, known: EventRow | None) -> list[tuple[str, EventRow]]:
    """What to announce, in order: a start that was lost, or hidden by an excluded zone, comes first."""
    has_started = known is not None and known.event.state == "confirmed"
    if report.name == "action.updated" and not has_started:
        return [("action.started", row)]
    if report.name == "action.ended" and not has_started:
        started = replace(row, event=replace(row.event, state="confirmed"))
        return [("action.started", started), (report.name, row)]
    return [(report.name, row)]


def _settle_clip(
    transaction: Transaction, row: EventRow, state: store.ClipState, clip: Mapping[str, JsonValue]
) -> None:
    data: dict[str, JsonValue] = {"event_id": row.event.event_id, "clip_state": state, **clip}
    message = Message(f"clip.{state}", data, stream_id=row.stream_id, job_id=row.job_id, tags=row.tags)
    told = transaction.announce(message)
    store.put(transaction.connection, replace(row, clip_state=state, clip=clip, seq=told.seq))


def _is_old(known: Event, report: ActionReport) -> bool:
    """Whether a report says nothing new: workers resend what was not acknowledged in time."""
    if _RANK[known.state] > _RANK[report.event.state]:
        return True
    if report.name == "action.updated":
        return report.event.end_s <= known.end_s
    return known.state == report.event.state


def _merged(known: Event, event: Event) -> Event:
    """The newest report of an event with what must be kept of earlier ones, such as the highest score."""
    # An end is dated back to the last evidence; until then the event has lasted to the newest picture.
    end_s = event.end_s if event.state == "ended" else max(known.end_s, event.end_s)
    return replace(
        event, start_s=known.start_s, end_s=end_s, score=max(known.score, event.score), box=event.box or known.box
    )


def _new_row(origin: Origin, report: ActionReport) -> EventRow:
    return EventRow(
        report.event, "info", report.start_time, report.end_time, stream_id=origin.stream_id, job_id=origin.job_id,
        model=report.model, networks=report.networks, tags=origin.tags,
    )  # fmt: skip


def event_message(name: str, row: EventRow, report: ActionReport | None) -> Message:
    """What is said of an event as it stands; the report is that of its worker, where one brought the change."""
    latency_ms = {} if report is None else report.latency_ms
    data: dict[str, JsonValue] = {
        **event_object(row.event, MESSAGE), "severity": row.severity, "start_time": _rfc3339(row.start_time),
        "end_time": _rfc3339(row.end_time), "duration_s": round(row.duration_s, 3), "zones": list(row.zones),
        "rules": list(row.rules), "clip_state": row.clip_state, "model": row.model,
        "networks": {place: dict(one) for place, one in row.networks.items()},
        "latency_ms": {stage: round(ms, 1) for stage, ms in latency_ms.items()},
    }  # fmt: skip
    return Message(
        name, data, stream_id=row.stream_id, job_id=row.job_id, tags=row.tags, media_time_s=row.event.end_s,
        frame_index=None if report is None else report.frame_index,
    )  # fmt: skip


def _rfc3339(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
