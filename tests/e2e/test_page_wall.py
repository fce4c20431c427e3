"""The wall puts alarms first, draws who is there, and rings only for those who asked for it."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream, clock, tell_frame
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
ACTS = [Act(1, "walk", 0, 4), Act(2, "wave", 0, 4)]
RECORD_TONES = """() => {
  window.tones = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { window.tones += 1; return start.apply(this, when); };
}"""


def tell_alarm(stage: Stage, stream_id: str) -> None:
    """Somebody falls now."""
    event_id = add_event(stage.state, stream_id, "fall", 0)
    data = {**stage.state.events[event_id], "severity": "alarm"}
    stage.state.tell("action.started", data, stream_id=stream_id)


def names(tab: Page) -> list[str]:
    return tab.locator(".tile-head a").all_inner_texts()


@pytest.fixture
def cameras(stage: Stage) -> Stage:
    for name in ("Attic", "Dock", "Gate"):
        add_stream(stage.state, name, ACTS)
    return stage


@pytest.mark.parametrize("width", [390, 1440])
def test_camera_with_an_alarm_comes_first_until_it_is_acknowledged(
    cameras: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    add_event(cameras.state, "dock", "fall", 600)
    tab = open_tab(f"{cameras.url}/#/live", width=width)
    expect(tab.get_by_text("3 cameras, 3 live, 1 with an alarm")).to_be_visible()
    before = names(tab)

    tell_alarm(cameras, "gate")
    gate = tab.get_by_role("listitem").filter(has_text="Gate")
    expect(gate.get_by_role("link", name="fall, person 1")).to_be_visible()
    during = names(tab)
    keep_picture(tab)
    gate.get_by_role("button", name="Acknowledge").click()

    expect(gate.get_by_role("button", name="Acknowledge")).to_be_hidden()
    assert (before, during, names(tab)) == (["Dock", "Attic", "Gate"], ["Gate", "Dock", "Attic"], before)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_alarm_that_was_taken_back_is_gone(cameras: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{cameras.url}/#/live")
    cameras.state.wait_for_subscriptions(1)
    expect(tab.locator(".tile")).to_have_count(3)
    tell_alarm(cameras, "gate")
    expect(tab.locator(".tile-alarm").first).to_be_visible()

    cameras.state.tell("action.retracted", {"event_id": "evt-1", "action": "fall"}, stream_id="gate")

    expect(tab.get_by_text("3 cameras, 3 live", exact=True)).to_be_visible()
    assert names(tab) == ["Attic", "Dock", "Gate"]


def drawn(tile: Locator) -> Locator:
    return tile.locator("canvas.overlay")


def test_people_are_drawn_over_the_picture_unless_that_is_switched_off(cameras: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{cameras.url}/#/live")
    cameras.state.wait_for_subscriptions(1)
    dock = tab.get_by_role("listitem").filter(has_text="Dock")
    expect(dock.locator("img")).to_be_visible()

    tell_frame(cameras.state, "dock", 12)
    expect(drawn(dock)).to_have_attribute("data-people", "2")
    tab.get_by_role("button", name="Skeletons").click()

    expect(drawn(dock)).to_have_attribute("data-people", "0")
    cameras.state.wait_for_subscriptions(2)
    assert [one["max_rate_hz"] for one in cameras.state.subscriptions] == [5, 1]
    tell_frame(cameras.state, "dock", 13)
    expect(dock.locator(".tile-people")).to_contain_text("walk")
    expect(drawn(dock)).to_have_attribute("data-people", "0")
    tab.reload()
    expect(tab.get_by_role("button", name="Skeletons")).to_have_attribute("aria-pressed", "false")


def test_sound_is_off_until_asked_for_and_remembered_with_its_need_of_a_click(
    cameras: Stage, open_tab: OpenTab
) -> None:
    tab = open_tab(f"{cameras.url}/#/live")
    tab.evaluate(RECORD_TONES)
    cameras.state.wait_for_subscriptions(1)
    expect(tab.locator(".tile")).to_have_count(3)

    tell_alarm(cameras, "gate")
    expect(tab.locator(".tile-alarm").first).to_be_visible()
    silent = tab.evaluate("tones")
    tab.get_by_role("button", name="Sound off").click()
    expect(tab.get_by_role("button", name="Sound on")).to_have_attribute("data-heard", "true")
    tried = tab.evaluate("tones")
    tell_alarm(cameras, "dock")
    expect(tab.locator(".tile-alarm:visible")).to_have_count(2)

    assert (silent, tried, tab.evaluate("tones")) == (0, 3, 6)
    tab.reload()
    expect(tab.get_by_role("button", name="Sound waits for a click")).to_be_visible()
    tab.get_by_role("heading", name="Live").click()
    expect(tab.get_by_role("button", name="Sound on")).to_be_visible()


def test_viewer_sees_alarms_and_is_offered_nothing_that_would_be_refused(cameras: Stage, open_tab: OpenTab) -> None:
    cameras.state.role = "viewer"
    add_event(cameras.state, "dock", "fall", 60, start_time=clock(60))

    tab = open_tab(f"{cameras.url}/#/live")

    expect(tab.locator(".tile-alarm").first).to_be_visible()
    expect(tab.get_by_role("button", name="Acknowledge")).to_have_count(0)
