"""What a page opened goes with it: dialogs close as cancelled, notices end; only the news of what led away stays."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]


def test_dialog_closes_as_cancelled_when_going_back(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("old.mp4", [], 0.2)
    tab = open_tab(f"{stage.url}/#/live")
    tab.goto(f"{stage.url}/#/videos/{job}")
    tab.get_by_role("button", name="Delete").click()
    expect(tab.get_by_role("dialog")).to_be_visible()

    tab.go_back()

    expect(tab.get_by_role("dialog")).to_have_count(0)
    expect(tab.get_by_role("heading", level=1, name="Live")).to_be_focused()
    assert job in stage.state.jobs


def test_sign_in_stays_when_the_page_changes(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.key = "ak_secret"
    tab = open_tab(f"{stage.url}/#/live")
    expect(tab.get_by_label("API key")).to_be_visible()

    tab.goto(f"{stage.url}/#/events")

    expect(tab.get_by_role("heading", level=1, name="Events")).to_be_attached()
    expect(tab.get_by_label("API key")).to_be_visible()


def test_notice_of_a_page_goes_with_it(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.webhooks["hook-1"] = {
        "webhook_id": "hook-1", "url": "https://example.org/hook", "enabled": True, "pending": 0, "actions": None,
        "streams": None, "messages": [], "only_rules": False,
    }  # fmt: skip
    tab = open_tab(f"{stage.url}/#/setup")
    tab.get_by_role("button", name="Test: https://example.org/hook").click()
    expect(tab.get_by_role("alert")).to_contain_text("the receiver answered 503")

    tab.get_by_role("link", name="Live", exact=True).click()

    expect(tab.get_by_role("heading", level=1, name="Live")).to_be_visible()
    expect(tab.locator(".notice")).to_have_count(0)


def test_notice_of_what_led_to_another_page_stays_its_time(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Dock", [])
    tab = open_tab(f"{stage.url}/#/live/dock")
    tab.get_by_role("button", name="Remove").click()

    tab.get_by_role("dialog").get_by_role("button", name="Remove").click()

    expect(tab.get_by_role("heading", level=1, name="Live")).to_be_visible()
    expect(tab.locator(".notice")).to_contain_text("Dock removed.")
    expect(tab.locator(".notice")).to_have_count(0, timeout=15_000)


def test_acknowledging_is_the_main_action_and_taking_it_back_is_not(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Dock", [])
    add_event(stage.state, "dock", "fall", 30)
    tab = open_tab(f"{stage.url}/#/events")
    tab.get_by_role("button", name="fall").click()
    expect(tab.get_by_role("button", name="Acknowledge")).to_have_class("button primary")

    tab.get_by_role("button", name="Acknowledge").click()

    expect(tab.get_by_role("button", name="Mark as not seen")).to_have_class("button")
