"""Rules over time, and one look at a camera that they are held against."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.severity import Severity
from service.database import now
from service.events.zones import Box, Place, Zone
from service.weekly import WeeklyHours

TimedKind = Literal["not_got_up", "nobody_seen", "lies_outside"]
"""not_got_up: somebody lies or sits, and neither stands nor walks. nobody_seen: there are pictures, and nobody in them.
lies_outside: somebody lies, and not in the zone."""
RuleState = Literal["off", "resting", "zone_missing", "not_known", "clear", "counting", "met"]
"""off: switched off. resting: outside its hours. zone_missing: its zone is gone. not_known: no picture now. clear:
there is nothing to count. counting: seconds are being counted. met: it was told, and still is so."""

_UP = frozenset({"stand", "walk", "run", "stand_up", "jump"})
_LYING = frozenset({"lie", "fall"})
_DOWN = _LYING | {"sitting", "sit_down"}


@dataclass(frozen=True, slots=True)
class TimedRule:
    """One rule of one camera.

    after_s: how long it must be so, in seconds of picture within the rule's hours.
    zone: where; for `lies_outside` where people may lie. None for the whole picture.
    week: when it holds, by the camera's clock; empty for always.
    """

    rule_id: str
    stream_id: str
    name: str
    kind: TimedKind
    after_s: float
    zone: str | None = None
    week: Sequence[WeeklyHours] = ()
    severity: Severity = "alarm"
    is_enabled: bool = True
    created_at: dt.datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a look.

    box: left, top, right, bottom, 0..1 of the frame.
    action: the label shown, None where none is.
    """

    track_id: int
    box: Box
    action: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Look:
    """What a camera saw in about a second: everybody who was in any of its pictures, as seen last."""

    at: dt.datetime
    media_time_s: float
    people: tuple[Person, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a rule must know of its camera; `time_zone` is an IANA name, None for UTC."""

    zones: Sequence[Zone] = ()
    time_zone: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def has(self, zone: str) -> bool:
        """Whether there is an include zone of this name."""
        return any(one.name == zone and one.kind == "include" for one in self.zones)


def is_present(rule: TimedRule, person: Person) -> bool:
    """Whether a person counts as somebody for `nobody_seen`."""
    return not person.place.is_excluded and (rule.zone is None or rule.zone in person.place.zones)


def verdict(rule: TimedRule, person: Person) -> bool | None:
    """Whether a person does what a rule about people watches for; None where the label does not say."""
    if person.place.is_excluded:
        return False
    is_inside = rule.zone is None or rule.zone in person.place.zones
    if rule.kind == "lies_outside":
        if is_inside or person.action in _UP or person.action in _DOWN - _LYING:
            return False
        return True if person.action in _LYING else None
    if not is_inside or person.action in _UP:
        return False
    return True if person.action in _DOWN else None
