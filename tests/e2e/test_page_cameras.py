"""Before a camera is added: its address is tested with a picture, and the cameras of the network are found."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_stream
from tests.e2e.contract_server import problem
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
WIDTHS = pytest.mark.parametrize("width", [390, 1440])


def adding(stage: Stage, open_tab: OpenTab, width: int = 1440) -> Locator:
    """The open dialog that adds a camera."""
    tab = open_tab(f"{stage.url}/#/live", width=width)
    tab.get_by_role("button", name="Add a camera").first.click()
    return tab.get_by_role("dialog")


@WIDTHS
def test_address_is_tested_with_a_picture(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    dialog = adding(stage, open_tab, width)
    dialog.get_by_label("Address", exact=True).fill("rtsp://user:secret@10.0.0.9/1")

    dialog.get_by_role("button", name="Test this address").click()

    picture = dialog.get_by_role("img", name="What the camera shows now")
    expect(picture).to_be_visible()
    expect(dialog).to_contain_text("H264 640 × 360, 15 pictures a second, first picture after 0.4 s")
    assert stage.state.tested == [{"source": {"uri": "rtsp://user:secret@10.0.0.9/1", "transport": "tcp"}}]
    picture.scroll_into_view_if_needed()
    keep_picture(dialog.page)
    dialog.get_by_label("Address", exact=True).fill("rtsp://10.0.0.8/1")
    expect(picture).to_have_count(0)


def test_address_that_shows_nothing_says_why(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.refusal = problem(502, "auth_failed", "rtsp://***@10.0.0.9/1: the login was refused")
    dialog = adding(stage, open_tab)
    dialog.get_by_label("Address", exact=True).fill("rtsp://user:secret@10.0.0.9/1")

    dialog.get_by_role("button", name="Test this address").click()

    expect(dialog.get_by_role("alert")).to_contain_text("the login was refused")
    expect(dialog.get_by_role("alert")).to_contain_text("auth_failed")


@WIDTHS
def test_camera_of_the_network_is_found_asked_and_taken(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    dialog = adding(stage, open_tab, width)
    dialog.get_by_text("Find cameras").click()
    dialog.get_by_role("button", name="Search the network").click()
    found = dialog.get_by_role("list", name="Cameras found")
    expect(found).to_contain_text("Hall camera")
    expect(dialog).to_contain_text("1 more from a network where cameras are not allowed")
    found.get_by_role("button", name="Streams").click()
    expect(found.get_by_role("alert")).to_contain_text("the login was refused")

    dialog.get_by_label("User of the camera").fill("admin")
    dialog.get_by_label("Its password").fill("pass/word")
    found.get_by_role("button", name="Streams").click()
    keep_picture(dialog.page)
    found.get_by_role("button", name="main: H264, 1920 × 1080, 25/s").click()

    expect(dialog.get_by_label("Address", exact=True)).to_have_value("rtsp://admin:pass%2Fword@10.0.0.9:554/1")
    expect(dialog.get_by_label("Name")).to_have_value("Hall camera")
    expect(dialog.get_by_role("img", name="What the camera shows now")).to_be_visible()
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_have_count(0)
    assert "hall-camera" in stage.state.streams


def test_new_address_is_tested_as_the_camera_is_turned(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Dock", [Act(1, "walk", 0, 4)])
    tab = open_tab(f"{stage.url}/#/live/dock")
    tab.get_by_role("button", name="Settings").click()
    dialog = tab.get_by_role("dialog")
    dialog.get_by_label("New address").fill("rtsp://10.0.0.9/1")
    dialog.get_by_label("Turn the picture").select_option("180°")

    dialog.get_by_role("button", name="Test this address").click()

    expect(dialog.get_by_role("img", name="What the camera shows now")).to_be_visible()
    assert stage.state.tested == [
        {"source": {"uri": "rtsp://10.0.0.9/1", "transport": "tcp"}, "rotate": 180, "mirror": False}
    ]
