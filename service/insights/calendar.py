"""The range that a client asks for, and the days or hours of it."""

import datetime as dt
from typing import Literal

from service.days import Bucket, iter_edges, split_range
from service.errors import InvalidRequest, RangeTooLong

By = Literal["day", "hour", "camera", "track", "action"]
_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_DAYS_MAX: dict[By, int] = {"hour": 31}
_DAYS_MAX_ELSE = 366
_DAYS_USUAL: dict[By, int] = {"hour": 1}
_DAYS_USUAL_ELSE = 7


def choose_range(
    since: dt.datetime | None, until: dt.datetime | None, by: By, zone: dt.tzinfo, at: dt.datetime
) -> Bucket:
    """The range that a client asked for; raises InvalidRequest, RangeTooLong.

    Left out, it ends `at`, now, and begins with the day six days earlier; by hour with the hour a day earlier.
    """
    until = at if until is None else until
    if since is None:
        earlier = until - _DAY * _DAYS_USUAL.get(by, _DAYS_USUAL_ELSE) - dt.timedelta.resolution
        since = next(iter_edges(earlier, "hour" if by == "hour" else "day", zone))
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
    return split_range(whole, by, zone) if by in ("day", "hour") else [whole]
