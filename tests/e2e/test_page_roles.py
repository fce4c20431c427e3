"""What a role may not do is not offered to it, on any page, and follows when the role changes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]

OPERATOR = {
    "Choose a video", "Address of a video", "Delete yard.mp4", "Delete", "Add a camera", "Pause", "Zones", "Rules",
    "Settings", "Remove", "Acknowledge", "Right", "Wrong", "Unsure", "Note", "Turn on",
}  # fmt: skip
ADMIN = {"Add a webhook", "Add a mailbox or chat", "Test: HOOK", "Change: HOOK", "Pause: HOOK", "Remove: HOOK"}
FOR_ALL = {"Full screen", "Deliveries: HOOK", "Evidence", "Download"}
HOOK = "https://example.org/hook"

# Names of everything that can be used now; what is folded is unfolded first.
OFFERED = """() => {
  document.querySelectorAll('details').forEach((one) => (one.open = true));
  return [...document.querySelectorAll('button, a.button, input, select, summary')]
    .filter((one) => one.checkVisibility())
    .map((one) => one.getAttribute('aria-label') || one.labels?.[0]?.innerText || one.innerText);
}"""
PRESS_ALL = """() => {
  for (const one of document.querySelectorAll(':is(main, dialog) :is(button, input[type=radio])')) {
    if (one.checkVisibility()) one.click();
  }
  for (const form of document.querySelectorAll('form')) if (form.checkVisibility()) form.requestSubmit();
}"""


def furnish(stage: Stage) -> list[str]:
    """A video, a camera, an event and a webhook; gives the pages that show them."""
    acts = [Act(1, "walk", 0, 2)]
    job = stage.state.add_job("yard.mp4", acts, 2.0)
    add_stream(stage.state, "Dock", acts)
    add_event(stage.state, "dock", "fall", 30)
    stage.state.webhooks["hook-1"] = {
        "webhook_id": "hook-1", "url": HOOK, "enabled": True, "pending": 0, "actions": None, "streams": None,
        "messages": ["action.started"], "only_rules": False,
    }  # fmt: skip
    return ["/#/", f"/#/videos/{job}", "/#/live", "/#/live/dock", "/#/events", "/#/setup"]


def show(tab: Page, stage: Stage, path: str) -> None:
    """Open a page and wait until it is there; of events, the newest is opened."""
    tab.goto(stage.url + path)
    expect(tab.locator("main[data-path]")).to_have_attribute("data-path", path.removeprefix("/#"))
    settled = {
        "/#/": tab.get_by_role("link", name="yard.mp4"), "/#/live": tab.get_by_role("link", name="Dock"),
        "/#/live/dock": tab.get_by_role("button", name="fall"), "/#/events": tab.get_by_role("button", name="fall"),
        "/#/setup": tab.get_by_text(HOOK),
    }  # fmt: skip
    expect(settled.get(path, tab.locator(".player[data-frames]"))).to_be_visible()
    if path == "/#/events":
        tab.get_by_role("button", name="fall").click()
        expect(tab.get_by_role("dialog")).to_be_visible()


@pytest.mark.parametrize(("role", "expected"), [("viewer", set()), ("operator", OPERATOR), ("admin", OPERATOR | ADMIN)])
def test_pages_offer_what_the_role_may_use(stage: Stage, open_tab: OpenTab, role: str, expected: set[str]) -> None:
    stage.state.role = role
    pages = furnish(stage)
    tab = open_tab(stage.url)
    offered: set[str] = set()

    for path in pages:
        show(tab, stage, path)
        offered |= {str(name).strip().replace(HOOK, "HOOK") for name in tab.evaluate(OFFERED)}

    assert offered & (OPERATOR | ADMIN) == expected
    assert offered >= FOR_ALL


def test_nothing_that_a_viewer_can_press_is_refused(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.role = "viewer"
    pages = furnish(stage)
    tab = open_tab(stage.url)

    for path in pages:
        show(tab, stage, path)
        tab.evaluate(PRESS_ALL)
        tab.wait_for_timeout(200)

    assert stage.state.refused == []


def test_file_dropped_by_a_viewer_is_not_sent(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.role = "viewer"
    furnish(stage)
    tab = open_tab(stage.url)
    show(tab, stage, "/#/")

    is_taken = tab.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "x.mp4", { type: "video/mp4" }));
      return !document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true, bubbles: true }));
    }""")

    assert not is_taken
    expect(tab.get_by_text("takes the role operator")).to_be_visible()


def test_role_that_was_lowered_is_seen_after_the_first_refusal(stage: Stage, open_tab: OpenTab) -> None:
    furnish(stage)
    tab = open_tab(stage.url)
    show(tab, stage, "/#/live/dock")

    stage.state.role = "viewer"
    tab.get_by_role("button", name="Pause").click()

    expect(tab.get_by_role("button", name="Settings")).to_be_hidden()
    expect(tab.get_by_text("Changing a camera takes the role operator.")).to_be_visible()
