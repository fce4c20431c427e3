"""The list of events: a picture of each, times to the second, and a filter by day that can be sent to somebody."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.contract_server import Json

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]


def at(day: int, time: str = "12:00:00") -> Json:
    """The start of an event on a day of May 2026, by the clock of the browser (which runs in this time zone)."""
    start = dt.datetime.fromisoformat(f"2026-05-{day:02}T{time}").astimezone(dt.UTC)
    return {"start_time": start.isoformat(), "end_time": (start + dt.timedelta(seconds=3)).isoformat()}


@pytest.fixture
def days(stage: Stage) -> Stage:
    """A camera with an event on each of four days, the third at both ends of its day."""
    add_stream(stage.state, "Dock", [])
    for day, time, action in [
        (2, "12:00:00", "walk"), (3, "00:00:00", "lie"), (3, "23:59:59", "fall"), (4, "00:00:00", "sit_down"),
    ]:  # fmt: skip
        add_event(stage.state, "dock", action, 0, **at(day, time))
    return stage


def actions(tab: Page) -> list[str]:
    """What is listed, from the top."""
    return tab.locator(".events strong").all_inner_texts()


def test_days_narrow_the_list_and_stand_in_the_address(days: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{days.url}/#/events")
    expect(tab.locator(".events > li")).to_have_count(4)

    tab.get_by_label("From", exact=True).fill("2026-05-03")
    tab.get_by_label("To", exact=True).fill("2026-05-03")

    expect(tab.locator(".events > li")).to_have_count(2)
    assert actions(tab) == ["fall", "lie"]
    expect(tab).to_have_url(re.compile(r"#/events\?from=2026-05-03&to=2026-05-03$"))


def test_address_with_a_day_opens_that_day(days: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{days.url}/#/events?from=2026-05-04")

    expect(tab.locator(".events > li")).to_have_count(1)
    expect(tab.get_by_label("From", exact=True)).to_have_value("2026-05-04")
    assert actions(tab) == ["sit down"]


def test_event_of_now_does_not_enter_a_list_of_other_days(days: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{days.url}/#/events?to=2026-05-03")
    expect(tab.locator(".events > li")).to_have_count(3)
    days.state.wait_for_subscriptions(1)

    for day, event_id in [(9, "late"), (3, "early")]:
        told: Json = {**days.state.events["evt-1"], "event_id": event_id, "action": "wave", **at(day)}
        days.state.tell("action.started", told, stream_id="dock")

    expect(tab.locator(".events > li[data-id='early']")).to_be_visible()
    expect(tab.locator(".events > li[data-id='late']")).to_have_count(0)


def test_event_shows_its_picture_and_its_time_to_the_second(days: Stage, open_tab: OpenTab) -> None:
    add_event(days.state, "dock", "wave", 0, clip_state="none", **at(5))
    tab = open_tab(f"{days.url}/#/events")

    fall = tab.get_by_role("button", name="fall")
    expect(fall).to_contain_text("3 May, 23:59:59")
    expect(fall.locator(".thumb img")).to_have_js_property("naturalWidth", 640)
    expect(tab.get_by_role("button", name="wave").locator(".thumb")).to_be_visible()
    expect(tab.get_by_role("button", name="wave").locator("img")).to_have_count(0)
