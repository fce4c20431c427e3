"""The event state machine: provisional, confirmed, ended, retracted."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest

from models.runtime.contract import ActionRule
from pipelines.stream.actions.events import EventDating, EventStage
from pipelines.stream.config import EventConfig
from pipelines.types import Event, PersonStatus
from tests.fakes import contract_of, poses_of, scores_of

LABELS = ("walk", "sit", "fall", "none")
WALK, SIT, FALL, NONE = (0.8, 0, 0, 0.2), (0, 0.8, 0, 0.2), (0, 0, 0.8, 0.2), (0, 0, 0, 1.0)
Row = tuple[float, ...]


def stage(source_id: str = "clip.mp4", rules: dict[str, ActionRule] | None = None) -> EventStage:
    return EventStage(
        source_id, LABELS, rules or contract_of(LABELS).actions, EventConfig(), EventDating(window_s=2.0, smooth_s=0.2)
    )


def run(rows: Iterable[Row], using: EventStage | None = None, start_s: float = 0.2) -> list[Event]:
    """One row per tick of 0.2 s for track 1, seen since the first row's tick."""
    events = using or stage()
    changed: list[Event] = []
    for index, row in enumerate(rows):
        time_s = round(start_s + 0.2 * index, 6)
        changed.extend(events(poses_of(time_s), scores_of(time_s, *row)))
    return changed


def told(events: Iterable[Event]) -> list[tuple[str, str]]:
    return [(event.action, event.state) for event in events]


def test_event_is_provisional_then_confirmed_then_ended() -> None:
    changed = run([NONE] * 5 + [WALK] * 3 + [NONE] * 5)

    assert told(changed) == [("walk", "provisional"), ("walk", "confirmed"), ("walk", "ended")]
    assert len({event.event_id for event in changed}) == 1


def test_event_is_retracted_when_it_fades_before_its_minimum_duration() -> None:
    changed = run([NONE] * 5 + [WALK] + [NONE] * 5)

    assert told(changed) == [("walk", "provisional"), ("walk", "retracted")]


def test_event_waits_for_its_own_minimum_duration() -> None:
    rules = {
        name: rule.model_copy(update={"min_duration_s": 1.0}) for name, rule in contract_of(LABELS).actions.items()
    }

    short = run([WALK] * 5 + [NONE] * 4, stage(rules=rules))
    long = run([WALK] * 6 + [NONE] * 4, stage(rules=rules))

    assert "confirmed" not in [event.state for event in short]
    assert "confirmed" in [event.state for event in long]


def test_event_goes_on_across_a_pause_that_is_short_enough() -> None:
    changed = run([WALK] * 5 + [NONE] * 3 + [WALK] * 5 + [NONE] * 5)

    assert [event.state for event in changed].count("ended") == 1
    assert len({event.event_id for event in changed}) == 1


def test_event_is_two_events_across_a_longer_pause() -> None:
    changed = run([WALK] * 5 + [NONE] * 5 + [WALK] * 5 + [NONE] * 5)

    assert [event.state for event in changed].count("ended") == 2
    assert len({event.event_id for event in changed}) == 2


def test_event_begins_at_the_threshold_and_stays_down_to_the_offset() -> None:
    weak = (0.45, 0, 0, 0.5)

    assert told(run([weak] * 10)) == []
    assert told(run([WALK] * 2 + [weak] * 2))[-1] == ("walk", "confirmed")


def test_event_needs_the_threshold_again_after_a_pause() -> None:
    weak = (0.45, 0, 0, 0.5)

    changed = run([WALK] * 3 + [NONE] * 2 + [weak] * 5)

    assert told(changed)[-1] == ("walk", "ended")


def test_event_is_updated_once_a_second() -> None:
    changed = run([WALK] * 21)

    confirmed = [event for event in changed if event.state == "confirmed"]
    assert [round(b.end_s - a.end_s, 3) for a, b in pairwise(confirmed)] == [1.0, 1.0, 1.0]


def test_event_score_is_the_highest_so_far() -> None:
    changed = run([NONE] * 3 + [(0.6, 0, 0, 0.4), (0.9, 0, 0, 0.1), (0.7, 0, 0, 0.3)] + [NONE] * 5)

    assert changed[-1].score == pytest.approx(0.9)


