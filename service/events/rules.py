"""Rules that decide which events raise a notification, with a cooldown per stream, track and action."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from models.severity import Severity
from pipelines.types import Event

_COOLDOWNS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """When to notify.

    actions, zones: any of these; None means every one.
    min_duration_s: seconds that the action has lasted.
    min_score: 0..1.
    cooldown_s: seconds of silence after a match, per stream, track and action.
    severity: replaces the action's own; None keeps it.
    """

    name: str
    actions: frozenset[str] | None = None
    zones: frozenset[str] | None = None
    min_duration_s: float = 0.0
    min_score: float = 0.0
    cooldown_s: float = 0.0
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What rules are applied to: one event of a stream as it stands now, and the zones that the person was in."""

    event: Event
    stream_id: str
    zones: tuple[str, ...]


def matches(rule: Rule, occurrence: Occurrence) -> bool:
    """Whether an occurrence meets a rule, cooldown aside."""
    event = occurrence.event
    if rule.actions is not None and event.action not in rule.actions:
        return False
    if rule.zones is not None and not rule.zones.intersection(occurrence.zones):
        return False
    if event.end_s - event.start_s < rule.min_duration_s:
        return False
    return event.score >= rule.min_score


class RuleBook:
    """The rules of one stream, and what each has matched recently."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        # (rule, track, action) → (event that matched, media second of the match); the oldest are forgotten first.
        self._told: OrderedDict[tuple[str, int, str], tuple[str, float]] = OrderedDict()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules themselves."""
        return self._rules

    def judge(self, occurrence: Occurrence) -> tuple[Rule, ...]:
        """The rules that an occurrence meets, except those in their cooldown.

        An event that met a rule once keeps meeting it: its later updates are not new alarms and not silenced either.
        """
        return tuple(rule for rule in self._rules if matches(rule, occurrence) and self._is_due(rule, occurrence))

    def _is_due(self, rule: Rule, occurrence: Occurrence) -> bool:
        event = occurrence.event
        key = (rule.name, event.track_id, event.action)
        told = self._told.get(key)
        if told is not None:
            event_id, told_s = told
            if event_id == event.event_id:
                return True
            if event.end_s - told_s < rule.cooldown_s:
                return False
        self._told[key] = (event.event_id, event.end_s)
        self._told.move_to_end(key)
        while len(self._told) > _COOLDOWNS_MAX:
            self._told.popitem(last=False)
        return True
