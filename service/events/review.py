"""What a page of review is drawn from: days that have events, and a timeline of every camera."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from service.database import Database
from service.days import Bucket, load_zone, split_range
from service.errors import InvalidRequest, RangeTooLong
from service.events import counts
from service.events.counts import Tally
from service.events.schemas import DayCount, DayList, StreamCells, TimelineOverview
from service.events.search import Filter

_DAY = dt.timedelta(days=1)
_HOUR = dt.timedelta(hours=1)
_DAYS_MAX = 62
_OVERVIEW_DAYS_MAX = 7
_NONE = Tally(0, 0, 0)


@dataclass(frozen=True, slots=True)
class EventReview:
    """Counts events for calendars and timelines, by an index of their times."""

    database: Database

    def days(self, wanted: Filter, tz: str) -> DayList:
        """How many events began on each day of a range; raises InvalidRequest, RangeTooLong."""
        zone = load_zone(tz)
        buckets = split_range(_range(wanted, _DAYS_MAX), "day", zone)
        with self.database.read() as connection:
            found = counts.by_bucket(connection, wanted, buckets)
        lined = [(bucket, found.get(n, _NONE)) for n, bucket in enumerate(buckets)]
        items = [
            DayCount(
                day=bucket.key, start_time=bucket.start_time, end_time=bucket.end_time, events=tally.count,
                alarms=tally.alarms, warnings=tally.warnings,
            )
            for bucket, tally in lined
        ]  # fmt: skip
        return DayList(tz=tz, items=items)

    def overview(self, wanted: Filter, parts: int) -> TimelineOverview:
        """How many events of each stream began in each of the equal parts of a range.

        Raises InvalidRequest, RangeTooLong.
        """
        whole = _range(wanted, _OVERVIEW_DAYS_MAX)
        buckets = _equal(whole, parts)
        with self.database.read() as connection:
            found = counts.by_stream(connection, wanted, buckets)
            long = counts.reaching(connection, wanted, buckets)
        going = _going_on(long, buckets)
        streams = [_cells(name, found.get(name, {}), going.get(name, {})) for name in sorted({*found, *going})]
        return TimelineOverview(since=whole.start_time, until=whole.end_time, parts=parts, streams=streams)


def _range(wanted: Filter, days_max: int) -> Bucket:
    since, until = wanted.since, wanted.until
    if since is None or until is None:
        raise InvalidRequest("query.since, query.until: both are needed here")
    if since >= until:
        raise InvalidRequest(f"query.since: found {since.isoformat()}, expected a time before {until.isoformat()}")
    # A little more, for whole days over an hour that is put back.
    if until - since > days_max * _DAY + _HOUR:
        raise RangeTooLong(f"query.since: found {(until - since) / _DAY:.1f} days, expected at most {days_max}")
    return Bucket("", since, until)


def _equal(whole: Bucket, parts: int) -> list[Bucket]:
    step = (whole.end_time - whole.start_time) / parts
    edges = [whole.start_time + n * step for n in range(parts)] + [whole.end_time]
    return [Bucket("", start, end) for start, end in pairwise(edges)]


def _going_on(
    long: Sequence[tuple[str, dt.datetime, dt.datetime]], buckets: Sequence[Bucket]
) -> dict[str, dict[int, int]]:
    """Stream → index of the bucket → how many events of before went on in it."""
    found: dict[str, dict[int, int]] = {}
    first = buckets[0].start_time
    step = buckets[0].end_time - first
    for stream_id, start, end in long:
        begun = -1 if start < first else (start - first) // step
        last = min(len(buckets) - 1, (end - first) // step)
        cells = found.setdefault(stream_id, {})
        for n in range(begun + 1, last + 1):
            cells[n] = cells.get(n, 0) + 1
    return found


def _cells(stream_id: str, tallies: dict[int, Tally], going: dict[int, int]) -> StreamCells:
    cells = [
        [n, (tally := tallies.get(n, _NONE)).count, tally.alarms, tally.warnings, going.get(n, 0)]
        for n in sorted({*tallies, *going})
    ]
    return StreamCells(stream_id=stream_id, events=sum(tally.count for tally in tallies.values()), cells=cells)
