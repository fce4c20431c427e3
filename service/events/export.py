"""A range of events as a file: a table, their clips, or all of their evidence, sent while it is read."""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from service.database import Database
from service.days import Bucket
from service.errors import ExportTooLarge
from service.events import counts, search
from service.events.evidence import EvidenceFolder
from service.events.file_names import plain_name, time_name
from service.events.schemas import EventRead
from service.events.search import Filter, Place
from service.events.store import EventRow
from service.events.stream_zip import Member, iter_zip

Kind = Literal["csv", "clips", "evidence"]
ROWS_MAX = 100_000
EVENTS_MAX = 1_000
BYTES_MAX = 4 * 2**30 - 2**26
"""What every system's own programs unpack, with room for the names."""
_AT_ONCE = 500
_FILES: dict[Kind, tuple[str, ...]] = {
    "csv": (), "clips": ("clip.mp4",), "evidence": ("clip.mp4", "thumbnail.jpg", "evidence.json", "skeletons.jsonl"),
}  # fmt: skip
_COLUMNS = (
    "event_id", "stream_id", "track_id", "action", "state", "severity", "score", "start_time", "end_time",
    "duration_s", "zones", "rules", "acknowledged_at", "comment", "model", "clip_state",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is sent piece by piece."""

    name: str
    media_type: str
    pieces: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class EventExport:
    """Sends ranges of events; nothing of them is held but a page of rows and a piece of a file."""

    database: Database
    evidence: EvidenceFolder

    def open(self, wanted: Filter, kind: Kind, whole: Bucket) -> Export:
        """The file of the events that began in a range; raises ExportTooLarge before anything is sent."""
        count = self._count(wanted, whole)
        most = ROWS_MAX if kind == "csv" else EVENTS_MAX
        if count > most:
            raise ExportTooLarge(f"{count} events, expected at most {most} as {kind}: narrow the range or the search")
        stem = f"actogram-{time_name(whole.start_time)}-{time_name(whole.end_time)}"
        if kind == "csv":
            return Export(f"{stem}.csv", "text/csv; charset=utf-8", iter_csv(self._iter_rows(wanted)))
        members = list(self._iter_members(list(self._iter_rows(wanted)), kind))
        size_bytes = sum(member.size_bytes for member in members)
        if size_bytes > BYTES_MAX:
            raise ExportTooLarge(
                f"{size_bytes} bytes of {kind}, expected at most {BYTES_MAX}: narrow the range or the search"
            )
        return Export(f"{stem}-{kind}.zip", "application/zip", iter_zip(members))

    def _count(self, wanted: Filter, whole: Bucket) -> int:
        with self.database.read() as connection:
            found = counts.by_bucket(connection, wanted, [whole])
        return found[0].count if found else 0

    def _iter_rows(self, wanted: Filter) -> Iterator[EventRow]:
        """Each page in a transaction of its own: a slow client must not hold the database's journal."""
        before: Place | None = None
        while True:
            with self.database.read() as connection:
                rows = search.page(connection, wanted, before, _AT_ONCE)
            yield from rows
            if len(rows) < _AT_ONCE:
                return
            before = (rows[-1].start_time, rows[-1].event.event_id)

    def _iter_members(self, rows: Sequence[EventRow], kind: Kind) -> Iterator[Member]:
        at = max((row.start_time for row in rows), default=dt.datetime(1980, 1, 1, tzinfo=dt.UTC))
        yield Member("events.csv", b"".join(iter_csv(iter(rows))), at)
        for row in rows:
            name = folder_name(row)
            if kind == "evidence":
                told = json.dumps(EventRead.of(row).model_dump(mode="json"), indent=1).encode()
                yield Member(f"{name}/event.json", told, row.start_time)
            for file in _FILES[kind]:
                if (found := self.evidence.file(row.event.event_id, file)) is not None:
                    shown = f"{name}.mp4" if kind == "clips" else f"{name}/{file}"
                    yield Member(shown, found, row.start_time)


def folder_name(row: EventRow) -> str:
    """Where an event lies in an archive: in the order of time, with names that every system takes."""
    of = plain_name(row.stream_id or row.job_id or "")[:40]
    return (
        f"{time_name(row.start_time)}-{plain_name(row.event.action)[:30]}-{of}-{plain_name(row.event.event_id)[-40:]}"
    )


def iter_csv(rows: Iterator[EventRow]) -> Iterator[bytes]:
    """A head and a row for each event; texts that a spreadsheet would run are quoted."""
    yield _line(_COLUMNS)
    for row in rows:
        told = EventRead.of(row).model_dump(mode="json")
        yield _line([_cell(told[name]) for name in _COLUMNS])


def _cell(value: object) -> object:
    text = "; ".join(map(str, value)) if isinstance(value, list) else value
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def _line(cells: Sequence[object]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow(cells)
    return file.getvalue().encode()
