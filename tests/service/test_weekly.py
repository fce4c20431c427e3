"""Hours of the week: across midnight, by the clock of a zone, on days on which that is put forward or back."""

import datetime as dt

import pytest
from pydantic import ValidationError

from service.weekly import WeeklyHours, holds

BERLIN = "Europe/Berlin"


def hours(start: str, end: str, *days: str) -> WeeklyHours:
    return WeeklyHours.model_validate({"from": start, "to": end, **({"days": list(days)} if days else {})})


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("week", "at", "expected"),
    [
        pytest.param(hours("08:00", "20:00"), "2026-06-01T05:59:59", False, id="a second before eight in summer"),
        pytest.param(hours("08:00", "20:00"), "2026-06-01T06:00:00", True, id="eight in summer"),
        pytest.param(hours("08:00", "20:00"), "2026-12-01T06:30:00", False, id="half past seven in winter"),
        pytest.param(hours("08:00", "20:00"), "2026-06-01T18:00:00", False, id="its end is not in it"),
        pytest.param(hours("22:00", "06:00", "sun"), "2026-06-07T20:30:00", True, id="sunday night"),
        pytest.param(hours("22:00", "06:00", "sun"), "2026-06-08T03:30:00", True, id="monday morning of it"),
        pytest.param(hours("22:00", "06:00", "sun"), "2026-06-08T20:30:00", False, id="monday night is another"),
        pytest.param(hours("22:00", "06:00", "mon"), "2026-06-08T03:30:00", False, id="monday morning is sunday's"),
        pytest.param(hours("00:00", "24:00", "tue"), "2026-06-08T22:00:00", True, id="a whole day begins"),
        pytest.param(hours("00:00", "24:00", "tue"), "2026-06-09T22:00:00", False, id="a whole day ends"),
        pytest.param(hours("02:15", "02:45"), "2026-03-29T01:30:00", False, id="an hour that the clock skips"),
        pytest.param(hours("02:15", "02:45"), "2026-10-25T00:30:00", True, id="an hour that comes twice, first"),
        pytest.param(hours("02:15", "02:45"), "2026-10-25T01:30:00", True, id="an hour that comes twice, again"),
        pytest.param(hours("22:00", "06:00"), "2026-03-29T03:59:00", True, id="a short night ends by the clock"),
        pytest.param(hours("22:00", "06:00"), "2026-03-29T04:00:00", False, id="a short night is over at six"),
    ],
)
def test_hours_hold_by_the_clock_on_the_wall(week: WeeklyHours, at: str, expected: bool) -> None:
    assert holds([week], BERLIN, utc(at)) is expected


def test_hours_hold_in_utc_when_no_zone_is_given() -> None:
    assert holds([hours("08:00", "09:00")], None, utc("2026-06-01T08:30:00"))


def test_hours_never_hold_when_there_are_none() -> None:
    assert not holds([], BERLIN, utc("2026-06-01T08:30:00"))


@pytest.mark.parametrize(
    "body",
    [
        {"from": "08:00", "to": "08:00"},
        {"from": "24:00", "to": "08:00"},
        {"from": "8:00", "to": "09:00"},
        {"from": "25:00", "to": "09:00"},
        {"from": "08:60", "to": "09:00"},
        {"from": "08:00\n", "to": "09:00"},
        {"from": "٠٨:00", "to": "09:00"},
        {"from": "08:00", "to": "09:00", "days": []},
        {"from": "08:00", "to": "09:00", "days": ["monday"]},
        {"from": 8, "to": 9},
        {"from": "08:00"},
    ],
)
def test_hours_are_refused_when_they_are_none(body: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WeeklyHours.model_validate(body)
