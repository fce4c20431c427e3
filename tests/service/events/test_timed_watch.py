"""Rules over time on a database: their events are stored and told as others are, and a restart changes nothing."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import JsonValue

from service.database import Database, migrate
from service.errors import DatabaseBusy, InvalidRequest, NotFound
from service.event_log import EventLog, Message, Transaction
from service.events.control import EventControl
from service.events.ingest import EventIngest
from service.events.search import Filter
from service.events.timed.control import TimedRuleControl
from service.events.timed.rules import Scene
from service.events.timed.schemas import TimedRuleCreate, TimedRulePatch
from service.events.timed.watch import TimedRules
from service.events.zones import Zone

T0 = dt.datetime(2026, 6, 1, 8, 0, tzinfo=dt.UTC)
BED = Zone("bed", "include", ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)))
FLOOR = [0.6, 0.6, 0.9, 0.8]


def lying(box: list[float] = FLOOR) -> dict[str, JsonValue]:
    edges: list[JsonValue] = [*box]
    return {"track_id": 4, "box": edges, "action": "lie", "keypoints": [], "score": 0.9, "status": "assessed"}


class BusyLog(EventLog):
    """A log in which nothing can be written while it is busy."""

    is_busy = False

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        if self.is_busy:
            raise DatabaseBusy("others are writing")
        with super().transaction() as found:
            yield found


class Home:
    """Rules over one room, with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.now = T0
        self.scene: Scene | None = Scene((BED,), "Europe/Berlin", (("floor", "1"),))
        self.told: list[Message] = []
        self.counted: list[tuple[str, str]] = []
        self.database = Database(f"sqlite:///{folder / 'rules.sqlite3'}")
        migrate(self.database)
        self.log = BusyLog(self.database, self.told.append)
        self.events = EventControl(self.database)
        self.restart()

    def restart(self) -> None:
        """Another server over the same database; the earlier one was killed."""
        scene_of = lambda stream_id: self.scene if stream_id == "room" else None  # noqa: E731
        self.watch = TimedRules(
            self.database, self.log, scene_of, lambda kind, state: self.counted.append((kind, state)), lambda: self.now
        )
        self.control = TimedRuleControl(self.database, self.log, self.watch, scene_of)
        self.watch.load()

    def add(self, **parts: object) -> str:
        body = {"stream_id": "room", "name": "rule", "kind": "nobody_seen", "after_s": 60, **parts}
        return self.control.create(TimedRuleCreate.model_validate(body), None)[0].rule_id

    def show(self, seconds: int, *people: dict[str, JsonValue]) -> None:
        for _ in range(seconds):
            self.now += dt.timedelta(seconds=1)
            data: dict[str, JsonValue] = {"frame_size": [640, 480], "persons": [*people]}
            self.watch.hear(Message("frame", data, stream_id="room", time=self.now, media_time_s=self.seconds))
            self.watch.round()

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += dt.timedelta(seconds=1)
            self.watch.round()

    @property
    def seconds(self) -> float:
        return (self.now - T0).total_seconds()

    @property
    def kinds(self) -> list[str]:
        return [message.type for message in self.told]

    def state(self, rule_id: str) -> str:
        return self.control.read(self.control.require(rule_id)).state


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_event_of_a_rule_is_stored_and_told_as_others_are(home: Home) -> None:
    home.add(name="night round", severity="warning")

    home.show(61)

    [row] = home.events.page(Filter(stream_id="room"), None, 10)
    assert (row.event.action, row.event.state, row.severity, list(row.rules)) == (
        "nobody_seen", "confirmed", "warning", ["night round"]
    )  # fmt: skip
    assert (row.start_time, row.event.box, row.tags) == (home.now, None, {"floor": "1"})
    assert (home.told[0].type, home.told[0].data["rules"], home.told[0].seq) == (
        "action.started", ["night round"], row.seq
    )  # fmt: skip
    assert home.counted == [("nobody_seen", "confirmed")]


def test_event_of_a_rule_ends_with_how_long_it_lasted(home: Home) -> None:
    home.add()
    home.show(161)

    home.show(1, lying())

    [row] = home.events.page(Filter(stream_id="room"), None, 10)
    assert (row.event.state, row.duration_s) == ("ended", 101)
    assert home.kinds == ["action.started", "action.ended"]


def test_event_of_a_rule_about_a_person_says_who_and_where(home: Home) -> None:
    home.add(kind="lies_outside", zone="bed", after_s=10)

    home.show(11, lying())

    [row] = home.events.page(Filter(stream_id="room"), None, 10)
    assert (row.event.track_id, row.event.box, row.event.action) == (4, tuple(FLOOR), "lies_outside")


def test_lying_in_bed_is_not_outside(home: Home) -> None:
    home.add(kind="lies_outside", zone="bed", after_s=10)

    home.show(60, lying([0.1, 0.6, 0.4, 0.8]))

    assert home.kinds == []


