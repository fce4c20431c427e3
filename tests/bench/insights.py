"""How long insights take over a made-up week of ten cameras: `python -m tests.bench.insights [EVENTS ...]`."""

import datetime as dt
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import sqlalchemy as sa

import service.app  # noqa: F401 - registers every table
from service.database import Database, migrate
from service.events import store
from service.events.marks import event_marks, zone_mark
from service.insights.calendar import By
from service.insights.control import InsightControl, Question

CAMERAS, DAYS, LOADS = 10, 7, 10
BEGIN = dt.datetime(2026, 11, 16, tzinfo=dt.UTC)
END = BEGIN + dt.timedelta(days=DAYS)
ACTIONS = ("walk", "stand", "sitting", "sit_down", "stand_up", "lie", "fall", "wave")
EVENTS_PER_PERSON = 6


def iter_events(count: int) -> Iterator[dict[str, object]]:
    """Events of all cameras, spread evenly over the week, of eight seconds on average."""
    chance = random.Random(1)
    for number in range(count):
        start = BEGIN + (END - BEGIN) * (number / count)
        left, top = 0.8 * chance.random(), 0.5 * chance.random()
        action = chance.choice(ACTIONS)
        yield {
            "event_id": f"e{number}", "stream_id": f"camera-{number % CAMERAS}", "job_id": None, "action": action,
            "track_id": number // (CAMERAS * EVENTS_PER_PERSON), "state": "ended", "start_s": 0.0, "end_s": 8.0,
            "score": 0.9, "box": [left, top, left + 0.1, top + 0.4], "partner": None, "start_time": start,
            "end_time": start + dt.timedelta(seconds=chance.expovariate(1 / 8)),
            "zones": ["bed"] if chance.random() < 0.2 else [],
            "severity": "alarm" if action == "fall" else "info", "rules": [], "model": "stgcnpp-everyday-coco17-joint",
            "tags": {}, "clip_state": "none", "clip": {}, "acknowledged_at": None, "comment": "", "seq": number,
        }  # fmt: skip


def fill(database: Database, count: int) -> None:
    """Store the events, and a track for every six of a camera."""
    with database.write() as connection:
        rows = list(iter_events(count))
        connection.execute(sa.insert(store.events), rows)
        borne = [
            {"mark": zone_mark(zone), "start_time": row["start_time"], "event_id": row["event_id"]}
            for row in rows
            for zone in _texts(row["zones"])
        ]
        connection.execute(sa.insert(event_marks), borne)
        tracks = {(row["stream_id"], row["track_id"]): row["start_time"] for row in reversed(rows)}
        lasted = (END - BEGIN) * (CAMERAS * EVENTS_PER_PERSON / count) * 0.8
        left = [
            {"stream_id": name, "track_id": number, "start_time": start, "end_time": start + lasted, "reason": "left"}
            for (name, number), start in tracks.items()
            if isinstance(start, dt.datetime)
        ]
        connection.execute(sa.insert(store.tracks), left)


def _texts(value: object) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else []


def measure(ask: Callable[[], str]) -> str:
    """Milliseconds of wall clock and of processor: median and slowest."""
    ask()
    walls, processors = [], []
    for _ in range(LOADS):
        wall_s, processor_s = time.perf_counter(), time.process_time()
        ask()
        walls.append(1000 * (time.perf_counter() - wall_s))
        processors.append(1000 * (time.process_time() - processor_s))
    both = (f"{statistics.median(found):.0f}, {max(found):.0f}" for found in (walls, processors))
    return " | ".join(both)


def views(control: InsightControl) -> Iterator[tuple[str, Callable[[], str]]]:
    """What the page asks for, up to the text that is sent."""
    groups: tuple[By, ...] = ("day", "hour", "camera", "track", "action")
    for by in groups:
        asked = Question((), BEGIN, END, by=by, tz="Europe/Berlin")
        yield f"all, by {by}", partial(_summary, control, asked)
    one = Question(("camera-3",), BEGIN, END, tz="Europe/Berlin")
    yield "one camera, by day", partial(_summary, control, one)
    yield "one camera, heat map", lambda: control.heatmap(one).model_dump_json()


def _summary(control: InsightControl, asked: Question) -> str:
    return control.summarise(asked).model_dump_json()


def main() -> None:
    """Print a table for each number of events."""
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{Path(folder) / 'week.sqlite3'}")
            migrate(database)
            fill(database, count)
            for name, ask in views(InsightControl(database, lambda: END)):
                print(f"| {count:,} | {name} | {measure(ask)} |", flush=True)
            database.close()


if __name__ == "__main__":
    main()
