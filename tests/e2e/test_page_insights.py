"""Insights on the page: bars and numbers of stored events, the address that holds the question, the file."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]


def _week(stage: Stage) -> None:
    """Two cameras; three days ago somebody sat, walked and fell in the dock."""
    add_stream(stage.state, "Dock", [Act(1, "walk", 0, 4)])
    add_stream(stage.state, "Gate", [])
    noon = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    for days, action, seconds, stream_id in (
        (3, "sit_down", 5400, "dock"), (3, "walk", 600, "dock"), (3, "fall", 120, "dock"),
        (2, "stand", 3600, "dock"), (2, "walk", 1800, "gate"), (1, "lie", 900, "gate"),
    ):  # fmt: skip
        start = noon - dt.timedelta(days=days)
        end = start + dt.timedelta(seconds=seconds)
        times = {"start_time": start.isoformat(), "end_time": end.isoformat()}
        box = [0.1 + days / 10, 0.2, 0.2 + days / 10, 0.5 + seconds / 12000]
        add_event(stage.state, stream_id, action, 0.0, **times, box=box)


@pytest.mark.parametrize("width", [390, 1440])
def test_week_is_shown_as_bars_and_numbers(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    _week(stage)

    tab = open_tab(f"{stage.url}/#/insights?stream=dock", width=width)

    rows = tab.locator(".stack")
    expect(rows).to_have_count(7)
    expect(rows.nth(3).get_by_role("img")).to_have_attribute(
        "aria-label", "sit down 1 h 30 min, walk 10 min 0 s, fall 2 min 0 s"
    )
    expect(rows.nth(3)).to_contain_text("1 × fall")
    expect(tab.locator("dl")).to_contain_text("2 h 42 min")
    expect(tab.get_by_role("row")).to_have_count(8)
    expect(tab.get_by_role("img", name="Where people were in the picture of Dock")).to_be_visible()
    expect(tab.locator(".heat-picture rect")).to_have_count(3)
    expect(tab.locator(".heat-picture img")).to_have_js_property("complete", True)
    keep_picture(tab)


def test_address_holds_the_question(stage: Stage, open_tab: OpenTab) -> None:
    _week(stage)
    tab = open_tab(f"{stage.url}/#/insights")
    expect(tab.locator(".stack")).to_have_count(7)

    tab.get_by_label("Each").select_option("camera")

    expect(tab.locator(".stack-name")).to_have_text(["Dock", "Gate"])
    expect(tab).to_have_url(re.compile(r"#/insights\?from=\d{4}-\d\d-\d\d&to=\d{4}-\d\d-\d\d&by=camera$"))
    tab.reload()
    expect(tab.locator(".stack-name")).to_have_text(["Dock", "Gate"])


def test_numbers_come_as_a_file(stage: Stage, open_tab: OpenTab) -> None:
    _week(stage)
    tab = open_tab(f"{stage.url}/#/insights?stream=gate&by=action")
    expect(tab.locator(".stack-name")).to_have_text(["lie", "walk"])

    with tab.expect_download() as started:
        tab.get_by_role("link", name="CSV").click()

    lines = started.value.path().read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["key", "lie", "walk"]


def test_refusal_and_silence_are_told(stage: Stage, open_tab: OpenTab) -> None:
    _week(stage)
    tab = open_tab(f"{stage.url}/#/insights?by=hour&from=2026-01-01&to=2026-05-01")
    expect(tab.get_by_role("alert")).to_contain_text("range_too_long")

    tab.get_by_label("To", exact=True).fill("2026-01-02")
    tab.get_by_label("To", exact=True).press("Tab")

    expect(tab.get_by_role("heading", name="Nothing stored")).to_be_visible()


def test_places_are_shown_without_a_picture_where_pictures_are_off(stage: Stage, open_tab: OpenTab) -> None:
    _week(stage)
    stage.state.streams["dock"]["privacy"] = {"pictures": False}

    tab = open_tab(f"{stage.url}/#/insights?stream=dock")

    expect(tab.locator(".heat-picture rect")).to_have_count(3)
    expect(tab.locator(".heat-picture img")).to_have_count(0)
    assert stage.state.pictures_asked == 0
