"""Events: stored before they are told, told once, closed when their worker dies."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from service.database import Database, migrate
from service.errors import NotFound
from service.event_log import EventLog, Message
from service.events.control import EventControl
from service.events.ingest import EventIngest, Origin
from service.events.rules import Rule, RuleBook
from service.events.schemas import EventPatch, EventRead, FeedbackCreate
from service.events.search import Filter
from service.events.store import EventRow
from service.events.zones import Zone
from service.protocol.facts import ActionChange, ClipReport, TrackStarted
from tests.service.facts import T0, report

LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
DOOR = Origin(stream_id="door", tags={"floor": "1"}, zones=(Zone("left", "include", LEFT),))


class Desk:
    """Both doors of the slice over a fresh database, with what was told."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Message] = []
        self.database = Database(f"sqlite:///{folder / 'events.sqlite3'}")
        migrate(self.database)
        self.log = EventLog(self.database, self.told.append)
        self.ingest = EventIngest(self.database, self.log, lambda action: "alarm" if action == "fall" else "info")
        self.control = EventControl(self.database)

    @property
    def kinds(self) -> list[str]:
        return [message.type for message in self.told]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_event_is_stored_and_told_with_its_zone_and_severity(desk: Desk) -> None:
    row = desk.ingest.take(DOOR, report())

    assert row is not None
    stored = desk.control.require("e1")
    assert (list(stored.zones), stored.severity, stored.event.state) == (["left"], "alarm", "confirmed")
    assert desk.told[0].data["zones"] == ["left"]
    assert desk.told[0].tags == {"floor": "1"}
    assert desk.told[0].seq == row.seq


def test_event_names_the_networks_that_saw_it_wherever_it_is_told(desk: Desk) -> None:
    networks = {place: {"name": place, "sha256": "0" * 64} for place in ("detector", "pose", "action")}

    desk.ingest.take(DOOR, replace(report(), networks=networks))

    told = EventRead.of(desk.control.require("e1")).model_dump(mode="json")
    assert told["networks"] == desk.told[0].data["networks"] == networks


def test_event_of_an_earlier_version_names_no_networks(desk: Desk) -> None:
    desk.ingest.take(DOOR, report())

    assert EventRead.of(desk.control.require("e1")).networks == {}


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("action.provisional", "action.provisional"),
        ("action.started", "action.started"),
        ("action.started", "action.provisional"),
        ("action.ended", "action.ended"),
        ("action.ended", "action.updated"),
        ("action.retracted", "action.provisional"),
    ],
)
def test_event_is_told_once_when_the_worker_repeats_itself(
    desk: Desk, first: ActionChange, again: ActionChange
) -> None:
    desk.ingest.take(DOOR, report("action.provisional"))
    desk.ingest.take(DOOR, report(first))
    told = list(desk.told)

    repeated = desk.ingest.take(DOOR, report(again))

    assert repeated is None
    assert desk.told == told


def test_end_is_where_the_worker_dates_it_back_to(desk: Desk) -> None:
    desk.ingest.take(DOOR, report("action.started", end_s=2.0))
    desk.ingest.take(DOOR, report("action.updated", end_s=5.0))

    desk.ingest.take(DOOR, report("action.ended", end_s=4.0))

    stored = desk.control.require("e1")
    assert (stored.event.end_s, stored.end_time) == (4.0, T0 + dt.timedelta(seconds=3))
    assert desk.told[-1].data["duration_s"] == 3.0


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        (["action.updated"], ["action.started"]),
        (["action.ended"], ["action.started", "action.ended"]),
        (["action.provisional", "action.ended"], ["action.provisional", "action.started", "action.ended"]),
        (["action.ended", "action.started"], ["action.started", "action.ended"]),
        (["action.retracted"], []),
    ],
)
def test_start_is_told_before_all_that_follows_when_it_was_lost(
    desk: Desk, heard: list[ActionChange], kinds: list[str]
) -> None:
    for name in heard:
        desk.ingest.take(DOOR, report(name))

    assert desk.kinds == kinds
    assert [message.data["state"] for message in desk.told if message.type == "action.started"] in ([], ["confirmed"])


def test_update_is_told_only_when_it_says_something_new(desk: Desk) -> None:
    desk.ingest.take(DOOR, report("action.started", end_s=2.0))

    results = [desk.ingest.take(DOOR, report("action.updated", end_s=end_s)) for end_s in (3.0, 3.0, 2.5, 4.0)]

    assert [row is not None for row in results] == [True, False, False, True]


def test_numbers_have_no_holes_when_reports_are_passed_over(desk: Desk) -> None:
    for _ in range(3):
        desk.ingest.take(DOOR, report())
    desk.ingest.take(DOOR, report("action.ended", end_s=3.0))

    assert [message.seq for message in desk.told] == [1, 2]


