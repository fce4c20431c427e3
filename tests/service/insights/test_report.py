"""The weekly report: its figures are those counted by hand, its page needs nothing and runs nothing."""

import datetime as dt
import re
from pathlib import Path

import httpx
import pytest

from service.database import Database, migrate
from service.errors import InvalidRequest
from service.insights.report import duration, render
from service.insights.weekly import Week, WeeklyFigures
from tests.service.conftest import Running, Serve
from tests.service.insights.household import Household, utc

NAMES = {"hall": "Hall <b>1</b> & 'x'"}
AFTER = utc("2026-06-01T00:00")


@pytest.fixture
def house(tmp_path: Path) -> Household:
    database = Database(f"sqlite:///{tmp_path / 'report.sqlite3'}")
    migrate(database)
    found = Household(database)
    found.event("lie", "2026-05-03T21:30", 3600)
    found.event("lie", "2026-05-05T21:30", 3600)
    found.event("fall", "2026-05-06T10:00", 4)
    found.event("fall", "2026-05-06T11:00", 4, state="retracted")
    found.event("punch", "2026-05-06T12:00", 2, stream_id="yard")
    found.track(1, "2026-05-06T09:00", "2026-05-06T09:10")
    found.event("walk", "2026-05-10T22:00", 60)
    return found


def counted(house: Household, week: str | None = "2026-W19", at: dt.datetime = AFTER) -> Week:
    return WeeklyFigures(house.database, lambda: NAMES, lambda: at).count(week, "Europe/Berlin")


def test_week_is_counted_for_each_camera_and_day_of_its_zone(house: Household) -> None:
    week = counted(house)

    hall, yard = week.cameras
    assert [day.key for day in week.days] == [f"2026-05-{day:02}" for day in range(4, 11)]
    assert (hall.name, yard.name) == (NAMES["hall"], "yard")
    assert [group.totals_s for group in hall.days] == [
        {"lie": pytest.approx(1800, abs=0.01)}, {"lie": pytest.approx(1800, abs=0.01)},
        {"lie": pytest.approx(1800, abs=0.01), "fall": pytest.approx(4, abs=0.01)}, {}, {}, {}, {},
    ]  # fmt: skip
    assert ([group.falls for group in hall.days], hall.near_falls) == ([0, 0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0])
    assert ([group.other_alarms for group in yard.days], yard.near_falls) == ([0, 0, 1, 0, 0, 0, 0], [0] * 7)
    assert hall.days[2].tracks == 1


def test_page_holds_the_figures_and_nothing_that_a_name_could_smuggle_in(house: Household) -> None:
    page = render(counted(house), {"lie": "#ff0000"})

    assert "Hall &lt;b&gt;1&lt;/b&gt; &amp; &#x27;x&#x27;" in page
    assert not re.search(r"<script|<b>1|https?://|<link|<img|\bon\w+=", page)
    assert page.count("<svg") == 2
    assert '<rect x="84.0"' in page
    assert "<title>lie: 30 min</title>" in page
    assert '<span class="fall">1</span>' in page
    assert "not over yet" not in page


def test_page_says_that_a_week_is_not_over(house: Household) -> None:
    assert "the week is not over yet" in render(counted(house, at=utc("2026-05-06T12:00")), {})


def test_week_that_is_left_out_is_the_last_whole_one(house: Household) -> None:
    assert counted(house, None, utc("2026-05-11T12:00")).key == "2026-W19"


def test_empty_week_says_so(house: Household) -> None:
    week = counted(house, "2026-W02")

    assert "No event and nobody in the picture is stored" in render(week, {})


@pytest.mark.parametrize("week", ["2026", "2026-W60", "2026-W00", "0000-W01", "2026-w19", "٢٠٢٦-W19", "2026-W19\n"])
def test_week_that_is_none_is_refused(house: Household, week: str) -> None:
    with pytest.raises(InvalidRequest, match="expected an ISO week such as 2026-W20"):
        counted(house, week)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "–"), (44.6, "45 s"), (59.6, "1 min"), (3599, "1 h 00 min"), (11_100, "3 h 05 min")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_report_comes_as_a_page_that_runs_nothing(service: Running) -> None:
    found: httpx.Response = service.http.get("/v1/insights/report", params={"week": "2026-W19"})

    assert (found.status_code, found.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert found.headers["content-security-policy"].startswith("default-src 'none'")
    assert found.headers["content-disposition"] == 'inline; filename="actogram-2026-W19.html"'


def test_report_needs_a_key_where_events_do(serve: Serve) -> None:
    running = serve(is_public=True, is_ready=False)

    assert running.http.get("/v1/insights/report").status_code == 401
