"""Sums over events and tracks, counted by hand, in SQLite and in PostgreSQL."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.database import Database, migrate
from service.days import Bucket
from service.events import store as event_store
from service.insights import begun, store
from service.insights.begun import begun_sums
from service.insights.calendar import By
from service.insights.control import InsightControl, Question
from service.insights.pieces import Wanted, streams_with_any
from service.insights.schemas import InsightRead, csv_text
from service.insights.sorting import sorting_in_memory
from service.insights.store import TRACKS_MAX
from tests.postgres import postgres
from tests.service.insights.household import Household, utc

NOW = utc("2026-05-08T12:00")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Household]:
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'house.sqlite3'}" if is_file else request.getfixturevalue("postgres_url")
    database = Database(url)
    migrate(database)
    with database.write() as connection:
        for table in ("events", "tracks"):
            connection.execute(sa.delete(sa.table(table)))
    yield Household(database)
    database.close()


def _ask(house: Household, asked: Question) -> list[InsightRead]:
    return list(InsightControl(house.database, lambda: NOW).summarise(asked).items)


def _week(**changes: object) -> Question:
    known: dict[str, object] = {"since": utc("2026-05-01T00:00"), "until": utc("2026-05-08T00:00"), **changes}
    return Question(**known)  # type: ignore[arg-type]


def test_event_over_midnight_is_split_and_counted_where_it_begins(house: Household) -> None:
    house.event("sitting", "2026-05-01T23:59:30", 90)

    days = _ask(house, _week())

    assert [day.totals_s for day in days[:3]] == [{"sitting": 30.0}, {"sitting": 60.0}, {}]
    assert [day.counts for day in days[:3]] == [{"sitting": 1}, {"sitting": 0}, {}]
    assert [day.key for day in days] == [f"2026-05-0{number}" for number in range(1, 8)]


def test_event_over_days_fills_those_between(house: Household) -> None:
    house.event("lie", "2026-04-29T20:00", 4 * 86400)

    days = _ask(house, _week())

    assert [day.totals_s.get("lie") for day in days[:4]] == [86400.0, 86400.0, 72000.0, None]
    assert [sum(day.counts.values()) for day in days[:4]] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("since", "until", "start", "seconds"),
    [
        ("2026-03-28T23:00", "2026-03-30T22:00", "2026-03-28T23:00", [82800.0, 86400.0]),
        ("2026-10-24T22:00", "2026-10-26T23:00", "2026-10-24T22:00", [90000.0, 86400.0]),
    ],
    ids=["23 hours", "25 hours"],
)
def test_day_of_a_changed_clock_holds_its_own_hours(
    house: Household, since: str, until: str, start: str, seconds: list[float]
) -> None:
    house.event("stand", start, sum(seconds))

    days = _ask(house, Question(since=utc(since), until=utc(until), tz="Europe/Berlin"))

    assert [day.totals_s["stand"] for day in days] == pytest.approx(seconds, abs=0.01)


def test_event_that_goes_on_counts_to_its_latest_time(house: Household) -> None:
    house.event("walk", "2026-05-02T10:00", 45, state="confirmed")
    house.event("walk", "2026-05-02T11:00", 45, state="provisional")
    house.event("walk", "2026-05-02T12:00", 45, state="retracted")

    day = _ask(house, _week())[1]

    assert (day.totals_s, day.counts) == ({"walk": 45.0}, {"walk": 1})


def test_people_add_up_and_their_presence_does_not(house: Household) -> None:
    for number in (1, 2):
        house.event("sitting", f"2026-05-02T10:00:{10 * number}", 30, track_id=number)
    house.track(1, "2026-05-02T10:00:00", "2026-05-02T10:01:00")
    house.track(2, "2026-05-02T10:00:30", "2026-05-02T10:00:40")
    house.track(3, "2026-05-02T10:00:50", "2026-05-02T10:01:30")
    house.track(4, "2026-05-02T10:02:00", "2026-05-02T10:02:05")

    day = _ask(house, _week())[1]

    assert day.totals_s == {"sitting": 60.0}
    assert (day.tracks, day.presence_s) == (4, 95.0)
    assert (day.first_movement, day.last_movement) == (utc("2026-05-02T10:00:00"), utc("2026-05-02T10:02:05"))


def test_track_that_goes_on_lasts_until_now_and_one_erased_is_not_counted(house: Household) -> None:
    house.track(1, "2026-05-07T23:59:00", None)
    house.track(2, "2026-05-08T09:00:00", "2026-05-08T09:30:00", reason="erased")

    days = _ask(house, Question(since=utc("2026-05-07T00:00"), until=utc("2026-05-09T00:00")))

    assert [day.presence_s for day in days] == [60.0, 12 * 3600.0]
    assert [day.tracks for day in days] == [1, 1]


def test_day_without_anybody_is_told_as_one(house: Household) -> None:
    house.track(1, "2026-05-02T10:00:00", "2026-05-02T10:01:00")

    empty = _ask(house, _week())[0]

    assert (empty.totals_s, empty.tracks, empty.presence_s, empty.first_movement) == ({}, 0, 0.0, None)


def test_presence_is_unknown_where_events_have_no_tracks(house: Household) -> None:
    house.event("walk", "2026-05-02T10:00", 5, track_id=1)
    house.event("walk", "2026-05-02T10:01", 5, track_id=1)
    house.event("walk", "2026-05-02T10:02", 5, track_id=2)

    day = _ask(house, _week())[1]

    assert (day.tracks, day.presence_s) == (2, None)


def test_falls_and_other_alarms_are_told_apart(house: Household) -> None:
    for action in ("fall", "fall", "punch", "walk"):
        house.event(action, "2026-05-02T10:00", 5)

    day = _ask(house, _week())[1]

    assert (day.falls, day.other_alarms) == (2, 1)


def test_two_cameras_are_two_groups_and_may_be_chosen(house: Household) -> None:
    house.event("walk", "2026-05-02T10:00", 5, stream_id="hall")
    house.event("walk", "2026-05-02T10:00", 7, stream_id="yard")
    house.event("run", "2026-05-03T10:00", 9, stream_id="yard", track_id=4)

    both = _ask(house, _week(by="camera"))
    one = _ask(house, _week(by="action", streams=("yard",)))
    by_track = _ask(house, _week(by="track"))

    assert [(item.key, item.totals_s) for item in both] == [
        ("hall", {"walk": 5.0}),
        ("yard", {"run": 9.0, "walk": 7.0}),
    ]
    assert [(item.key, item.totals_s, item.tracks) for item in one] == [
        ("run", {"run": 9.0}, 1),
        ("walk", {"walk": 7.0}, 1),
    ]
    assert [item.track_id for item in by_track] == ["yard:4", "hall:1", "yard:1"]


def test_zone_and_action_choose_events_and_leave_presence_unknown(house: Household) -> None:
    house.track(1, "2026-05-02T10:00:00", "2026-05-02T11:00:00")
    house.event("lie", "2026-05-02T10:00", 5, zones=("bed", "room"))
    house.event("lie", "2026-05-02T10:10", 7, zones=("room",))
    house.event("walk", "2026-05-02T10:20", 9, zones=("bed",))

    in_bed = _ask(house, _week(zone="bed"))[1]
    lying = _ask(house, _week(action="lie"))[1]

    assert (in_bed.totals_s, in_bed.tracks, in_bed.presence_s) == ({"lie": 5.0, "walk": 9.0}, 1, None)
    assert (lying.totals_s, lying.presence_s) == ({"lie": 12.0}, None)


@pytest.mark.parametrize("zone", ["be", "bed' OR '1'='1", '"bed"', "%"])
def test_zone_is_a_whole_name(house: Household, zone: str) -> None:
    house.event("lie", "2026-05-02T10:00", 5, zones=("bed",))

    assert all(day.totals_s == {} for day in _ask(house, _week(zone=zone)))


def test_hours_split_an_event(house: Household) -> None:
    house.event("walk", "2026-05-02T10:59:50", 3 * 3600 - 5)

    hours = _ask(house, Question(since=utc("2026-05-02T10:00"), until=utc("2026-05-02T15:00"), by="hour"))

    assert [hour.totals_s.get("walk", 0.0) for hour in hours] == [10.0, 3600.0, 3600.0, 3585.0, 0.0]


def test_people_beyond_the_limit_are_said_to_be_there(house: Household) -> None:
    with house.database.write() as connection:
        rows = [
            {"stream_id": "hall", "track_id": number, "start_time": NOW - dt.timedelta(days=1, seconds=-number)}
            for number in range(TRACKS_MAX + 1)
        ]
        connection.execute(sa.insert(event_store.tracks), rows)

    found = InsightControl(house.database, lambda: NOW).summarise(Question(by="track"))

    assert (len(found.items), found.is_truncated) == (TRACKS_MAX, True)
    assert found.items[0].track_id == f"hall:{TRACKS_MAX}"


def test_nothing_stored_gives_empty_days(house: Household) -> None:
    assert [day.totals_s for day in _ask(house, Question())] == [{}] * 7
    assert _ask(house, Question(by="camera")) == []


def test_csv_has_a_row_for_each_day_and_two_columns_for_each_action(house: Household) -> None:
    house.event("walk", "2026-05-01T23:59:50", 20)
    house.event("fall", "2026-05-02T10:00", 2)

    head, *rows = csv_text(InsightControl(house.database, lambda: NOW).summarise(_week())).splitlines()

    assert head.endswith("tracks,presence_s,falls,other_alarms,fall_s,fall_count,walk_s,walk_count")
    assert [row.split(",")[0] for row in rows[:2]] == ["2026-05-01", "2026-05-02"]
    assert [row.split(",", 8)[8] for row in rows[:2]] == ["1,,0,0,0.0,0,10.0,1", "1,,1,0,2.0,1,10.0,0"]
    assert len(rows) == 7


def test_heat_map_counts_seconds_where_people_stood_or_lay(house: Household) -> None:
    house.event("stand", "2026-05-02T10:00", 5, box=(0.45, 0.2, 0.55, 0.51))
    house.event("stand", "2026-04-30T23:59:55", 8, box=(0.46, 0.3, 0.54, 0.52))
    house.event("lie", "2026-05-02T10:00", 60, box=(0.2, 0.4, 0.8, 0.6))
    house.event("walk", "2026-05-02T10:00", 2, box=(0.9, 0.9, 1.2, 1.3))
    house.event("walk", "2026-05-02T10:00", 99, box=None)
    house.event("walk", "2026-05-02T10:00", 99, stream_id="yard")

    found = InsightControl(house.database, lambda: NOW).heatmap(_week(streams=("hall",)))

    cells = {(x, y): cell for y, row in enumerate(found.seconds) for x, cell in enumerate(row) if cell}
    assert cells == {(16, 9): 68.0, (31, 17): 2.0}
    assert (found.events, found.columns, found.rows) == (4, 32, 18)


def test_index_is_searched_when_a_week_is_summed_up(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'plan.sqlite3'}")
    migrate(database)
    days = [Bucket(str(n), NOW + dt.timedelta(days=n), NOW + dt.timedelta(days=n + 1)) for n in range(7)]
    wanted = Wanted(["hall", "yard"], days, NOW)

    asked: list[tuple[str, tuple[object, ...]]] = []
    with database.read() as connection:
        sa.event.listen(
            connection, "before_cursor_execute", lambda _c, _k, sql, values, *_: asked.append((sql, values))
        )
        store.summarise(connection, wanted, "day")
        queries = tuple(asked)
        plans = [
            str(row[3])
            for sql, values in queries
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
        ]
    database.close()

    looked_at = [line for line in plans if line.split()[1] in ("events", "tracks")]
    searched = ["USING COVERING INDEX ix_" in line and "(stream_id=?" in line for line in looked_at]
    assert (len(looked_at), searched) == (6, [True] * 6)


def test_events_that_begin_in_a_week_are_summed_up_without_sorting(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'order.sqlite3'}")
    migrate(database)
    house = Household(database)
    house.event("walk", "2026-05-02T10:00", 30)
    plans: list[str] = []

    def explain(connection: sa.Connection, _: object, sql: str, values: tuple[object, ...], *__: object) -> None:
        if "JOIN events" in sql and not sql.startswith("EXPLAIN"):
            plans.extend(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))

    with database.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", explain)
        found = begun_sums(connection, Wanted(["hall"], [Bucket("", utc("2026-05-01T00:00"), NOW)], NOW))
    database.close()

    assert [(part, sums.count) for part, sums in found or []] == [((0, "hall", "walk"), 1)]
    place = "(stream_id=? AND action=? AND start_time>? AND start_time<?)"
    assert plans == ["SCAN insight_parts", f"SEARCH events USING COVERING INDEX ix_events_sums {place}"]


@pytest.mark.parametrize("by", ["day", "camera", "action"])
def test_sums_are_the_same_whichever_way_they_are_read(
    house: Household, monkeypatch: pytest.MonkeyPatch, by: By
) -> None:
    for number in range(40):
        start = utc("2026-05-01T21:00") + dt.timedelta(minutes=97 * number)
        house.event(("walk", "lie", "fall")[number % 3], start.replace(tzinfo=None).isoformat(), 4000, f"s{number % 2}")
    ask = Question(since=utc("2026-05-02T00:00"), until=utc("2026-05-04T00:00"), by=by)
    control = InsightControl(house.database, lambda: NOW)

    fast = control.summarise(ask)
    monkeypatch.setattr(begun, "_PARTS_MAX", 0)

    assert control.summarise(ask).model_dump(mode="json") == fast.model_dump(mode="json")
    assert fast.items


def test_connection_keeps_as_much_in_memory_as_before(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'memory.sqlite3'}")

    with database.read() as connection:
        sizes = [connection.exec_driver_sql("PRAGMA cache_size").scalar_one()]
        with sorting_in_memory(connection):
            sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())
        sizes.append(connection.exec_driver_sql("PRAGMA cache_size").scalar_one())
    database.close()

    assert sizes == [sizes[0], -32 * 1024, sizes[0]]


def test_streams_are_found_by_one_look_up_each(house: Household) -> None:
    house.event("walk", "2026-05-02T10:00", 5, stream_id="hall")
    house.event("walk", "2026-05-02T10:00", 5, stream_id="yard")
    house.track(1, "2026-05-02T10:00", None, stream_id="attic")

    with house.database.read() as connection:
        assert streams_with_any(connection) == ["attic", "hall", "yard"]
