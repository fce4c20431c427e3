"""How somebody wants to be told: not at night, and only of what nobody else has dealt with."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from models.severity import Severity
from service.database import now
from service.event_log import Message
from service.patterns import matches_any
from service.weekly import WeeklyHours, holds

_TELLABLE = ("action", "track", "stream", "job", "clip")
_STARTED = "action.started"
_RANKS: dict[str, int] = {"info": 0, "warning": 1, "alarm": 2}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a webhook or a destination wants to be told, and when.

    messages: families or types of messages. streams: patterns of stream ids, None for all. actions: None for all.
    only_rules: whether actions must have met a rule. min_severity: how urgent actions must be, None for any.
    quiet_hours: when nothing is told. quiet_for_alarms: not even an alarm. time_zone: of these hours, None for UTC.
    escalate_after_s: told only of what nobody acknowledged in so many seconds; None: of everything, at once.
    """

    messages: Sequence[str] = ("action.started", "action.ended")
    streams: Sequence[str] | None = None
    actions: Sequence[str] | None = None
    only_rules: bool = False
    min_severity: Severity | None = None
    quiet_hours: Sequence[WeeklyHours] = ()
    quiet_for_alarms: bool = False
    time_zone: str | None = None
    escalate_after_s: float | None = None


WISH_NAMES = tuple(one.name for one in fields(Wishes))


def wants(wishes: Wishes, message: Message) -> bool:
    """Whether somebody asked for a message, whatever the hour."""
    family = message.type.partition(".")[0]
    if family not in _TELLABLE or not {family, message.type}.intersection(wishes.messages):
        return False
    if wishes.escalate_after_s is not None and message.type != _STARTED:
        return False
    if wishes.streams is not None and not _is_any(message.stream_id, wishes.streams):
        return False
    return family != "action" or _wants_action(wishes, message)


def _wants_action(wishes: Wishes, message: Message) -> bool:
    if wishes.actions is not None and message.data.get("action") not in wishes.actions:
        return False
    if wishes.min_severity is not None and _rank(message) < _RANKS[wishes.min_severity]:
        return False
    return not wishes.only_rules or bool(message.data.get("rules"))


@dataclass(frozen=True, slots=True)
class PoliteTurn:
    """The turn of messages by somebody's wishes.

    is_settled: whether an event needs nobody any more: acknowledged, taken back or gone.  clock: the time in UTC.
    """

    wishes: Wishes
    is_settled: Callable[[str], bool]
    clock: Callable[[], dt.datetime] = now

    def wait_s(self, message: Message) -> float:
        """Seconds until the others have had their time to acknowledge an event."""
        after_s = self.wishes.escalate_after_s
        if after_s is None:
            return 0.0
        age_s = (self.clock() - message.time).total_seconds()
        # A clock that was put back must not make it wait for longer than was asked for.
        return min(after_s - age_s, after_s) if age_s > -after_s else 0.0

    def refusal(self, message: Message) -> str | None:
        """`acknowledged` or `quiet`, or None."""
        if self.wishes.escalate_after_s is not None and self.is_settled(str(message.data.get("event_id", ""))):
            return "acknowledged"
        if not self.wishes.quiet_for_alarms and message.data.get("severity") == "alarm":
            return None
        return "quiet" if holds(self.wishes.quiet_hours, self.wishes.time_zone, self.clock()) else None


def _rank(message: Message) -> int:
    return _RANKS.get(str(message.data.get("severity")), 0)


def _is_any(name: str | None, patterns: Sequence[str]) -> bool:
    return name is not None and matches_any(name, patterns)
