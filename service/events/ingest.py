"""Turns what workers report into stored and announced events: both in one transaction, stored first, then told."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from pydantic import JsonValue, TypeAdapter

from service.database import Database, now
from service.event_log import EventLog, Message, Transaction
from service.events import store
from service.events.rules import Occurrence, RuleBook, Severity
from service.events.store import EventRow
from service.events.zones import Box, Zone, locate

ActionFact = Literal["action.provisional", "action.started", "action.updated", "action.ended", "action.retracted"]
_STATES: Mapping[str, store.EventState] = {
    "action.provisional": "provisional",
    "action.started": "confirmed",
    "action.updated": "confirmed",
    "action.ended": "ended",
    "action.retracted": "retracted",
}
_SEVERITIES: tuple[str, ...] = get_args(Severity)
_RANK = {"provisional": 0, "confirmed": 1, "ended": 2, "retracted": 2}


@dataclass(frozen=True, slots=True)
class ActionReport:
    """What a worker says of an action.

    start_s, end_s: media seconds.  start_time, end_time: UTC.
    box: normalised 0..1.  frame_size: width, height in pixels.
    latency_ms: stage → milliseconds from the frame's arrival on.
    """

    event_id: str
    track_id: int
    action: str
    score: float
    start_s: float
    end_s: float
    start_time: dt.datetime
    end_time: dt.datetime
    frame_size: tuple[int, int]
    box: Box | None = None
    model: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)
    frame_index: int | None = None


_ACTION_REPORT: TypeAdapter[ActionReport] = TypeAdapter(ActionReport)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where events come from, and what its owner wants of them.

    rules: None means that every event is told at its action's own severity.
    clips_from: severity of an action, by itself, from which its worker keeps evidence; None keeps none.
    """

    stream_id: str | None = None
    job_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    zones: Sequence[Zone] = ()
    rules: RuleBook | None = None
    clips_from: Severity | None = None


class EventIngest:
    """Where facts come in; what is known already is neither stored nor told again.

    severity_of: action → info, warning or alarm.
    """

    def __init__(self, database: Database, log: EventLog, severity_of: Callable[[str], str]) -> None:
        self._database = database
        self._log = log
        self._severity_of = severity_of

    def take(self, origin: Origin, name: ActionFact, data: Mapping[str, JsonValue]) -> EventRow | None:
        """Store and announce what a worker reports; None when it is known already, or nobody shall know of it.

        Whatever is lost on the way, an event is announced as started before it is updated or ended, and as started
        once. Raises pydantic.ValidationError when the report is not a ActionReport.
        """
        seen = _ACTION_REPORT.validate_python(dict(data))
        with self._log.transaction() as transaction:
            known = store.get(transaction.connection, seen.event_id)
            if known is not None and _is_old(known, name, seen):
                return None
            row = self._judge(origin, name, seen, known)
            if row is None:
                return None
            for kind, shown in _announcements(name, row, known):
                row = replace(row, seq=transaction.announce(_message(kind, shown, seen)).seq)
            store.put(transaction.connection, row)
            return row

    def take_track(self, stream_id: str, name: str, track_id: int, at: dt.datetime, reason: str | None) -> None:
        """Store and announce that a person was found or is gone; known news are not told again."""
        with self._log.transaction() as transaction:
            known = store.get_track(transaction.connection, stream_id, track_id)
            if name == "track.started":
                if known is not None:
                    return
                store.start_track(transaction.connection, stream_id, track_id, at)
            else:
                if known is not None and known["end_time"] is not None:
                    return
                store.end_track(transaction.connection, stream_id, track_id, at, reason or "lost")
            data: dict[str, JsonValue] = {"track_id": track_id} | ({"reason": reason} if reason else {})
            transaction.announce(Message(name, data, stream_id=stream_id, time=at))

    def close_stream(self, stream_id: str) -> int:
        """End what a worker left open when it died or was stopped; returns how many events that were.

        Evidence that it had promised and not delivered will not come.
        """
        with self._log.transaction() as transaction:
            left = store.iter_open(transaction.connection, stream_id)
            for row in left:
                self._close(transaction, row)
            for row in store.iter_promised(transaction.connection, stream_id):
                _settle_clip(transaction, row, "failed", {"reason": "worker_lost"})
            for track_id in store.end_tracks(transaction.connection, stream_id, now(), "lost"):
                data: dict[str, JsonValue] = {"track_id": track_id, "reason": "lost"}
                transaction.announce(Message("track.ended", data, stream_id=stream_id))
        return len(left)

    def close_all(self) -> int:
        """End what an earlier server left open, in every stream that ever was; returns how many events that were."""
        with self._database.read() as connection:
            streams = store.streams_left_open(connection)
        return sum(self.close_stream(stream_id) for stream_id in streams)

    def set_clip(self, event_id: str, state: store.ClipState, clip: Mapping[str, JsonValue]) -> bool:
        """The evidence of an event is ready, or never will be; announced once. False when there is no such event."""
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, event_id)
            if row is None:
                return False
            if row.clip_state not in ("ready", "failed"):
                _settle_clip(transaction, row, state, clip)
        return True

    def _judge(self, origin: Origin, name: ActionFact, seen: ActionReport, known: EventRow | None) -> EventRow | None:
        place_zones: tuple[str, ...] = tuple(known.zones) if known else ()
        if seen.box is not None:
            place = locate(origin.zones, seen.box, seen.frame_size)
            # An event that was told keeps being told: somebody waits for its end.
            if place.is_excluded and known is None:
                return None
            place_zones = tuple(dict.fromkeys((*place_zones, *place.zones)))
        if known is None and name == "action.retracted":
            return None
        severity, rules = self._weigh(origin, name, seen, place_zones, known)
        wants_clip = self._has_clip(origin, seen.action) and _STATES[name] in ("confirmed", "ended")
        clip_state = known.clip_state if known and known.clip_state != "none" else ("pending" if wants_clip else "none")
        first = known or _new_row(origin, seen)
        # An end is dated back to the last evidence; until then the event has lasted to the newest picture.
        is_end = _STATES[name] == "ended"
        return replace(
            first, state=_STATES[name], severity=severity, zones=place_zones, rules=rules,
            score=max(first.score, seen.score),
            end_time=seen.end_time if is_end else max(first.end_time, seen.end_time),
            end_s=seen.end_s if is_end else max(first.end_s, seen.end_s),
            box=seen.box or first.box, clip_state=clip_state,
        )  # fmt: skip

    def _weigh(
        self, origin: Origin, name: ActionFact, seen: ActionReport, zones: tuple[str, ...], known: EventRow | None
    ) -> tuple[str, tuple[str, ...]]:
        severity = known.severity if known else self._severity_of(seen.action)
        told = tuple(known.rules) if known else ()
        if origin.rules is None or origin.stream_id is None or name in ("action.provisional", "action.retracted"):
            return severity, told
        occurrence = Occurrence(
            seen.event_id, origin.stream_id, seen.track_id, seen.action, seen.start_s, seen.end_s, seen.score, zones
        )
        met = origin.rules.judge(occurrence)
        for rule in met:
            severity = rule.severity or severity
        return severity, tuple(dict.fromkeys((*told, *(rule.name for rule in met))))

    def _has_clip(self, origin: Origin, action: str) -> bool:
        if origin.clips_from is None:
            return False
        return _SEVERITIES.index(self._severity_of(action)) >= _SEVERITIES.index(origin.clips_from)

    def _close(self, transaction: Transaction, row: EventRow) -> None:
        state: store.EventState = "ended" if row.state == "confirmed" else "retracted"
        name = "action.ended" if state == "ended" else "action.retracted"
        closed = replace(row, state=state)
        told = transaction.announce(_message(name, closed, None))
        store.put(transaction.connection, replace(closed, seq=told.seq))


