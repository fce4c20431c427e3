"""Review: days and timelines counted by hand, searches that read an index, files that every system unpacks."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.blob_store import FileStore
from service.database import Database, migrate
from service.days import Bucket
from service.errors import ExportTooLarge, InvalidRequest, RangeTooLong
from service.events import export, search, store
from service.events.evidence import EvidenceFolder
from service.events.export import EventExport, Kind
from service.events.file_names import plain_name
from service.events.review import EventReview
from service.events.search import Filter
from tests.postgres import postgres
from tests.service.insights.household import Household, utc

DAY = Filter(since=utc("2026-05-02T00:00"), until=utc("2026-05-03T00:00"))


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def file_house(tmp_path: Path) -> Iterator[Household]:
    database = Database(f"sqlite:///{tmp_path / 'review.sqlite3'}")
    migrate(database)
    yield Household(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest) -> Iterator[Household]:
    if request.param == "sqlite":
        yield request.getfixturevalue("file_house")
        return
    database = Database(request.getfixturevalue("postgres_url"))
    migrate(database)
    with database.write() as connection:
        for table in ("events", "event_marks"):
            connection.execute(sa.delete(sa.table(table)))
    yield Household(database)
    database.close()


def ids(house: Household, wanted: Filter, limit: int = 50) -> list[str]:
    with house.database.read() as connection:
        return [row.event.event_id for row in search.page(connection, wanted, None, limit)]


def test_days_are_counted_in_the_zone_asked_for(house: Household) -> None:
    house.event("walk", "2026-05-01T23:30", 5)
    house.event("fall", "2026-05-02T10:00", 5)
    house.event("fall", "2026-05-02T11:00", 5, state="retracted")
    wanted = replace(DAY, since=utc("2026-04-30T22:00"), until=utc("2026-05-03T22:00"))

    found = EventReview(house.database).days(replace(wanted, is_retracted=False), "Europe/Berlin")

    assert [(one.day, one.events, one.alarms) for one in found.items] == [
        ("2026-05-01", 0, 0), ("2026-05-02", 2, 1), ("2026-05-03", 0, 0),
    ]  # fmt: skip


def test_overview_tells_what_began_and_what_went_on(house: Household) -> None:
    house.event("lie", "2026-05-01T23:59", 3600 + 60)
    house.event("walk", "2026-05-02T03:30", 3600)
    house.event("fall", "2026-05-02T03:40", 5)
    house.event("walk", "2026-05-02T23:59:59", 60, stream_id="yard")

    found = EventReview(house.database).overview(DAY, 24)

    assert [(one.stream_id, one.events, one.cells) for one in found.streams] == [
        ("hall", 2, [[0, 0, 0, 0, 1], [1, 0, 0, 0, 1], [3, 2, 1, 0, 0], [4, 0, 0, 0, 1]]),
        ("yard", 1, [[23, 1, 0, 0, 0]]),
    ]


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (Filter(since=DAY.since), InvalidRequest),
        (Filter(since=DAY.until, until=DAY.since), InvalidRequest),
        (replace(DAY, until=utc("2026-08-02T00:00")), RangeTooLong),
    ],
)
def test_review_needs_a_range_that_it_can_answer(house: Household, wanted: Filter, error: type[InvalidRequest]) -> None:
    review = EventReview(house.database)

    with pytest.raises(error):
        review.days(wanted, "UTC")
    with pytest.raises(error):
        review.overview(wanted, 24)


def test_zone_and_tag_find_what_bears_both_and_follow_changes(house: Household) -> None:
    for zones in (("bed",), ("bed", "door"), ()):
        house.event("lie", "2026-05-02T10:00", 5, zones=zones)
    with house.database.write() as connection:
        row = store.get(connection, "e2")
        assert row is not None
        store.put(connection, replace(row, tags={"site": "a:b"}))

    before = ids(house, Filter(zone="bed", tag=("site", "a:b")))
    with house.database.write() as connection:
        store.put(connection, replace(row, zones=("door",)))

    assert (before, ids(house, Filter(zone="bed")), ids(house, Filter(zone="door"))) == (["e2"], ["e1"], ["e2"])
    with house.database.write() as connection:
        store.erase_stream(connection, "hall")
        assert connection.execute(sa.text("SELECT count(*) FROM event_marks")).scalar_one() == 0


@pytest.mark.parametrize("zone", [None, "bed"])
def test_pages_hold_every_event_once_when_many_began_at_a_time(house: Household, zone: str | None) -> None:
    for number in range(7):
        house.event("walk", f"2026-05-02T10:00:0{number // 3}", 1, zones=("bed",))
    seen: list[str] = []
    before: search.Place | None = None

    for _ in range(4):
        with house.database.read() as connection:
            rows = search.page(connection, Filter(zone=zone), before, 2)
        seen += [row.event.event_id for row in rows]
        before = (rows[-1].start_time, rows[-1].event.event_id)

    assert seen == ["e7", "e6", "e5", "e4", "e3", "e2", "e1"]


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(), Filter(stream_id="hall"), Filter(action="fall"), Filter(zone="bed"), Filter(severity="alarm"),
        Filter(state="ended"), Filter(min_score=0.5), Filter(zone="bed", tag=("a", "b"), stream_id="hall"), DAY,
    ],
)  # fmt: skip
def test_list_is_read_from_an_index_in_its_order(file_house: Household, wanted: Filter) -> None:
    plans: list[str] = []
    with file_house.database.read() as connection:

        def explain(_: object, __: object, sql: str, values: Sequence[object], *___: object) -> None:
            if not sql.startswith("EXPLAIN"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", tuple(values))
                plans.extend(str(row[3]) for row in rows)

        sa.event.listen(connection, "before_cursor_execute", explain)
        search.page(connection, wanted, (utc("2026-05-02T12:00"), "e1"), 50)

    assert plans
    assert [
        line for line in plans if line == "SCAN events" or "AUTOMATIC" in line or line.endswith("FOR ORDER BY")
    ] == []


def whole_of(wanted: Filter) -> Bucket:
    assert wanted.since is not None
    assert wanted.until is not None
    return Bucket("", wanted.since, wanted.until)


def exported(house: Household, folder: Path, kind: Kind, wanted: Filter = DAY) -> bytes:
    """A fall with evidence and a comment that a spreadsheet would run, and a walk with nothing."""
    house.event("fall", "2026-05-02T10:00", 5, stream_id="CON/..\\Büro")
    house.event("walk", "2026-05-02T11:00", 5)
    with house.database.write() as connection:
        row = store.get(connection, "e1")
        assert row is not None
        store.put(connection, replace(row, comment="=1+1"))
    evidence = EvidenceFolder(FileStore(folder), folder / "scratch", 2**30)
    kept = folder / "evidence" / "e1"
    kept.mkdir(parents=True)
    for name in ("clip.mp4", "evidence.json", "thumbnail.jpg", "evidence.zip"):
        (kept / name).write_bytes(name.encode() * 200_000)
    found = EventExport(house.database, evidence).open(wanted, kind, whole_of(wanted))
    assert found.name.startswith("actogram-20260502T000000Z-20260503T000000Z")
    return b"".join(found.pieces)


def test_table_quotes_what_a_spreadsheet_would_run(house: Household, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(exported(house, tmp_path, "csv").decode())))

    assert [(row["event_id"], row["comment"], row["score"]) for row in rows] == [
        ("e2", "", "0.9"),
        ("e1", "'=1+1", "0.9"),
    ]


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("clips", {"events.csv", "{}.mp4"}),
        ("evidence", {
            "events.csv", "20260502T110000Z-walk-hall-e2/event.json", "{}/event.json", "{}/clip.mp4",
            "{}/thumbnail.jpg", "{}/evidence.json",
        }),
    ],
)  # fmt: skip
def test_archive_holds_what_there_is_under_names_that_every_system_takes(
    house: Household, tmp_path: Path, kind: Kind, files: set[str]
) -> None:
    archive = zipfile.ZipFile(io.BytesIO(exported(house, tmp_path, kind)))

    name = "20260502T100000Z-fall-CON_Buro-e1"
    assert set(archive.namelist()) == {file.format(name) for file in files}
    assert archive.testzip() is None
    clip = f"{name}.mp4" if kind == "clips" else f"{name}/clip.mp4"
    assert archive.read(clip) == b"clip.mp4" * 200_000
    if kind == "evidence":
        assert json.loads(archive.read(f"{name}/event.json"))["comment"] == "=1+1"


def test_archive_is_sent_in_pieces_and_leaves_out_what_has_gone(house: Household, tmp_path: Path) -> None:
    exported(house, tmp_path, "csv")
    evidence = EvidenceFolder(FileStore(tmp_path), tmp_path / "scratch", 2**30)
    found = EventExport(house.database, evidence).open(DAY, "evidence", whole_of(DAY))
    (tmp_path / "evidence" / "e1" / "thumbnail.jpg").unlink()

    pieces = list(found.pieces)

    assert max(map(len, pieces)) < 2**21
    archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    assert (archive.testzip(), [name for name in archive.namelist() if "thumbnail" in name]) == (None, [])


def test_file_that_would_be_too_large_is_refused_before_it_begins(
    house: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "EVENTS_MAX", 1)

    with pytest.raises(ExportTooLarge, match="2 events, expected at most 1 as clips"):
        exported(house, tmp_path, "clips")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hall", "hall"), ("Büro / 2. Stock", "Buro_2_Stock"), ("قاعة", "x"), ("..", "x"), ("a\0b:c*?", "a_b_c"),
        ("nul.", "nul"), ("x" * 300, "x" * 100), ("-rf", "rf"),
    ],
)  # fmt: skip
def test_names_of_files_are_plain(text: str, name: str) -> None:
    assert plain_name(text) == name


def test_time_without_events_is_an_empty_table(house: Household, tmp_path: Path) -> None:
    later = Filter(since=DAY.since, until=DAY.until, action="kick")

    assert exported(house, tmp_path, "csv", later).decode().count("\n") == 1
