"""Review on the page over the real service: a day, its search, its address, views and files."""

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from service.database import Database
from service.events import store
from tests.e2e.contract_live import jpeg
from tests.e2e.stick_figures import Act
from tests.e2e.test_page_access import FAINT, NAMELESS
from tests.service.conftest import Running, running
from tests.service.insights.household import Household

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
BED = {"name": "bed", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
DAY = dt.date(2026, 5, 4)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Running]:
    """Two cameras that are off, and a day in May on which somebody walked, fell, and lay in bed."""
    with running(tmp_path / "home", is_ready=False) as found:
        for name in ("Hall", "Yard"):
            source = {"uri": "rtsp://8.8.8.8/x"}
            body = {"name": name, "source": source, "zones": [BED], "enabled": False}
            assert found.http.post("/v1/streams", json=body).status_code == 201
        database = Database(f"sqlite:///{next(found.home.glob('*.sqlite3'))}")
        _fill(database, found.home / "blobs" / "evidence")
        database.close()
        yield found


def _fill(database: Database, evidence: Path) -> None:
    week = Household(database)
    offset = dt.datetime(DAY.year, DAY.month, DAY.day, 12).astimezone().utcoffset() or dt.timedelta()

    def local(hour: int, minute: int) -> str:
        return (dt.datetime(DAY.year, DAY.month, DAY.day, hour, minute) - offset).isoformat()

    week.event("walk", local(9, 1), 30, track_id=1)
    week.event("fall", local(9, 2), 5, track_id=1)
    week.event("lie", local(10, 30), 3600, track_id=2, zones=("bed",))
    week.event("wave", local(15, 0), 4, stream_id="yard", track_id=7)
    (evidence / "e2").mkdir(parents=True)
    (evidence / "e2" / "thumbnail.jpg").write_bytes(jpeg([Act(1, "fall", 0, 1)], 5))
    (evidence / "e2" / "clip.mp4").write_bytes(b"clip")
    with database.write() as connection:
        row = store.get(connection, "e2")
        assert row is not None
        store.put(connection, replace(row, clip_state="ready"))


def cards(tab: Page) -> list[str]:
    return [text.split("\n")[0] for text in tab.locator(".review-events .event .event-what").all_inner_texts()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_day_is_shown_for_every_camera_and_opened_for_its_people(
    house: Running, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int, scheme: str
) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}", width=width, scheme=scheme)

    rows = tab.locator(".review-row")
    expect(rows).to_have_count(2)
    expect(tab.locator(".review-events .event")).to_have_count(4)
    expect(rows.nth(0).locator("canvas").first).to_have_attribute("data-cells", re.compile("1[345]"))
    tab.get_by_role("button", name="Hall, 3 events, people").click()

    expect(tab.locator(".timeline-canvas").first).to_have_attribute("data-rows", "2")
    expect(tab.locator(".review-events .thumb img")).to_have_js_property("complete", True)
    assert tab.evaluate(NAMELESS) == []
    assert tab.evaluate(FAINT) == []
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(tab)


def test_part_of_a_day_is_chosen_by_keys_and_by_pointer_and_held_in_the_address(
    house: Running, open_tab: OpenTab
) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}")
    strip = tab.get_by_role("slider", name="Hall, time of the day")
    expect(tab.locator(".review-events .event")).to_have_count(4)

    strip.focus()
    strip.press("PageDown")
    expect(strip).to_have_attribute("aria-valuetext", "09:00, 2 events, 1 alarm")
    strip.press("Enter")

    expect(tab.locator(".review-events .event")).to_have_count(2)
    expect(tab).to_have_url(re.compile(r"from=09%3A00&to=09%3A15&pick=hall"))
    expect(tab.locator(".review-row")).to_have_count(2)
    box = tab.get_by_role("slider", name="Yard, time of the day").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] * 14.6 / 24, box["y"] + 10)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 15.6 / 24, box["y"] + 10)
    tab.mouse.up()
    expect(tab.locator(".review-events .event")).to_have_count(1)
    tab.reload()
    expect(tab.locator(".section-head").get_by_text("Yard, 14:35 – 15:40")).to_be_visible()
    assert cards(tab) == ["wave"]
    tab.get_by_role("button", name="Show the whole day").click()
    expect(tab.locator(".review-events .event")).to_have_count(4)


@pytest.mark.parametrize(
    ("label", "value", "shown"),
    [
        ("Camera", "yard", ["wave"]), ("Action", "fall", ["fall"]), ("Zone", "bed", ["lie"]),
        ("Person", "1", ["fall", "walk"]), ("Severity", "alarm", ["fall"]), ("Score from, %", "95", []),
        ("From", "10:00", ["wave", "lie"]), ("To", "09:02", ["walk"]),
    ],
)  # fmt: skip
def test_day_is_searched(house: Running, open_tab: OpenTab, label: str, value: str, shown: list[str]) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}")
    control = tab.get_by_role("search").get_by_label(label, exact=True)
    expect(tab.locator(".review-events .event")).to_have_count(4)

    if control.evaluate("(one) => one.tagName") == "SELECT":
        control.select_option(value)
    else:
        control.fill(value)

    expect(tab.locator(".review-events .event")).to_have_count(len(shown))
    assert cards(tab) == shown
    if not shown:
        expect(tab.get_by_role("heading", name="No events")).to_be_visible()


