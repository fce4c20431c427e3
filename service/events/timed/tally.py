"""Counts for how long a rule's condition has held: on seconds that were really seen, and on nothing else."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.events.timed.rules import Look, Person, TimedRule, is_present, verdict
from service.events.zones import Box

FRESH_S = 5.0
"""Longest time between two looks that counts as seen, seconds."""
PAUSE_S = 300.0
"""Without a picture, or a person, for up to so long a count waits; after it nobody knows, and it begins anew."""
DOUBT_S = 3.0
"""Seconds for which a person must be seen to do otherwise: a label that flickers ends no night's count."""
_COUNTS_MAX = 100
_SAME_PLACE = 0.3  # intersection over union
_NOBODY = 0


@dataclass(frozen=True, slots=True)
class Count:
    """How long it has been so for one person, or for nobody.

    track_id: 0 for nobody.  box: where the person was seen last.
    counted_s: seconds that were seen.  doubt_s: seconds, since, of doing otherwise.
    event_id: the event that was told; None before.
    """

    track_id: int
    seen_at: dt.datetime
    counted_s: float = 0.0
    doubt_s: float = 0.0
    box: Box | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An event of a rule begins, or is over."""

    name: Literal["started", "ended"]
    count: Count
    event_id: str
    at: dt.datetime
    media_time_s: float | None = None


class Tally:
    """The counts of one rule; an earlier server's can be given."""

    def __init__(self, rule: TimedRule, counts: Sequence[Count] = (), looked_at: dt.datetime | None = None) -> None:
        self.rule = rule
        self.counts = {count.track_id: count for count in counts}
        self.looked_at = looked_at

    @property
    def is_met(self) -> bool:
        """Whether an event was told that is not over."""
        return any(count.event_id for count in self.counts.values())

    @property
    def counted_s(self) -> float:
        """The longest count, seconds."""
        return max((count.counted_s for count in self.counts.values()), default=0.0)

    def take(self, look: Look) -> list[Change]:
        """Count what a look shows; returns what begins and what is over."""
        changes = self.wait(look.at)
        gap_s = 0.0 if self.looked_at is None else (look.at - self.looked_at).total_seconds()
        step_s = gap_s if 0 <= gap_s <= FRESH_S else 0.0
        self.looked_at = look.at
        before = self.counts
        counts = self._nobody(look, step_s) if self.rule.kind == "nobody_seen" else self._people(look, step_s)
        self.counts = {count.track_id: count for count in counts[:_COUNTS_MAX]}
        return [*changes, *self._over(before, look.at), *self._due(look)]

    def wait(self, at: dt.datetime) -> list[Change]:
        """Note that time passes; after too long without a picture nothing is known any more."""
        if self.looked_at is None or (at - self.looked_at).total_seconds() <= PAUSE_S:
            return []
        return self.clear(at)

    def clear(self, at: dt.datetime) -> list[Change]:
        """Begin anew; returns what is over by that."""
        before, self.counts, self.looked_at = self.counts, {}, None
        return self._over(before, at)

    def _nobody(self, look: Look, step_s: float) -> list[Count]:
        if any(is_present(self.rule, person) for person in look.people):
            return []
        known = self.counts.get(_NOBODY, Count(_NOBODY, look.at))
        return [replace(known, counted_s=known.counted_s + step_s, seen_at=look.at)]

    def _people(self, look: Look, step_s: float) -> list[Count]:
        followed = _follow(self.counts, look.people)
        found = [self._person(person, count, look.at, step_s) for person, count in followed]
        taken = {count.track_id for _, count in followed if count is not None}
        unseen = [
            count for track_id, count in self.counts.items()
            if track_id not in taken and (look.at - count.seen_at).total_seconds() <= PAUSE_S
        ]  # fmt: skip
        return [*(count for count in found if count is not None), *unseen]

    def _person(self, person: Person, count: Count | None, at: dt.datetime, step_s: float) -> Count | None:
        is_so = verdict(self.rule, person)
        if count is None:
            return Count(person.track_id, at, box=person.box) if is_so else None
        seen = replace(count, track_id=person.track_id, box=person.box, seen_at=at)
        if is_so is False:
            doubt_s = count.doubt_s + step_s
            return None if doubt_s >= DOUBT_S else replace(seen, doubt_s=doubt_s)
        return replace(seen, counted_s=count.counted_s + step_s, doubt_s=0.0)

    def _due(self, look: Look) -> list[Change]:
        found: list[Change] = []
        for track_id, count in self.counts.items():
            if count.event_id is None and count.counted_s >= self.rule.after_s:
                event_id = _event_id(self.rule, track_id, look.at)
                self.counts[track_id] = replace(count, event_id=event_id)
                found.append(Change("started", count, event_id, look.at, look.media_time_s))
        return found

    def _over(self, before: dict[int, Count], at: dt.datetime) -> list[Change]:
        """The events among earlier counts that no count goes on with."""
        open_ids = {count.event_id for count in self.counts.values()}
        gone = [count for count in before.values() if count.event_id is not None and count.event_id not in open_ids]
        return [Change("ended", count, str(count.event_id), at) for count in gone]


def _follow(counts: dict[int, Count], people: Sequence[Person]) -> list[tuple[Person, Count | None]]:
    """Everybody with their count; who is found anew where somebody was lost goes on with that count."""
    shown = {person.track_id for person in people}
    lost = [count for track_id, count in counts.items() if track_id not in shown]
    found: list[tuple[Person, Count | None]] = []
    for person in people:
        count = counts.get(person.track_id)
        if count is None and lost:
            nearest = max(lost, key=lambda one: _overlap(one.box, person.box))
            if _overlap(nearest.box, person.box) >= _SAME_PLACE:
                lost.remove(nearest)
                count = nearest
        found.append((person, count))
    return found


def _overlap(one: Box | None, other: Box) -> float:
    """Intersection over union of two boxes; 0 where there is only one."""
    if one is None:
        return 0.0
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _event_id(rule: TimedRule, track_id: int, at: dt.datetime) -> str:
    return hashlib.sha256(f"{rule.rule_id}|{track_id}|{at.isoformat()}".encode()).hexdigest()[:24]