def test_nothing_is_told_of_people_in_an_exclude_zone(desk: Desk) -> None:
    screen = Origin(stream_id="door", zones=(Zone("screen", "exclude", LEFT),))

    row = desk.ingest.take(screen, report())

    assert row is None
    assert desk.told == []
    with pytest.raises(NotFound):
        desk.control.require("e1")


def test_rule_raises_the_severity_and_leaves_its_name(desk: Desk) -> None:
    rules = RuleBook([Rule("long walk", frozenset({"walk"}), min_duration_s=3.0, severity="alarm")])
    origin = Origin(stream_id="door", rules=rules)

    early = desk.ingest.take(origin, report("action.started", end_s=2.0, action="walk"))
    late = desk.ingest.take(origin, report("action.updated", end_s=5.0, action="walk"))

    assert early is not None
    assert late is not None
    assert (early.severity, tuple(early.rules)) == ("info", ())
    assert (late.severity, tuple(late.rules)) == ("alarm", ("long walk",))


def test_open_events_end_when_their_worker_is_lost(desk: Desk) -> None:
    desk.ingest.take(DOOR, report())
    desk.ingest.take(DOOR, report("action.provisional", "e2", action="walk"))
    desk.ingest.take_track("door", TrackStarted(7, T0))

    closed = desk.ingest.close_stream("door")

    assert closed == 2
    assert desk.kinds[-4:] == ["action.ended", "action.retracted", "clip.failed", "track.ended"]
    assert desk.control.require("e1").event.state == "ended"
    assert desk.ingest.close_stream("door") == 0


def test_events_are_listed_by_filter_and_page(desk: Desk) -> None:
    for number in range(5):
        told = report(event_id=f"e{number}", action="fall" if number % 2 else "walk", track_id=number)
        desk.ingest.take(DOOR, replace(told, start_time=T0 + dt.timedelta(minutes=number)))

    falls = desk.control.page(Filter(action="fall"), None, 10)
    first = desk.control.page(Filter(zone="left", tag=("floor", "1")), None, 3)
    rest = desk.control.page(Filter(zone="left"), (first[-1].start_time, first[-1].event.event_id), 3)
    none = desk.control.page(Filter(tag=("floor", "2")), None, 10)

    assert ids(falls) == ["e3", "e1"]
    assert ids(first) == ["e4", "e3", "e2"]
    assert ids(rest) == ["e1", "e0"]
    assert none == []


def ids(rows: list[EventRow]) -> list[str]:
    return [row.event.event_id for row in rows]


def test_person_may_acknowledge_comment_and_give_feedback(desk: Desk) -> None:
    desk.ingest.take(DOOR, report())

    changed = desk.control.change("e1", EventPatch(acknowledged=True, comment="seen"))
    desk.control.add_feedback("e1", FeedbackCreate(verdict="wrong", action="sit_down", comment=""))

    assert changed.acknowledged_at is not None
    assert desk.control.page(Filter(is_acknowledged=True), None, 5)[0].comment == "seen"
    assert [row["action"] for row in desk.control.feedback("e1")] == ["sit_down"]


def test_clip_is_told_once_it_is_ready(desk: Desk) -> None:
    desk.ingest.take(DOOR, report())
    assert desk.control.require("e1").clip_state == "pending"

    desk.ingest.take_clip(ClipReport("e1", "ready", (0.4, 4.0), (0.5, 4.0)))
    desk.ingest.take_clip(ClipReport("e1", "ready", (0.4, 4.0), (0.5, 4.0)))

    assert desk.control.require("e1").clip == {"asked_s": [0.4, 4.0], "covered_s": [0.5, 4.0], "reason": None}
    assert desk.kinds.count("clip.ready") == 1


def test_timeline_says_how_long_each_action_lasted(desk: Desk) -> None:
    desk.ingest.take_track("door", TrackStarted(7, T0))
    desk.ingest.take(DOOR, report("action.ended", "e1", 3.0, "walk"))
    desk.ingest.take(DOOR, report("action.ended", "e2", 2.5, "walk"))
    desk.ingest.take(DOOR, report("action.retracted", "e3", 9.0, "fall"))

    timeline = desk.control.timeline("door", 7)

    assert timeline.totals_s == {"walk": pytest.approx(3.5)}
    assert len(timeline.segments) == 2


def test_old_events_are_forgotten_with_their_feedback(desk: Desk) -> None:
    desk.ingest.take(DOOR, report("action.ended"))
    desk.ingest.take(DOOR, report(event_id="open"))
    desk.control.add_feedback("e1", FeedbackCreate(verdict="correct", action=None, comment=""))

    gone = desk.control.forget(T0 + dt.timedelta(days=1), keep_rows=100)

    assert gone == ["e1"]
    assert desk.control.require("open").event.state == "confirmed"
