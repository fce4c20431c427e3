"""Networks and thresholds are chosen in a camera's settings and at upload, with what each costs, wide and narrow."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_stream
from tests.e2e.contract_server import problem
from tests.e2e.stick_figures import Act, film

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
WIDTHS = pytest.mark.parametrize("width", [390, 1440])


def settings_of(stage: Stage, open_tab: OpenTab, width: int = 1440, **changes: object) -> Locator:
    """The open settings of a camera called Dock."""
    add_stream(stage.state, "Dock", [Act(1, "walk", 0, 4)], **changes)
    tab = open_tab(f"{stage.url}/#/live/dock", width=width)
    tab.get_by_role("button", name="Settings").click()
    return tab.get_by_role("dialog")


@WIDTHS
def test_networks_of_a_camera_are_chosen_with_what_they_cost(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    dialog = settings_of(stage, open_tab, width)
    dialog.get_by_text("Networks", exact=True).click()

    dialog.get_by_label("Finds people").select_option("my-yolo-pose")

    expect(dialog.get_by_text("42.0 ms a person on cpu, measured here")).to_be_visible()
    expect(dialog.get_by_text("AGPL-3.0 asks whoever")).to_be_visible()
    assert not dialog.evaluate("element => element.scrollWidth > element.clientWidth")
    keep_picture(dialog.page)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert stage.state.streams["dock"]["analysis"] == {"fps": 15, "max_persons": 10, "detector": "my-yolo-pose"}


def test_profile_fills_in_both_networks(stage: Stage, open_tab: OpenTab) -> None:
    dialog = settings_of(stage, open_tab)
    dialog.get_by_text("Networks", exact=True).click()

    dialog.get_by_label("Profile").select_option("accurate")

    expect(dialog.get_by_label("Finds people")).to_have_value("yolox-s")
    expect(dialog.get_by_label("Finds joints")).to_have_value("rtmpose-m")
    dialog.get_by_label("Finds joints").select_option("blazepose-full")
    expect(dialog.get_by_label("Profile").locator("option:checked")).to_have_text("Chosen below")


def test_networks_that_a_camera_names_already_stay(stage: Stage, open_tab: OpenTab) -> None:
    analysis = {"fps": 15, "max_persons": 4, "model": "gone-model", "window_s": 2.0}
    dialog = settings_of(stage, open_tab, analysis=analysis)
    dialog.get_by_text("Networks", exact=True).click()
    expect(dialog.get_by_label("Names actions")).to_have_value("gone-model")

    dialog.get_by_role("button", name="Save").click()

    expect(dialog).to_have_count(0)
    assert stage.state.streams["dock"]["analysis"] == analysis


@WIDTHS
def test_thresholds_of_a_camera_are_set_and_taken_back(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], width: int
) -> None:
    dialog = settings_of(stage, open_tab, width, actions={"lie": {"severity": "alarm"}})
    dialog.get_by_text("When each action counts (1 changed)").click()

    dialog.get_by_label("Threshold of fall").fill("0.35")
    dialog.get_by_label("Seconds of fall").fill("1.5")
    dialog.get_by_label("Urgency of lie").select_option("")

    expect(dialog.get_by_label("Threshold of walk")).to_have_attribute("placeholder", "0.5")
    expect(dialog.get_by_text("When each action counts (1 changed)")).to_be_visible()
    assert not dialog.evaluate("element => element.scrollWidth > element.clientWidth")
    keep_picture(dialog.page)
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert stage.state.streams["dock"]["actions"] == {"fall": {"threshold": 0.35, "min_duration_s": 1.5}}


@WIDTHS
def test_upload_takes_networks_and_a_refusal_says_why(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None], tmp_path: Path, width: int
) -> None:
    video = tmp_path / "yard.mp4"
    video.write_bytes(film((Act(1, "walk", 0, 1),), 1.0))
    stage.state.refusal = problem(429, "networks_full", "a worker holds 2; name one of these")
    tab = open_tab(stage.url, width=width)
    tab.get_by_text("Choose networks").click()
    tab.get_by_label("Finds people").select_option("yolox-s")

    tab.get_by_label("Choose a video").set_input_files(video)

    expect(tab.get_by_role("alert")).to_contain_text("a worker holds 2; name one of these")
    assert stage.state.uploads == [{"detector": "yolox-s"}]
    keep_picture(tab)


def test_faces_of_a_camera_are_hidden_by_its_settings(stage: Stage, open_tab: OpenTab) -> None:
    dialog = settings_of(stage, open_tab)

    dialog.get_by_label("Make faces unrecognisable").check()
    dialog.get_by_role("button", name="Save").click()

    expect(dialog).to_have_count(0)
    assert stage.state.streams["dock"]["privacy"] == {"pictures": True, "blur": True}


def test_annotated_copy_of_an_upload_may_hide_faces(stage: Stage, open_tab: OpenTab, tmp_path: Path) -> None:
    video = tmp_path / "yard.mp4"
    video.write_bytes(film((Act(1, "walk", 0, 1),), 1.0))
    tab = open_tab(stage.url)
    expect(tab.get_by_label("Make faces in it unrecognisable")).to_be_hidden()
    tab.get_by_label("Also make an annotated MP4").check()
    tab.get_by_label("Make faces in it unrecognisable").check()

    tab.get_by_label("Choose a video").set_input_files(video)

    expect(tab.get_by_role("link", name="yard.mp4").first).to_be_visible()
    assert stage.state.uploads == [{"video": "true", "blur_faces": "true"}]