def test_restart_keeps_the_count_and_tells_nothing_twice(home: Home) -> None:
    rule_id = home.add()
    home.show(50)
    home.restart()
    home.show(30)
    home.restart()

    home.show(60)

    assert home.kinds == ["action.started"]
    assert home.state(rule_id) == "met"


def test_restart_does_not_forget_that_somebody_came(home: Home) -> None:
    home.add()
    home.show(50)
    home.show(2, lying())
    home.restart()

    home.show(50)

    assert home.kinds == []


def test_event_that_could_not_be_stored_is_told_by_a_later_round(home: Home) -> None:
    home.add()
    home.show(60)
    home.log.is_busy = True
    with pytest.raises(DatabaseBusy):
        home.show(1)
    home.log.is_busy = False

    home.show(1)

    assert home.kinds == ["action.started"]


def test_server_says_again_what_goes_on_when_it_starts(home: Home) -> None:
    home.add()
    home.show(61)
    home.restart()

    home.watch.start()
    home.watch.stop()

    assert home.kinds == ["action.started", "action.updated"]
    assert home.told[1].data["event_id"] == home.told[0].data["event_id"]


def test_event_of_a_rule_stays_open_when_a_worker_or_a_server_is_lost(home: Home) -> None:
    home.add()
    home.show(61)
    ingest = EventIngest(home.database, home.log, lambda _: "info")

    with home.log.transaction() as transaction:
        ended = ingest.close_within(transaction, "room"), ingest.close_all(transaction)

    assert ended == (0, 0)
    assert home.kinds == ["action.started"]


def test_dead_camera_is_not_known_and_never_nobody(home: Home) -> None:
    rule_id = home.add()
    home.show(30)
    before = home.state(rule_id)

    home.wait(3600)

    assert (before, home.state(rule_id)) == ("counting", "not_known")
    assert home.kinds == []


def test_covered_camera_is_not_known_although_pictures_come(home: Home) -> None:
    rule_id = home.add()
    covered = Message("stream.state_changed", {"state": "degraded", "code": "no_picture"}, stream_id="room")
    home.watch.hear(covered)

    home.show(600)

    assert home.state(rule_id) == "not_known"
    assert home.kinds == []


def test_rule_rests_outside_its_hours_by_the_cameras_clock(home: Home) -> None:
    rule_id = home.add(hours=[{"from": "10:05", "to": "10:10"}])  # 08:05 in UTC

    home.show(290)
    resting = home.state(rule_id)
    home.show(75)

    assert (resting, home.state(rule_id)) == ("resting", "met")
    home.show(300)
    assert home.state(rule_id) == "resting"
    assert home.kinds == ["action.started", "action.ended"], "its hours are over, and so is its event"


def test_rule_rests_while_its_zone_is_gone(home: Home) -> None:
    rule_id = home.add(kind="lies_outside", zone="bed", after_s=10)
    home.scene = Scene()
    home.watch.scene_changed("room")

    home.show(60, lying())

    assert home.state(rule_id) == "zone_missing"
    assert home.kinds == []
    home.scene = Scene((BED,))
    home.watch.scene_changed("room")
    home.show(11, lying())
    assert home.kinds == ["action.started"]


def test_changed_rule_counts_anew_and_its_event_is_over(home: Home) -> None:
    rule_id = home.add()
    home.show(61)

    home.control.change(rule_id, TimedRulePatch.model_validate({"after_s": 120}))

    assert home.kinds == ["action.started", "action.ended"]
    home.show(60)
    assert home.state(rule_id) == "counting"


def test_rule_that_is_off_counts_nothing(home: Home) -> None:
    rule_id = home.add(enabled=False)

    home.show(600)

    assert (home.state(rule_id), home.kinds) == ("off", [])


def test_rules_go_with_their_stream_and_their_events_are_over(home: Home) -> None:
    rule_id = home.add()
    home.show(61)

    home.control.forget_stream("room")

    assert home.kinds == ["action.started", "action.ended"]
    with pytest.raises(NotFound):
        home.control.require(rule_id)


def test_sweep_removes_rules_whose_stream_went_unnoticed(home: Home) -> None:
    home.add()
    home.scene = None

    assert home.control.sweep() == 1
    assert home.control.all(None) == []


def test_rule_is_refused_whose_zone_or_stream_is_unknown(home: Home) -> None:
    with pytest.raises(InvalidRequest, match="expected an include zone of room: bed"):
        home.add(zone="sofa")
    with pytest.raises(InvalidRequest, match="found none"):
        home.add(kind="lies_outside")
    with pytest.raises(NotFound):
        home.add(stream_id="cellar")


def test_rule_is_refused_when_its_name_is_taken(home: Home) -> None:
    home.add()

    with pytest.raises(InvalidRequest, match="another name"):
        home.add()
