"""Rules over time count what was seen, tell it once, and say nothing of what they do not know."""

import datetime as dt
from collections.abc import Sequence

import pytest

from service.events.timed.rules import Look, Person, TimedKind, TimedRule
from service.events.timed.tally import Change, Tally
from service.events.zones import Place

START = dt.datetime(2026, 6, 1, 8, 0, tzinfo=dt.UTC)
BED = (0.1, 0.5, 0.5, 0.8)
DOOR = (0.8, 0.1, 0.9, 0.6)
NOWHERE = Place((), is_excluded=False)


def rule(kind: TimedKind, after_s: float = 60, zone: str | None = None) -> TimedRule:
    return TimedRule("tr_1", "room", "rule", kind, after_s, zone)


def person(
    action: str | None, track_id: int = 1, box: tuple[float, float, float, float] = BED, place: Place = NOWHERE
) -> Person:
    return Person(track_id, box, action, place)


class Camera:
    """Shows a tally one look a second."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.at = START

    def show(self, seconds: int, *people: Person) -> list[Change]:
        found: list[Change] = []
        for _ in range(seconds):
            self.at += dt.timedelta(seconds=1)
            found += self.tally.take(Look(self.at, (self.at - START).total_seconds(), people))
        return found

    def fail(self, seconds: int) -> list[Change]:
        """No picture for a while."""
        found: list[Change] = []
        for _ in range(seconds):
            self.at += dt.timedelta(seconds=1)
            found += self.tally.wait(self.at)
        return found


def names(changes: Sequence[Change]) -> list[str]:
    return [change.name for change in changes]


def test_nobody_is_told_once_when_the_minute_is_up() -> None:
    camera = Camera(Tally(rule("nobody_seen")))

    before, then, later = camera.show(60), camera.show(1), camera.show(600)

    assert (names(before), names(then), names(later)) == ([], ["started"], [])


def test_nobody_is_over_and_counted_anew_when_somebody_comes() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    camera.show(61)

    came, gone = camera.show(1, person("walk")), camera.show(61)

    assert (names(came), names(gone)) == (["ended"], ["started"])
    assert came[0].event_id != gone[0].event_id


def test_nobody_is_never_told_of_a_camera_that_is_dead() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    camera.show(30)

    dead, back = camera.fail(3600), camera.show(60)

    assert names(dead + back) == []
    assert camera.tally.counted_s == 59, "counted anew from the first picture on"


def test_nobody_goes_on_counting_after_a_short_gap_which_itself_counts_nothing() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    camera.show(31)

    gap, back, then = camera.fail(200), camera.show(30), camera.show(1)

    assert (names(gap), names(back), names(then)) == ([], [], ["started"])


def test_event_is_over_when_nobody_knows_any_more() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    camera.show(61)

    assert names(camera.fail(299)) == []
    assert names(camera.fail(2)) == ["ended"]


def test_nobody_is_not_what_an_excluded_zone_shows() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    picture_on_the_wall = person("stand", place=Place((), is_excluded=True))

    assert names(camera.show(61, picture_on_the_wall)) == ["started"]


def test_nobody_in_a_zone_is_told_while_somebody_is_elsewhere() -> None:
    camera = Camera(Tally(rule("nobody_seen", zone="kitchen")))

    assert names(camera.show(61, person("walk", place=Place(("hall",), is_excluded=False)))) == ["started"]


@pytest.mark.parametrize("action", ["sitting", "lie", "fall", "sit_down"])
def test_not_got_up_is_told_of_who_stays_down(action: str) -> None:
    camera = Camera(Tally(rule("not_got_up")))

    changes = camera.show(120, person(action, track_id=7))

    assert names(changes) == ["started"]
    assert changes[0].count.track_id == 7


def test_not_got_up_goes_on_while_the_label_says_nothing() -> None:
    camera = Camera(Tally(rule("not_got_up")))
    camera.show(30, person("lie"))

    assert names(camera.show(31, person(None))) == ["started"]


def test_not_got_up_begins_with_nobody_whose_label_says_nothing() -> None:
    camera = Camera(Tally(rule("not_got_up")))

    assert names(camera.show(300, person(None))) == []


def test_not_got_up_survives_a_label_that_flickers_and_ends_when_somebody_stands() -> None:
    camera = Camera(Tally(rule("not_got_up")))
    camera.show(61, person("sitting"))

    flicker, stood = camera.show(2, person("stand")), camera.show(1, person("sitting")) + camera.show(4, person("walk"))

    assert (names(flicker), names(stood)) == ([], ["ended"])


def test_not_got_up_follows_a_person_who_is_found_anew_in_the_same_place() -> None:
    camera = Camera(Tally(rule("not_got_up")))
    camera.show(40, person("lie", track_id=1))
    camera.show(100)

    changes = camera.show(22, person(None, track_id=2, box=(0.12, 0.5, 0.5, 0.8)))

    assert names(changes) == ["started"]
    assert changes[0].count.track_id == 2


def test_not_got_up_is_not_ended_by_somebody_else_who_walks_by() -> None:
    camera = Camera(Tally(rule("not_got_up")))
    camera.show(61, person("lie"))

    assert names(camera.show(60, person("lie"), person("walk", track_id=2, box=DOOR))) == []


def test_not_got_up_ends_when_the_person_was_not_seen_for_too_long() -> None:
    camera = Camera(Tally(rule("not_got_up")))
    camera.show(61, person("lie"))

    assert names(camera.show(300)) == []
    assert names(camera.show(1)) == ["ended"]


def test_two_people_who_stay_down_are_two_events() -> None:
    camera = Camera(Tally(rule("not_got_up")))

    changes = camera.show(61, person("lie"), person("sitting", track_id=2, box=DOOR))

    assert sorted(change.count.track_id for change in changes) == [1, 2]


@pytest.mark.parametrize(
    ("action", "zones", "expected"),
    [
        pytest.param("lie", ("floor",), ["started"], id="lies elsewhere"),
        pytest.param("fall", (), ["started"], id="fell"),
        pytest.param("lie", ("bed",), [], id="lies in bed"),
        pytest.param("sitting", (), [], id="sits"),
        pytest.param(None, (), [], id="nobody knows"),
    ],
)
def test_lies_outside_is_told_of_who_lies_elsewhere(
    action: str | None, zones: tuple[str, ...], expected: list[str]
) -> None:
    camera = Camera(Tally(rule("lies_outside", zone="bed")))

    assert names(camera.show(61, person(action, place=Place(zones, is_excluded=False)))) == expected


def test_tally_goes_on_where_an_earlier_server_stopped() -> None:
    first = Camera(Tally(rule("nobody_seen")))
    first.show(41)
    second = Camera(Tally(rule("nobody_seen"), list(first.tally.counts.values()), first.tally.looked_at))
    second.at = first.at + dt.timedelta(seconds=90)

    assert names(second.show(20)) == []
    assert names(second.show(1)) == ["started"]


def test_tally_does_not_tell_again_what_an_earlier_server_told() -> None:
    first = Camera(Tally(rule("nobody_seen")))
    told = first.show(61)
    second = Camera(Tally(rule("nobody_seen"), list(first.tally.counts.values()), first.tally.looked_at))
    second.at = first.at

    still, over = second.show(100), second.show(1, person("walk"))

    assert names(still) == []
    assert [change.event_id for change in over] == [told[0].event_id]


def test_clock_that_is_put_back_or_forward_counts_nothing() -> None:
    camera = Camera(Tally(rule("nobody_seen")))
    camera.show(30)
    camera.at -= dt.timedelta(hours=1)
    back = camera.show(20)
    camera.at += dt.timedelta(hours=2)

    forward = camera.show(60)

    assert names(back + forward) == []
