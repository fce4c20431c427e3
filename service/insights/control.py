"""What users ask of days and hours, answered from one reading transaction."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.database import Database, now
from service.days import Bucket, load_zone
from service.insights import heatmap, pieces, store
from service.insights.calendar import By, choose_range, split
from service.insights.pieces import Wanted
from service.insights.schemas import HeatmapRead, InsightRead, InsightsRead
from service.insights.sorting import sorting_in_memory
from service.insights.store import TRACKS_MAX, Group, Key


@dataclass(frozen=True, slots=True)
class Question:
    """What a client wants to know.

    streams: empty for every stream.
    since, until: UTC; None for the last week, or the last day by hour.
    tz: IANA name of the zone whose days and hours are meant.
    """

    streams: Sequence[str] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    zone: str | None = None
    action: str | None = None
    by: By = "day"
    tz: str = "UTC"


class InsightControl:
    """Sums over stored events and tracks.

    clock: the time, in UTC: where a range ends that is left open, and until when a track that goes on has lasted.
    """

    def __init__(self, database: Database, clock: Callable[[], dt.datetime] = now) -> None:
        self._database = database
        self._clock = clock

    def summarise(self, asked: Question) -> InsightsRead:
        """Sums by day, hour, camera, person or action; raises InvalidRequest, RangeTooLong."""
        zone = load_zone(asked.tz)
        whole = self._range(asked, zone)
        buckets = split(whole, asked.by, zone)
        with self._database.read() as connection, sorting_in_memory(connection):
            streams = asked.streams or pieces.streams_with_any(connection)
            wanted = Wanted(streams, buckets, self._clock(), asked.zone, asked.action)
            found = store.summarise(connection, wanted, asked.by)
        items = [_item(group, bucket, asked.by, key) for key, bucket, group in _lined(found, wanted, asked.by)]
        is_cut = asked.by == "track" and len(items) > TRACKS_MAX
        shown = items[:TRACKS_MAX] if is_cut else items
        return InsightsRead(
            by=asked.by, tz=asked.tz, since=whole.start_time, until=whole.end_time, items=shown, is_truncated=is_cut
        )

    def heatmap(self, asked: Question) -> HeatmapRead:
        """Where the people of one stream were; raises InvalidRequest, RangeTooLong."""
        whole = self._range(asked, load_zone(asked.tz))
        with self._database.read() as connection:
            wanted = Wanted(asked.streams, [whole], self._clock(), asked.zone, asked.action)
            grid, count = heatmap.heat(connection, wanted)
        return HeatmapRead(
            stream_id=asked.streams[0], since=whole.start_time, until=whole.end_time, columns=heatmap.COLUMNS,
            rows=heatmap.ROWS, events=count, seconds=[[round(cell, 3) for cell in row] for row in grid],
        )  # fmt: skip

    def _range(self, asked: Question, zone: dt.tzinfo) -> Bucket:
        return choose_range(asked.since, asked.until, asked.by, zone, self._clock())


def _lined(found: dict[Key, Group], wanted: Wanted, by: By) -> list[tuple[Key, Bucket, Group]]:
    """Days and hours in their order, empty ones too; cameras and actions by name; people newest first."""
    if by in ("day", "hour"):
        nothing = Group(presence_s=None if wanted.is_filtered else 0.0)
        return [((n,), bucket, found.get((n,), nothing)) for n, bucket in enumerate(wanted.buckets)]
    keys = sorted(found)
    if by == "track":
        # Two sorts, the second of which keeps the order of the first among equals.
        keys.sort(key=lambda key: found[key].first_movement or wanted.buckets[0].start_time, reverse=True)
    return [(key, wanted.buckets[0], found[key]) for key in keys]


def _item(group: Group, bucket: Bucket, by: By, key: Key) -> InsightRead:
    stream_id = str(key[0]) if by in ("camera", "track") else None
    track_id = f"{key[0]}:{key[1]}" if by == "track" else None
    action = str(key[0]) if by == "action" else None
    return InsightRead(
        key=bucket.key or track_id or stream_id or action or "", start_time=bucket.start_time,
        end_time=bucket.end_time, stream_id=stream_id, track_id=track_id, action=action,
        totals_s={name: round(group.totals_s[name], 3) for name in sorted(group.totals_s)},
        counts=dict(sorted(group.counts.items())), falls=group.falls, other_alarms=group.other_alarms,
        tracks=group.tracks, presence_s=None if group.presence_s is None else round(group.presence_s, 3),
        first_movement=group.first_movement, last_movement=group.last_movement,
    )  # fmt: skip
