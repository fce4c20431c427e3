"""A real browser, the documented interface with made-up content, and the whole product for the tests of the page."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.e2e.contract_insights import create_insights_router
from tests.e2e.contract_live import create_live_router
from tests.e2e.contract_server import Contract, create_contract_app, serving

RERUNS = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser, a camera and a server on two busy cores miss a deadline now and then: a test that fails may try again.

    A fault of the product fails every time; what was tried again is listed at the end of the run.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=RERUNS, reruns_delay=1))


CHROMIUM = Path("/usr/bin/chromium")
ARTIFACTS = Path(__file__).resolve().parents[2] / "artifacts"
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
]  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """A server with made-up content and its address."""

    state: Contract
    url: str


@pytest.fixture(scope="module")
def chromium_maker() -> Iterator[Playwright]:
    """What starts browsers; skips where Debian's chromium is not installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not installed (apt-get install chromium)")
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(chromium_maker: Playwright) -> Iterator[Browser]:
    """One browser per file of tests: its event loop must not outlive it. Each test gets tabs of its own."""
    browser = chromium_maker.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
    yield browser
    browser.close()


@pytest.fixture
def open_tab(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a tab; the test fails when its page throws, or asks any other host for anything."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_(url: str, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            permissions=["camera"],
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        tab.on("pageerror", lambda error: faults.append(f"thrown: {error}"))
        tab.on("request", lambda request: _check_host(request.url, faults))
        tab.goto(url)
        return tab

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """The page over a server whose content the test makes up."""
    state = Contract(tmp_path)
    with serving(create_contract_app(state, create_live_router(state), create_insights_router(state))) as url:
        yield Stage(state, url)


@pytest.fixture
def keep_picture(request: pytest.FixtureRequest) -> Callable[[Page], None]:
    """Keep a screenshot of a tab under artifacts/, named after the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")

    def keep(tab: Page) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        tab.evaluate("scrollTo(0, 0)")  # the bar sticks to where the page was scrolled
        tab.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    return keep


def _check_host(url: str, faults: list[str]) -> None:
    if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", url):
        faults.append(f"asked another host: {url}")
