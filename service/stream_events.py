"""Joins the slices of streams and events: what a stream's worker reports is stored and announced."""

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from models.severity import Severity
from service.event_log import Transaction
from service.events.control import EventControl
from service.events.ingest import EventIngest, Origin
from service.events.rules import Rule, RuleBook
from service.events.zones import Zone
from service.protocol.facts import ActionReport, ClipReport, StateChanged, StreamFact, TrackEnded, TrackStarted
from service.protocol.stream_config import RuleSpec, StreamConfig, ZoneSpec
from service.streams.store import StreamRow

SeveritiesOf = Callable[[str], Mapping[str, Severity]]

_TRACK_STEP = 1000


class StreamEvents:
    """Keeps each stream's zones and rules at hand; rules remember cooldowns, so they live as long as the stream.

    forget_evidence: removes the evidence of an event.  forget_pictures: removes the pictures of a stream.
    severities_of: name of an action model → how urgent its actions are; of the default one None need be said.
    """

    def __init__(
        self, ingest: EventIngest, events: EventControl, forget_evidence: Callable[[str], None],
        forget_pictures: Callable[[str], None], severities_of: SeveritiesOf = lambda model: {},  # noqa: ARG005
    ) -> None:  # fmt: skip
        self._ingest = ingest
        self._events = events
        self._forget_evidence = forget_evidence
        self._forget_pictures = forget_pictures
        self._severities_of = severities_of
        self._lock = threading.Lock()
        self._origins: dict[str, Origin] = {}

    def take(self, row: StreamRow, fact: StreamFact) -> None:
        """Store and announce what a worker says of an action, a track or a clip."""
        match fact:
            case ActionReport():
                self._ingest.take(self._origin(row), fact)
            case TrackStarted() | TrackEnded():
                self._ingest.take_track(row.stream_id, fact)
            case ClipReport():
                if not self._ingest.take_clip(fact):
                    # The event lay in an excluded zone and was never announced: nothing of it may be kept.
                    self._forget_evidence(fact.event_id)
            case StateChanged():
                raise AssertionError(f"{row.stream_id}: a change of state is the dispatcher's, not an event's")

    def close_within(self, transaction: Transaction, stream_id: str) -> None:
        """End what a stream left open."""
        self._ingest.close_within(transaction, stream_id)

    def close_all(self, transaction: Transaction, spared: Collection[str]) -> None:
        """End what an earlier server left open."""
        self._ingest.close_all(transaction, spared)

    def first_track_id(self, stream_id: str) -> int:
        """The first number of the next thousand: a lost worker may have used numbers that it never reported."""
        last = self._events.last_track_id(stream_id)
        return 1 if last == 0 else (last // _TRACK_STEP + 1) * _TRACK_STEP + 1

    def changed(self, row: StreamRow) -> None:
        """Take new zones, rules and tags; cooldowns start anew if the rules have changed."""
        with self._lock:
            known = self._origins.get(row.stream_id)
            fresh = self._read(row)
            self._origins[row.stream_id] = fresh if known is None else _remembering(known, fresh)

    def removed(self, stream_id: str) -> None:
        """Forget a stream and its pictures."""
        with self._lock:
            self._origins.pop(stream_id, None)
        self._forget_pictures(stream_id)

    def _origin(self, row: StreamRow) -> Origin:
        with self._lock:
            if row.stream_id not in self._origins:
                self._origins[row.stream_id] = self._read(row)
            return self._origins[row.stream_id]

    def _read(self, row: StreamRow) -> Origin:
        config = StreamConfig.model_validate(dict(row.config))
        model = config.analysis.model
        own = {action: one.severity for action, one in config.actions.items() if one.severity is not None}
        return Origin(
            stream_id=row.stream_id, tags=dict(config.tags), zones=tuple(_zone(spec) for spec in config.zones),
            rules=RuleBook([_rule(spec) for spec in config.rules]) if config.rules else None,
            severities={**({} if model is None else self._severities_of(model)), **own},
        )  # fmt: skip


def _remembering(known: Origin, fresh: Origin) -> Origin:
    """The new settings; unchanged rules keep their memory."""
    is_same = known.rules is not None and fresh.rules is not None and known.rules.rules == fresh.rules.rules
    return replace(fresh, rules=known.rules) if is_same else fresh


def _zone(spec: ZoneSpec) -> Zone:
    return Zone(spec.name, spec.kind, tuple(spec.polygon))


def _rule(spec: RuleSpec) -> Rule:
    return Rule(
        spec.name, None if spec.actions is None else frozenset(spec.actions),
        None if spec.zones is None else frozenset(spec.zones), spec.min_duration_s, spec.min_score, spec.cooldown_s,
        spec.severity,
    )  # fmt: skip
