"""Days and hours as a clock on the wall has them: in a zone, with the days on which it is put forward or back."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.errors import InvalidRequest
from service.weekly import find_zone

Unit = Literal["day", "hour"]
_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """One day or hour, or a whole range; from `start_time`, up to and without `end_time`, both in UTC.

    key: "2026-03-29" for a day, "2026-03-29T03:00+02:00" for an hour, in the zone's own time; "" for a range.
    """

    key: str
    start_time: dt.datetime
    end_time: dt.datetime


def load_zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name; raises InvalidRequest."""
    zone = find_zone(name)
    if zone is None:
        raise InvalidRequest(f"query.tz: found {name[:64]!r}, expected an IANA time zone such as Europe/Berlin")
    return zone


def split_range(whole: Bucket, unit: Unit, zone: dt.tzinfo) -> list[Bucket]:
    """The days or hours of a range, the first and the last cut by it."""
    found: list[Bucket] = []
    start = whole.start_time
    for edge in iter_edges(start, unit, zone):
        end = min(edge, whole.end_time)
        found.append(Bucket(_key(start, unit, zone), start, end))
        if end == whole.end_time:
            break
        start = end
    return found


def iter_edges(after: dt.datetime, unit: Unit, zone: dt.tzinfo) -> Iterator[dt.datetime]:
    """When days or hours begin after a time, in UTC, without end."""
    edge = after
    while True:
        edge = _next_hour(edge, zone) if unit == "hour" else _next_midnight(edge, zone)
        yield edge


def _next_hour(time: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    local = time.astimezone(zone)
    return time + _HOUR - dt.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _next_midnight(time: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    day = time.astimezone(zone).date()
    edge = time
    # More than once only where a zone has left a day out, as Samoa did in 2011.
    while edge <= time:
        day += _DAY
        edge = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    return edge


def _key(start: dt.datetime, unit: Unit, zone: dt.tzinfo) -> str:
    local = start.astimezone(zone)
    if unit == "day":
        return local.date().isoformat()
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
