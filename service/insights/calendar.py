"""Days and hours as a clock on the wall has them: in a zone, with the days on which it is put forward or back."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from service.errors import InvalidRequest, RangeTooLong
from service.weekly import find_zone

By = Literal["day", "hour", "camera", "track", "action"]
_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_DAYS_MAX: dict[By, int] = {"hour": 31}
_DAYS_MAX_ELSE = 366
_DAYS_USUAL: dict[By, int] = {"hour": 1}
_DAYS_USUAL_ELSE = 7


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


def choose_range(
    since: dt.datetime | None, until: dt.datetime | None, by: By, zone: dt.tzinfo, at: dt.datetime
) -> Bucket:
    """The range that a client asked for; raises InvalidRequest, RangeTooLong.

    Left out, it ends `at`, now, and begins with the day six days earlier; by hour with the hour a day earlier.
    """
    until = at if until is None else until
    if since is None:
        earlier = until - _DAY * _DAYS_USUAL.get(by, _DAYS_USUAL_ELSE) - dt.timedelta.resolution
        since = next(_iter_edges(earlier, "hour" if by == "hour" else "day", zone))
    if since >= until:
        raise InvalidRequest(f"query.since: found {since.isoformat()}, expected a time before {until.isoformat()}")
    days = _DAYS_MAX.get(by, _DAYS_MAX_ELSE)
    # A day more, for a range of whole days over an hour that is put back.
    if until - since > _DAY * days + _HOUR:
        raise RangeTooLong(
            f"query.since: found {(until - since) / _DAY:.1f} days up to query.until, expected at most {days} by {by}"
        )
    return Bucket("", since, until)


def split(whole: Bucket, by: By, zone: dt.tzinfo) -> list[Bucket]:
    """The days or hours of a range, the first and the last cut by it; the range itself when grouped otherwise."""
    if by not in ("day", "hour"):
        return [whole]
    found: list[Bucket] = []
    start = whole.start_time
    for edge in _iter_edges(start, by, zone):
        end = min(edge, whole.end_time)
        found.append(Bucket(_key(start, by, zone), start, end))
        if end == whole.end_time:
            break
        start = end
    return found


def _iter_edges(after: dt.datetime, by: By, zone: dt.tzinfo) -> Iterator[dt.datetime]:
    """When days or hours begin after a time, in UTC, without end."""
    edge = after
    while True:
        edge = _next_hour(edge, zone) if by == "hour" else _next_midnight(edge, zone)
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


def _key(start: dt.datetime, by: By, zone: dt.tzinfo) -> str:
    local = start.astimezone(zone)
    if by == "day":
        return local.date().isoformat()
    return local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes")
