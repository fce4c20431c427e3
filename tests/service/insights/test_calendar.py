"""Days and hours of a zone, with those that are longer or shorter than others."""

import datetime as dt

import pytest

from service.days import Bucket, load_zone
from service.errors import InvalidRequest, RangeTooLong
from service.insights.calendar import By, choose_range, split
from tests.service.insights.household import utc

BERLIN = "Europe/Berlin"


def _hours(buckets: list[Bucket]) -> list[float]:
    return [(bucket.end_time - bucket.start_time) / dt.timedelta(hours=1) for bucket in buckets]


@pytest.mark.parametrize(
    ("tz", "since", "until", "keys", "hours"),
    [
        ("UTC", "2026-03-28T00:00", "2026-03-30T00:00", ["2026-03-28", "2026-03-29"], [24, 24]),
        (BERLIN, "2026-03-27T23:00", "2026-03-29T22:00", ["2026-03-28", "2026-03-29"], [24, 23]),
        (BERLIN, "2026-10-24T22:00", "2026-10-26T23:00", ["2026-10-25", "2026-10-26"], [25, 24]),
        (BERLIN, "2026-03-28T12:00", "2026-03-29T10:00", ["2026-03-28", "2026-03-29"], [11, 11]),
        ("Asia/Kolkata", "2026-03-28T12:00", "2026-03-29T12:00", ["2026-03-28", "2026-03-29"], [6.5, 17.5]),
        ("Pacific/Apia", "2011-12-29T10:00", "2011-12-31T10:00", ["2011-12-29", "2011-12-31"], [24, 24]),
        ("America/Havana", "2026-03-07T05:00", "2026-03-09T04:00", ["2026-03-07", "2026-03-08"], [24, 23]),
    ],
    ids=["utc", "forward", "back", "cut", "half an hour", "a day left out", "midnight left out"],
)
def test_days_are_those_of_the_zone(tz: str, since: str, until: str, keys: list[str], hours: list[float]) -> None:
    days = split(Bucket("", utc(since), utc(until)), "day", load_zone(tz))

    assert [day.key for day in days] == keys
    assert _hours(days) == hours


def test_hour_that_comes_twice_is_two_hours() -> None:
    hours = split(Bucket("", utc("2026-10-25T00:00"), utc("2026-10-25T02:00")), "hour", load_zone(BERLIN))

    assert [hour.key for hour in hours] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]


def test_hours_begin_with_the_clock_of_the_zone() -> None:
    hours = split(Bucket("", utc("2026-05-01T10:15"), utc("2026-05-01T11:45")), "hour", load_zone("Asia/Kolkata"))

    assert [hour.key for hour in hours] == [
        "2026-05-01T15:00+05:30",
        "2026-05-01T16:00+05:30",
        "2026-05-01T17:00+05:30",
    ]
    assert _hours(hours) == [0.25, 1, 0.25]


def test_camera_is_one_range() -> None:
    whole = Bucket("", utc("2026-05-01T00:00"), utc("2026-05-09T00:00"))

    assert split(whole, "camera", dt.UTC) == [whole]


@pytest.mark.parametrize(
    ("by", "until", "since"),
    [
        ("day", "2026-05-08T12:00", "2026-05-01T22:00"),
        ("day", "2026-05-08T22:00", "2026-05-01T22:00"),
        ("camera", "2026-05-08T12:00", "2026-05-01T22:00"),
        ("hour", "2026-05-08T12:30", "2026-05-07T13:00"),
    ],
)
def test_range_without_begin_is_the_last_week_or_day(by: By, until: str, since: str) -> None:
    found = choose_range(None, None, by, load_zone(BERLIN), utc(until))

    assert (found.start_time, found.end_time) == (utc(since), utc(until))


@pytest.mark.parametrize(("by", "days"), [("day", 366), ("hour", 31), ("camera", 366), ("track", 366), ("action", 366)])
def test_range_is_refused_when_it_is_longer_than_one_answer(by: By, days: int) -> None:
    until = utc("2026-05-08T00:00")
    longest = dt.timedelta(days=days)

    assert choose_range(until - longest, until, by, dt.UTC, until).start_time == until - longest
    with pytest.raises(RangeTooLong, match=f"expected at most {days} by {by}"):
        choose_range(until - longest - dt.timedelta(hours=2), until, by, dt.UTC, until)


@pytest.mark.parametrize("since", ["2026-05-08T00:00", "2026-05-09T00:00"])
def test_range_is_refused_when_it_ends_before_it_begins(since: str) -> None:
    with pytest.raises(InvalidRequest, match=r"query\.since.*expected a time before 2026-05-08"):
        choose_range(utc(since), utc("2026-05-08T00:00"), "day", dt.UTC, utc("2026-05-10T00:00"))


@pytest.mark.parametrize("name", ["", "Europe", "Europe/Nowhere", "../etc/passwd", "/etc/passwd", "x" * 64, "é", "a b"])
def test_zone_is_refused_when_nobody_lives_by_it(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"query\.tz"):
        load_zone(name)
