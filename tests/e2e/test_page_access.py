"""The page for everybody: landmarks, names, focus, contrast, narrow screens, both palettes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]

NAMELESS = """() => [...document.querySelectorAll('button, a[href], input, select, textarea, [role=slider]')]
  .filter((element) => element.checkVisibility())
  .filter((element) => !(element.getAttribute('aria-label') || element.innerText?.trim() || element.labels?.length))
  .map((element) => element.outerHTML.slice(0, 120))"""

# Text whose contrast with the nearest painted ground behind it is under AA (4.5, or 3 when large).
FAINT = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (rgb) => rgb.slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const isSkipped = !element.checkVisibility() || element.closest('.unseen, script, noscript, :disabled');
    if (!walker.currentNode.data.trim() || isSkipped) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(parse(style.color)), light(ground(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faint;
}"""


def populate(stage: Stage) -> list[str]:
    """One video in every state, cameras, events; gives the pages to look at."""
    acts = [Act(1, "walk", 0, 2), Act(2, "wave", 0.5, 2), Act(3, "too_small", 0, 2)]
    error = {"code": "unsupported_media", "detail": "broken.mp4 holds no video stream"}
    done = stage.state.add_job("dock.mp4", acts, 2.0)
    running = stage.state.add_job("a" * 80 + ".mp4", [], 0.2, state="running", progress={"percent": 30.0, "fps": 21.0})
    failed = stage.state.add_job("broken.mp4", [], 0.2, state="failed", error=error)
    fault = {"code": "connection_failed", "message": "10.0.0.17:554 refused the connection"}
    add_stream(stage.state, "Dock", acts)
    add_stream(stage.state, "Gate", [], state="reconnecting", last_error=fault)
    add_event(stage.state, "dock", "fall", 30, zones=["Yard"])
    videos = [f"/#/videos/{job}" for job in (done, running, failed)]
    lists = ["/#/live", "/#/live/dock", "/#/live/gate", "/#/events", "/#/insights", "/#/setup"]
    return ["/#/", *videos, *lists]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_is_named_readable_and_fits(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int, scheme: str
) -> None:
    pages = populate(stage)
    tab = open_tab(stage.url, width=width, scheme=scheme)

    for path in pages:
        tab.goto(stage.url + path)
        expect(tab.get_by_role("heading", level=1)).to_have_count(1)
        expect(tab.locator("main[data-path]")).to_have_attribute("data-path", path.removeprefix("/#"))
        tab.wait_for_timeout(300)

        assert tab.evaluate(NAMELESS) == []
        assert tab.evaluate(FAINT) == []
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_picture(tab)


def test_landmarks_are_there_once(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)

    for landmark in ("banner", "navigation", "main"):
        expect(tab.get_by_role(landmark)).to_have_count(1)
    expect(tab.get_by_role("link", name="Videos", exact=True)).to_have_attribute("aria-current", "page")


def test_focus_goes_from_skip_link_through_sections_to_the_upload(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)
    expect(tab.get_by_text("Nothing here yet")).to_be_visible()
    names = []

    for _ in range(10):
        tab.keyboard.press("Tab")
        names.append(
            tab.evaluate(
                "(e => e.getAttribute('aria-label') || e.innerText || e.labels[0].innerText)(document.activeElement)"
            )
        )

    assert names == [
        "Skip to content",
        "Actogram, videos",
        "Videos",
        "Live",
        "Events",
        "Review",
        "Insights",
        "Setup",
        "Use the dark theme",
        "Choose a video",
    ]


def test_skip_link_moves_focus_and_keeps_the_page(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)

    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")

    expect(tab.locator("main")).to_be_focused()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Who does what, when.")


def test_new_page_takes_the_focus_to_its_heading(stage: Stage, open_tab: OpenTab) -> None:
    populate(stage)
    tab = open_tab(stage.url)

    tab.get_by_role("link", name="dock.mp4").press("Enter")

    expect(tab.get_by_role("heading", level=1, name="dock.mp4")).to_be_focused()


def test_page_that_cannot_be_fetched_says_so(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)
    expect(tab.get_by_text("Nothing here yet")).to_be_visible()
    tab.route("**/pages/events.js", lambda route: route.abort())

    tab.get_by_role("link", name="Events").click()

    expect(tab.get_by_role("alert")).to_contain_text("could not be fetched")
    expect(tab.get_by_role("button", name="Try again")).to_be_visible()


def test_theme_choice_is_kept(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)

    tab.get_by_role("button", name="Use the dark theme").click()
    tab.reload()

    expect(tab.locator("html")).to_have_attribute("data-theme", "dark")
