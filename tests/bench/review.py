"""How long lists and the views of the review page take over a made-up week: `python -m tests.bench.review`."""

import datetime as dt
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from service.database import Database, migrate
from service.events.control import EventControl
from service.events.review import EventReview
from service.events.schemas import EventRead
from service.events.search import Filter
from tests.bench.insights import BEGIN, END, fill, measure

_PAGE = 50
_DAY = END - dt.timedelta(days=2), END - dt.timedelta(days=1)


def views(control: EventControl) -> Iterator[tuple[str, Callable[[], str]]]:
    """What the page and programs ask for, up to the text that is sent."""
    asked = {
        "newest": Filter(), "one camera": Filter(stream_id="camera-3"), "one action": Filter(action="fall"),
        "an action that is rare": Filter(action="kick"), "one zone": Filter(zone="bed"),
        "a zone that is rare": Filter(zone="roof"), "a tag that is rare": Filter(tag=("site", "north")),
        "ended": Filter(state="ended"), "alarms": Filter(severity="alarm"),
        "score above all": Filter(min_score=0.99), "falls of a camera in a zone, one day": Filter(
            stream_id="camera-3", action="fall", zone="bed", since=_DAY[0], until=_DAY[1]
        ),
        "one person": Filter(stream_id="camera-3", track_id=20),
    }  # fmt: skip
    for name, wanted in asked.items():
        yield f"list: {name}", partial(_list, control, wanted)
    yield "list: a page of a week ago", partial(_list, control, Filter(), (BEGIN + dt.timedelta(hours=1), ""))
    yield from _review(EventReview(control.database))


def _review(review: EventReview) -> Iterator[tuple[str, Callable[[], str]]]:
    day = Filter(since=_DAY[0], until=_DAY[1], is_retracted=False)
    month = replace(day, since=END - dt.timedelta(days=42), until=END)
    yield "review: calendar of six weeks", lambda: review.days(month, "Europe/Berlin").model_dump_json()
    of_zone = replace(month, zone="bed")
    yield "review: the same, one zone", lambda: review.days(of_zone, "Europe/Berlin").model_dump_json()
    yield "review: a day of all cameras", lambda: review.overview(day, 288).model_dump_json()
    falls = replace(day, action="fall")
    yield "review: the same, falls", lambda: review.overview(falls, 288).model_dump_json()
    scored = replace(day, min_score=0.5, severity="alarm", zone="bed")
    yield "review: the same, alarms in a zone", lambda: review.overview(scored, 288).model_dump_json()
    week = replace(day, since=BEGIN, until=END)
    yield "review: a week of all cameras", lambda: review.overview(week, 288).model_dump_json()


def _list(control: EventControl, wanted: Filter, before: tuple[dt.datetime, str] | None = None) -> str:
    return "".join(EventRead.of(row).model_dump_json() for row in control.page(wanted, before, _PAGE))


def main() -> None:
    """Print a table for each number of events."""
    for count in [int(text) for text in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{Path(folder) / 'week.sqlite3'}")
            migrate(database)
            fill(database, count)
            for name, ask in views(EventControl(database)):
                print(f"| {count:,} | {name} | {measure(ask)} |", flush=True)
            database.close()


if __name__ == "__main__":
    main()