def _announcements(name: ActionFact, row: EventRow, known: EventRow | None) -> list[tuple[str, EventRow]]:
    """What to tell, in order: a start that was lost or hidden by an excluded zone is told before what follows it."""
    has_started = known is not None and known.state == "confirmed"
    if name == "action.updated" and not has_started:
        return [("action.started", row)]
    if name == "action.ended" and not has_started:
        return [("action.started", replace(row, state="confirmed")), (name, row)]
    return [(name, row)]


def _settle_clip(
    transaction: Transaction, row: EventRow, state: store.ClipState, clip: Mapping[str, JsonValue]
) -> None:
    data: dict[str, JsonValue] = {"event_id": row.event_id, "clip_state": state, **clip}
    kind = "clip.ready" if state == "ready" else "clip.failed"
    told = transaction.announce(Message(kind, data, stream_id=row.stream_id, job_id=row.job_id, tags=row.tags))
    store.put(transaction.connection, replace(row, clip_state=state, clip=clip, seq=told.seq))


def _is_old(known: EventRow, name: ActionFact, seen: ActionReport) -> bool:
    """Whether a report says nothing new: workers send again what was not acknowledged in time."""
    if _RANK[known.state] > _RANK[_STATES[name]]:
        return True
    if name == "action.updated":
        return seen.end_s <= known.end_s
    return known.state == _STATES[name]


def _new_row(origin: Origin, seen: ActionReport) -> EventRow:
    return EventRow(
        seen.event_id, seen.track_id, seen.action, "provisional", "info", seen.start_time, seen.end_time, seen.start_s,
        seen.end_s, seen.score, stream_id=origin.stream_id, job_id=origin.job_id, model=seen.model, tags=origin.tags,
    )  # fmt: skip


def _message(name: str, row: EventRow, seen: ActionReport | None) -> Message:
    data: dict[str, JsonValue] = {
        "event_id": row.event_id, "track_id": row.track_id, "action": row.action, "score": round(row.score, 4),
        "state": row.state, "severity": row.severity, "start_time": _rfc3339(row.start_time),
        "end_time": _rfc3339(row.end_time), "duration_s": round(max(0.0, row.end_s - row.start_s), 3),
        "start_s": round(row.start_s, 3), "end_s": round(row.end_s, 3), "zones": list(row.zones),
        "rules": list(row.rules), "box": None if row.box is None else [round(side, 5) for side in row.box],
        "clip_state": row.clip_state, "model": row.model,
        "latency_ms": {} if seen is None else {name: round(ms, 1) for name, ms in seen.latency_ms.items()},
    }  # fmt: skip
    return Message(
        name, data, stream_id=row.stream_id, job_id=row.job_id, tags=row.tags, media_time_s=row.end_s,
        frame_index=None if seen is None else seen.frame_index,
    )  # fmt: skip


def _rfc3339(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
