"""Quiet hours and escalation, by a clock that the tests move."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from models.severity import Severity
from service.database import Database, migrate
from service.event_log import EventLog, Message
from service.sinks.manners import PoliteTurn, Wishes, wants
from service.sinks.outbox import Outbox
from service.weekly import WeeklyHours
from tests.service.sinks.test_outbox import ListSink, MemoryLedger

NIGHT = WeeklyHours.model_validate({"from": "22:00", "to": "06:00"})
NOON = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2026, 6, 1, 22, 30, tzinfo=dt.UTC)
PATIENT = Wishes(escalate_after_s=300)


def started(severity: str = "warning", at: dt.datetime = NOON, **data: str) -> Message:
    return Message("action.started", {"event_id": "e1", "action": "lie", "severity": severity, **data}, "room", time=at)


@dataclass
class Hall:
    """A clock, and who has acknowledged what."""

    now: dt.datetime = NOON
    settled: set[str] = field(default_factory=set)

    def turn(self, wishes: Wishes) -> PoliteTurn:
        return PoliteTurn(wishes, self.settled.__contains__, lambda: self.now)


@pytest.mark.parametrize(
    ("at", "severity", "for_alarms", "zone", "expected"),
    [
        pytest.param(NOON, "warning", False, None, None, id="by day"),
        pytest.param(MIDNIGHT, "warning", False, None, "quiet", id="at night"),
        pytest.param(MIDNIGHT, "alarm", False, None, None, id="an alarm at night"),
        pytest.param(MIDNIGHT, "alarm", True, None, "quiet", id="an alarm for who wants none"),
        pytest.param(NOON.replace(hour=20, minute=30), "warning", False, "Europe/Berlin", "quiet", id="by its clock"),
        pytest.param(NOON.replace(hour=4, minute=30), "warning", False, "Europe/Berlin", None, id="its morning"),
    ],
)  # fmt: skip
def test_quiet_hours_hold_back_all_but_alarms(
    at: dt.datetime, severity: str, for_alarms: bool, zone: str | None, expected: str | None
) -> None:
    turn = Hall(at).turn(Wishes(quiet_hours=(NIGHT,), quiet_for_alarms=for_alarms, time_zone=zone))

    assert turn.refusal(started(severity, at)) == expected


def test_escalation_waits_as_long_as_the_others_have_time() -> None:
    hall = Hall()
    turn = hall.turn(PATIENT)

    waits = []
    for seconds in (0, 100, 300, 301):
        hall.now = NOON + dt.timedelta(seconds=seconds)
        waits.append(turn.wait_s(started()))

    assert waits == [300, 200, 0, -1]


@pytest.mark.parametrize("hours", [-48, 48])
def test_escalation_never_waits_longer_than_was_asked_for_when_a_clock_jumps(hours: int) -> None:
    turn = Hall(NOON + dt.timedelta(hours=hours)).turn(PATIENT)

    assert turn.wait_s(started()) <= 300


def test_escalation_tells_only_what_nobody_acknowledged() -> None:
    hall = Hall()
    turn = hall.turn(PATIENT)

    before = turn.refusal(started())
    hall.settled.add("e1")

    assert (before, turn.refusal(started())) == (None, "acknowledged")


def test_escalation_is_of_beginnings_alone() -> None:
    wishes = Wishes(messages=("action", "stream"), escalate_after_s=300)

    kinds = ("action.started", "action.updated", "action.ended", "stream.state_changed")
    told = [kind for kind in kinds if wants(wishes, Message(kind, {}, "room"))]

    assert told == ["action.started"]


@pytest.mark.parametrize(
    ("least", "severity", "expected"),
    [(None, "info", True), ("warning", "info", False), ("warning", "alarm", True), ("alarm", "warning", False)],
)
def test_wishes_name_how_urgent_an_action_must_be(least: Severity | None, severity: str, expected: bool) -> None:
    assert wants(Wishes(min_severity=least), started(severity)) is expected


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    database = Database(f"sqlite:///{tmp_path / 'log.sqlite3'}")
    migrate(database)
    return EventLog(database, lambda _: None)


def tell(log: EventLog, *messages: Message) -> None:
    with log.transaction() as transaction:
        for message in messages:
            transaction.announce(message)


def drain(log: EventLog, hall: Hall, sink: ListSink, ledger: MemoryLedger, wishes: Wishes) -> Outbox:
    """What an outbox does in one round, without its thread."""
    turn = hall.turn(wishes)
    outbox = Outbox("dst", log, sink, ledger, lambda message: wants(turn.wishes, message), turn=turn)
    outbox._drain()
    return outbox


def test_outbox_keeps_its_place_while_it_waits_and_another_server_goes_on(log: EventLog) -> None:
    hall, sink, ledger = Hall(), ListSink(), MemoryLedger(0)
    tell(log, started(event_id="e1"), started(event_id="e2", at=NOON + dt.timedelta(seconds=200)))

    drain(log, hall, sink, ledger, PATIENT)
    waiting = (list(sink.seen), ledger.at)
    hall.now += dt.timedelta(seconds=300)
    drain(log, hall, sink, ledger, PATIENT)
    first = (list(sink.seen), ledger.at)
    hall.now += dt.timedelta(seconds=200)
    drain(log, hall, sink, ledger, PATIENT)

    assert (waiting, first, sink.seen) == (([], 0), ([1], 1), [1, 2])


def test_outbox_passes_over_what_was_acknowledged_in_time_and_says_so(log: EventLog) -> None:
    hall, sink, ledger = Hall(), ListSink(), MemoryLedger(0)
    tell(log, started(event_id="e1"), started(event_id="e2"))
    hall.settled.add("e1")
    hall.now += dt.timedelta(seconds=300)

    drain(log, hall, sink, ledger, PATIENT)

    assert sink.seen == [2]
    assert [(one.seq, one.outcome) for one in ledger.attempts] == [(1, "acknowledged"), (2, "delivered")]


def test_outbox_does_not_send_later_what_fell_into_quiet_hours(log: EventLog) -> None:
    hall, sink, ledger = Hall(MIDNIGHT), ListSink(), MemoryLedger(0)
    tell(log, started(at=MIDNIGHT), started("alarm", at=MIDNIGHT))

    drain(log, hall, sink, ledger, Wishes(quiet_hours=(NIGHT,)))
    hall.now = NOON + dt.timedelta(days=1)
    drain(log, hall, sink, ledger, Wishes(quiet_hours=(NIGHT,)))

    assert sink.seen == [2]
    assert [one.outcome for one in ledger.attempts] == ["quiet", "delivered"]