def test_calendar_leads_to_a_day_that_has_events(
    house: Running, open_tab: OpenTab, keep_picture: Callable[[Page], None]
) -> None:
    tab = open_tab(f"{house.url}/#/review?day=2026-05-11", width=390)
    expect(tab.get_by_role("heading", name="No events")).to_be_visible()

    tab.get_by_role("button", name="Mon, 11 May 2026, choose a day").click()
    day = tab.get_by_role("button", name="Monday 4 May, 4 events, 1 alarm")
    expect(day).to_be_visible()
    keep_picture(tab)
    tab.keyboard.press("ArrowUp")
    expect(day).to_be_focused()
    tab.keyboard.press("Enter")

    expect(tab.locator(".review-events .event")).to_have_count(4)
    expect(tab).to_have_url(re.compile(f"day={DAY}"))


def test_event_has_an_address_of_its_own(house: Running, open_tab: OpenTab) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}")
    tab.locator(".review-events .event", has_text="fall").click()
    expect(tab).to_have_url(re.compile("event=e2"))

    other = open_tab(tab.url)

    expect(other.get_by_role("dialog").get_by_role("heading", name="fall, person 1")).to_be_visible()
    other.keyboard.press("Escape")
    expect(other).not_to_have_url(re.compile("event="))


def test_view_is_saved_shared_opened_and_deleted(house: Running, open_tab: OpenTab) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}&action=lie")
    tab.get_by_role("button", name="Views").click()
    tab.get_by_label("Save what is shown now as").fill("Nights")
    tab.get_by_role("button", name="Save").click()
    tab.get_by_role("button", name="Share: Nights").click()
    expect(tab.get_by_role("dialog").get_by_text("shared", exact=True)).to_be_visible()

    other = open_tab(f"{house.url}/#/review")
    other.get_by_role("button", name="Views").click()
    other.get_by_role("link", name="Nights").click()

    expect(other.locator(".review-events .event")).to_have_count(1)
    assert cards(other) == ["lie"]
    tab.get_by_role("button", name="Delete: Nights").click()
    tab.get_by_role("dialog", name="Delete this view?").get_by_role("button", name="Delete").click()
    expect(tab.get_by_text("No view is saved yet.")).to_be_visible()


def test_range_is_taken_away_as_table_and_archive(house: Running, open_tab: OpenTab, tmp_path: Path) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}&from=09:00&to=10:00")
    files = {}

    for label in ("Table CSV", "Evidence Zip"):
        tab.get_by_role("button", name="Download").click()
        with tab.expect_download() as download:
            tab.get_by_role("link", name=label).click()
        files[label] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[label])
        tab.get_by_role("button", name="Download").click()

    rows = list(csv.DictReader(io.StringIO(files["Table CSV"].read_text())))
    assert [row["action"] for row in rows] == ["fall", "walk"]
    assert re.fullmatch(r"actogram-\d{8}T\d{6}Z-\d{8}T\d{6}Z-evidence\.zip", files["Evidence Zip"].name)
    names = zipfile.ZipFile(files["Evidence Zip"]).namelist()
    assert [name.split("-", 1)[1] for name in names if name.endswith("clip.mp4")] == ["fall-hall-e2/clip.mp4"]


def test_refused_file_is_told_and_not_saved(house: Running, open_tab: OpenTab) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}")
    body = '{"code": "export_too_large", "title": "Unprocessable", "detail": "2000 events, expected at most 1000"}'
    tab.route("**/events/export*", lambda route: route.fulfill(status=422, body=body))

    tab.get_by_role("button", name="Download").click()
    tab.get_by_role("link", name="Clips Zip of").click()

    expect(tab.get_by_role("alert")).to_contain_text("2000 events, expected at most 1000")


def test_day_that_cannot_be_fetched_says_so_and_shows_no_empty_day(house: Running, open_tab: OpenTab) -> None:
    tab = open_tab(f"{house.url}/#/review?day={DAY}")
    expect(tab.locator(".review-events .event")).to_have_count(4)
    tab.route("**/v1/events**", lambda route: route.abort())

    tab.get_by_role("button", name="Day before").click()

    expect(tab.get_by_text("The day cannot be shown")).to_be_visible()
    expect(tab.locator(".review-name .figure").first).to_have_text("?")
    tab.unroute("**/v1/events**")
    tab.get_by_role("button", name="Try again").first.click()
    expect(tab.get_by_text("The day cannot be shown")).to_be_hidden()
