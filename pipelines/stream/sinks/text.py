"""Results as text: JSON lines while frames go by, one JSON object, or a CSV table of actions."""

import csv
import io
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from pipelines.results import (
    Header,
    JsonObject,
    PersonTimeline,
    Summary,
    action_object,
    break_object,
    frame_object,
    header_object,
    summary_object,
    track_object,
)
from pipelines.stream.sinks.output import OutputFile, told
from pipelines.types import Event, FrameResult

CSV_COLUMNS = ("track_id", "action", "start_s", "end_s", "duration_s", "score", "state")


class _TextSink:
    """A text file, or standard output where `path` is None."""

    wants_pictures = False

    def __init__(self, path: Path | None) -> None:
        self._path = path or Path("-")
        self._output = None if path is None else OutputFile(path)
        self._file: TextIO | None = None

    def open(self, header: Header) -> None:  # noqa: ARG002 - not every form says it first
        """Begin the file. Raises SinkError, DiskFull."""
        if self._output is None:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8, whatever the locale says
            self._file = sys.stdout
            return
        place = self._output.open()
        with told(self._path):
            self._file = place.open("w", encoding="utf-8", newline="")

    def write(self, result: FrameResult) -> None:
        """Nothing to say of a single frame."""

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._output is not None:
            if self._file is not None:
                self._discard(self._file)
            self._output.abort()

    def _put(self, text: str) -> None:
        assert self._file is not None, "open comes first"
        with told(self._path):
            self._file.write(text)

    def _finish(self) -> None:
        assert self._file is not None, "open comes first"
        with told(self._path):
            self._file.flush()
            if self._output is not None:
                self._file.close()
        if self._output is not None:
            self._output.commit()

    def _discard(self, file: TextIO) -> None:
        """Close without flushing errors: on a full disk the flush fails again."""
        try:
            file.close()
        except OSError:
            return


class JsonlSink(_TextSink):
    """One JSON object per line: the source, every frame, every change of an event, and finally the summary."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(path)
        self._last = (0.0, 0)

    def open(self, header: Header) -> None:
        """Write the first line."""
        super().open(header)
        self._lines([header_object(header)])

    def write(self, result: FrameResult) -> None:
        """Write a frame, and what changed with it."""
        time_s, index = self._last = (result.frame.time_s, result.frame.index)
        broken = break_object(result.frame)
        self._lines([broken] if broken else [])
        self._lines([frame_object(result)])
        self._lines(action_object(event, time_s, index) for event in result.events)
        self._lines(track_object(track_id, reason, time_s, index) for track_id, reason in result.poses.ended)

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        """Write what the end closed and the summary."""
        self._lines(action_object(event, *self._last) for event in events)
        self._lines([{"type": "summary", **summary_object(summary)}])
        self._finish()

    def _lines(self, objects: Iterable[JsonObject]) -> None:
        for each in objects:
            self._put(json.dumps(each, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


class JsonSink(_TextSink):
    """The summary as one JSON object."""

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:  # noqa: ARG002 - the summary holds them
        """Write it."""
        self._put(json.dumps(summary_object(summary), ensure_ascii=False, allow_nan=False, indent=2) + "\n")
        self._finish()


class CsvSink(_TextSink):
    """A row per action of a person, in the order of persons, then of time."""

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:  # noqa: ARG002 - the summary holds them
        """Write the table."""
        assert self._file is not None, "open comes first"
        with told(self._path):
            rows = csv.writer(self._file, lineterminator="\n")
            rows.writerow(CSV_COLUMNS)
            rows.writerows(row for track in summary.tracks for row in csv_rows(track))
        self._finish()


def csv_rows(track: PersonTimeline) -> list[tuple[object, ...]]:
    """The rows of one person, in the order of CSV_COLUMNS."""
    return [
        (
            track.track_id,
            one.action,
            round(one.start_s, 4),
            round(one.end_s, 4),
            round(one.end_s - one.start_s, 4),
            round(one.score, 3),
            one.state,
        )
        for one in track.actions
    ]