def test_event_begins_half_a_window_before_the_tick_that_raised_it() -> None:
    changed = run([NONE] * 20 + [WALK] * 10 + [NONE] * 10)  # raised at 4.2, last evidence at 6.0

    assert changed[-1].start_s == pytest.approx(4.2 - 1.0 - 0.2)
    assert changed[-1].end_s == pytest.approx(6.0 - 1.0 - 0.2)


def test_event_of_the_first_window_began_when_the_person_came() -> None:
    changed = run([WALK] * 10 + [NONE] * 10)

    assert changed[-1].start_s == pytest.approx(0.2)


def test_event_that_goes_on_until_the_person_leaves_lasts_until_then() -> None:
    events = stage()
    run([WALK] * 10, events)
    events(poses_of(2.1), ())

    (ended,) = events(poses_of(3.0, people={}, ended=((1, "left"),)), ())

    assert (ended.state, ended.end_s) == ("ended", 2.1)


def test_event_that_is_not_sure_when_the_person_leaves_is_retracted() -> None:
    events = stage()
    run([NONE] * 5 + [FALL], events)

    (retracted,) = events(poses_of(1.5, people={}, ended=((1, "left"),)), ())

    assert (retracted.action, retracted.state) == ("fall", "retracted")


def test_events_end_when_the_source_does() -> None:
    events = stage()
    run([WALK] * 10, events)

    assert told(events.finish()) == [("walk", "ended")]
    assert events.finish() == ()


def test_event_of_one_action_ends_where_the_next_begins() -> None:
    changed = run([WALK] * 15 + [SIT] * 10 + [NONE] * 6)

    ended = {event.action: event for event in changed if event.state == "ended"}
    assert ended["walk"].end_s <= ended["sit"].start_s
    assert ended["sit"].start_s - ended["walk"].end_s == pytest.approx(0.2, abs=0.01)


def test_weaker_action_does_not_begin_beside_a_stronger_one() -> None:
    rules = {name: rule.model_copy(update={"threshold": 0.3}) for name, rule in contract_of(LABELS).actions.items()}

    changed = run([(0.55, 0.4, 0, 0.05)] * 10, stage(rules=rules))

    assert {event.action for event in changed} == {"walk"}


def test_alarm_is_followed_beside_another_action() -> None:
    rules = {name: rule.model_copy(update={"threshold": 0.3}) for name, rule in contract_of(LABELS).actions.items()}

    changed = run([(0.55, 0, 0.4, 0.05)] * 10 + [NONE] * 6, stage(rules=rules))

    assert ("fall", "confirmed") in told(changed)
    assert ("walk", "ended") in told(changed)


@pytest.mark.parametrize("status", ["warming_up", "not_assessable"])
def test_event_is_frozen_while_the_person_cannot_be_judged(status: PersonStatus) -> None:
    events = stage()
    run([WALK] * 5, events)

    frozen = [events(poses_of(1.2 + t), scores_of(1.2 + t, 0, 0, 0, 0, status=status)) for t in (0, 0.5, 1.0)]
    resumed = events(poses_of(2.4), scores_of(2.4, *WALK))

    assert frozen == [(), (), ()]
    assert told(resumed) == [("walk", "confirmed")]


def test_event_ends_when_the_person_cannot_be_judged_for_too_long() -> None:
    events = stage()
    run([WALK] * 5, events)

    (ended,) = events(poses_of(3.5), scores_of(3.5, 0, 0, 0, 0, status="not_assessable"))

    assert ended.state == "ended"
    assert ended.end_s < 1.0


def test_event_ends_for_a_person_whom_nobody_ended() -> None:
    events = stage()
    run([WALK] * 5, events)

    assert told(events(poses_of(20.0, people={}), ())) == [("walk", "ended")]


def test_events_are_the_same_for_the_same_answers() -> None:
    rows = [NONE] * 4 + [WALK] * 8 + [FALL] * 4 + [NONE] * 8

    assert run(rows) == run(rows)


@pytest.mark.parametrize(
    "changed",
    [lambda: run([WALK] * 3, stage("other.mp4")), lambda: run([WALK] * 3, start_s=5.0)],
    ids=["source", "onset"],
)
def test_event_id_depends_on_source_and_onset(changed: Callable[[], list[Event]]) -> None:
    assert changed()[0].event_id != run([WALK] * 3)[0].event_id


def test_event_names_the_place_of_the_person() -> None:
    (event, *_) = run([WALK])

    poses = poses_of(0.2)
    assert event.box == tuple(poses.xyxy[0].astype(float) / (*poses.size_wh, *poses.size_wh))
