"""The figures of one week, for every camera and day: what a report is written from."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.database import Database, now
from service.days import Bucket, load_zone, split_range
from service.errors import InvalidRequest
from service.insights import pieces, store
from service.insights.pieces import Wanted
from service.insights.sorting import sorting_in_memory
from service.insights.store import Group

_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_DAYS = 7
_NOTHING = Group()


@dataclass(frozen=True, slots=True)
class CameraWeek:
    """One camera: a group of figures for each day, and the falls of each day that were taken back."""

    stream_id: str
    name: str
    days: Sequence[Group]
    near_falls: Sequence[int]


@dataclass(frozen=True, slots=True)
class Week:
    """A week of calendar days in a zone, and the cameras that have any event or track in it, by name.

    at: when it was counted; what lies after it has not happened yet.
    """

    key: str
    tz: str
    days: Sequence[Bucket]
    cameras: Sequence[CameraWeek]
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class WeeklyFigures:
    """Counts a week from stored events and tracks.

    names: the name of each stream that there is; one that was removed keeps its id.
    """

    database: Database
    names: Callable[[], Mapping[str, str]]
    clock: Callable[[], dt.datetime] = now

    def count(self, week: str | None, tz: str, streams: Sequence[str] = ()) -> Week:
        """The figures of an ISO week such as `2026-W20`; None for the last whole one. Raises InvalidRequest."""
        zone = load_zone(tz)
        monday = _monday(week, self.clock().astimezone(zone).date())
        days = _days(monday, zone)
        with self.database.read() as connection, sorting_in_memory(connection):
            wanted = Wanted(streams or pieces.streams_with_any(connection), days, self.clock())
            groups = store.summarise(connection, wanted, "camera_day")
            near = store.near_falls(connection, wanted) if wanted.streams else {}
        names = self.names()
        found = sorted({str(key[0]) for key in (*groups, *near)}, key=lambda one: (names.get(one, one), one))
        cameras = [
            CameraWeek(
                one, names.get(one, one), [groups.get((one, n), _NOTHING) for n in range(_DAYS)],
                [near.get((one, n), 0) for n in range(_DAYS)],
            )
            for one in found
        ]  # fmt: skip
        year, number, _ = monday.isocalendar()
        return Week(f"{year}-W{number:02}", tz, days, cameras, self.clock())


def _monday(week: str | None, today: dt.date) -> dt.date:
    if week is None:
        return today - dt.timedelta(days=today.weekday() + _DAYS)
    match = _WEEK.fullmatch(week)
    try:
        if match is None:
            raise ValueError
        return dt.date.fromisocalendar(int(match[1]), int(match[2]), 1)
    except ValueError as error:
        raise InvalidRequest(f"query.week: found {week[:32]!r}, expected an ISO week such as 2026-W20") from error


def _days(monday: dt.date, zone: dt.tzinfo) -> list[Bucket]:
    try:
        begin, end = (
            dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
            for day in (monday, monday + dt.timedelta(days=_DAYS))
        )
    except OverflowError as error:
        raise InvalidRequest(f"query.week: {monday.isoformat()} lies too near the years 1 or 9999") from error
    found = split_range(Bucket("", begin, end), "day", zone)
    # A zone that left a day out, as Samoa did in 2011, has six.
    return [*found, *[Bucket("", end, end)] * (_DAYS - len(found))]
