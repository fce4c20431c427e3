"""Rules: who is told of what."""

from dataclasses import replace

import pytest

from pipelines.event_json import STORED, event_object, parse_event
from pipelines.types import Event
from service.events.rules import Occurrence, Rule, RuleBook, matches

FALL = Occurrence(Event("e1", 4, "fall", "confirmed", 10.0, 11.0, 0.8, None), "door", ("floor",))


def _with(**changes: object) -> Occurrence:
    """The fall, another in some fields of its event."""
    return replace(FALL, event=parse_event({**event_object(FALL.event, STORED), **changes}))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(Rule("all"), True, id="everything"),
        pytest.param(Rule("a", actions=frozenset({"fall", "lie"})), True, id="its action"),
        pytest.param(Rule("a", actions=frozenset({"walk"})), False, id="another action"),
        pytest.param(Rule("z", zones=frozenset({"floor"})), True, id="its zone"),
        pytest.param(Rule("z", zones=frozenset({"stairs"})), False, id="another zone"),
        pytest.param(Rule("d", min_duration_s=1.0), True, id="just long enough"),
        pytest.param(Rule("d", min_duration_s=1.1), False, id="too short"),
        pytest.param(Rule("s", min_score=0.9), False, id="too unsure"),
    ],
)
def test_rule_matches_what_it_asks_for(rule: Rule, expected: bool) -> None:
    assert matches(rule, FALL) is expected


def test_rule_is_silent_during_its_cooldown() -> None:
    book = RuleBook([Rule("r", cooldown_s=30.0)])
    again = _with(event_id="e2", start_s=20.0, end_s=21.0)
    later = _with(event_id="e3", start_s=50.0, end_s=51.0)

    told = [bool(book.judge(one)) for one in (FALL, again, later)]

    assert told == [True, False, True]


def test_rule_goes_on_for_updates_of_the_event_that_met_it() -> None:
    book = RuleBook([Rule("r", cooldown_s=30.0)])

    told = [bool(book.judge(_with(end_s=end_s))) for end_s in (11.0, 12.0, 15.0)]

    assert told == [True, True, True]


def test_cooldown_is_per_track_and_action() -> None:
    book = RuleBook([Rule("r", cooldown_s=30.0)])
    others = [_with(event_id="e2", track_id=5), _with(event_id="e3", action="lie")]

    told = [bool(book.judge(one)) for one in (FALL, *others)]

    assert told == [True, True, True]
