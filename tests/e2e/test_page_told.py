"""The way from a camera to a phone that rings, on the page of a real server: a rule over time, then a destination."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.fakes import ThreadEngine
from tests.service.conftest import Running, running
from tests.service.streams.puppets import CAMERA, PuppetRunners

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
WIDTHS = pytest.mark.parametrize("width", [390, 1440])
ZONE = {"name": "bed", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server with a camera that has a bed zone, and nobody to watch it."""
    with running(tmp_path / "home", ThreadEngine(PuppetRunners)) as found:
        body = {"name": "Room 4", "source": {"uri": CAMERA}, "zones": [ZONE]}
        assert found.http.post("/v1/streams", json=body).status_code == 201
        yield found


def keep(tab: Page, name: str, width: int) -> None:
    """A picture for people to look at, where somebody asked for it."""
    folder = os.environ.get("TEST_PICTURES")
    if folder:
        tab.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


@WIDTHS
def test_rule_over_time_is_made_changed_and_removed(server: Running, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(f"{server.url}/#/live/room-4", width=width)
    tab.get_by_role("button", name="Rules").click()
    dialog = tab.get_by_role("dialog")

    dialog.get_by_role("button", name="Add a time rule").click()
    part = dialog.get_by_role("region", name="When something lasts")
    part.get_by_label("Name").fill("On the floor")
    part.get_by_label("Speak up when").select_option("lies_outside")
    part.get_by_label("For, minutes").fill("2")
    part.get_by_label("Zone", exact=True).select_option("bed")
    part.get_by_role("button", name="Add hours").click()
    part.get_by_role("button", name="Sunday").click()
    part.get_by_label("Time zone of these hours").fill("Europe/Berlin")
    keep(tab, "rule", width)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()

    [made] = server.http.get("/v1/timed_rules").json()["items"]
    assert (made["name"], made["kind"], made["after_s"], made["zone"]) == ("On the floor", "lies_outside", 120, "bed")
    assert made["hours"] == [{"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "22:00", "to": "06:00"}]
    assert server.http.get("/v1/streams/room-4").json()["time_zone"] == "Europe/Berlin"
    tab.get_by_role("button", name="Rules").click()
    expect(dialog.get_by_text("Outside its hours").or_(dialog.get_by_text("No picture: not known"))).to_be_visible()
    keep(tab, "rule-again", width)
    dialog.get_by_role("button", name="Remove the rule On the floor").click()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    assert server.http.get("/v1/timed_rules").json()["items"] == []


@WIDTHS
def test_destination_is_made_with_quiet_hours_and_shows_no_secret(
    server: Running, open_tab: OpenTab, width: int
) -> None:
    tab = open_tab(f"{server.url}/#/setup", width=width)
    tab.get_by_role("button", name="Add a mailbox or chat").click()
    dialog = tab.get_by_role("dialog")

    dialog.get_by_label("Name").fill("Night shift")
    dialog.get_by_label("Address").fill("json://me:hunter2pass@127.0.0.1:9/room")
    dialog.get_by_label("When nobody acknowledges within, minutes").fill("5")
    dialog.get_by_role("button", name="Add hours").click()
    keep(tab, "destination", width)
    dialog.get_by_role("button", name="Add", exact=True).click()

    row = tab.get_by_role("listitem").filter(has_text="Night shift")
    expect(row).to_contain_text("when nobody acknowledges within 5 minutes")
    expect(row).to_contain_text("quiet hours")
    row.get_by_role("button", name="Test").click()
    expect(tab.get_by_role("alert")).to_contain_text("Night shift")
    keep(tab, "setup", width)
    assert "hunter2pass" not in tab.content()
    [made] = server.http.get("/v1/destinations").json()["items"]
    assert (made["escalate_after_s"], made["min_severity"], made["quiet_hours"][0]["to"]) == (300, "warning", "06:00")


def test_page_is_an_app_whose_worker_may_run(server: Running, open_tab: OpenTab) -> None:
    tab = open_tab(f"{server.url}/#/setup")
    expect(tab.get_by_text("This browser", exact=True)).to_be_visible()

    scope = tab.evaluate(
        """async () => {
          const made = await navigator.serviceWorker.register("service-worker.js", { scope: "./" });
          await navigator.serviceWorker.ready;
          return made.scope;
        }"""
    )
    manifest = server.http.get("/manifest.webmanifest")

    assert scope == f"{server.url}/"
    assert manifest.headers["content-type"].startswith("application/manifest+json")
    for icon in manifest.json()["icons"]:
        assert server.http.get(f"/{icon['src']}").status_code == 200
