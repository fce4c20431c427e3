"""The first page: what is dropped on it is sent, followed and shown, or refused with a reason."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_server import problem
from tests.e2e.stick_figures import Act, film

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]


def test_page_teaches_when_nothing_was_uploaded(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(stage.url)

    expect(tab.get_by_text("Nothing here yet")).to_be_visible()
    expect(tab.get_by_role("heading", level=1)).to_have_text("Who does what, when.")


def test_upload_is_followed_to_ready_without_reloading(stage: Stage, open_tab: OpenTab, tmp_path: Path) -> None:
    (tmp_path / "dock.mp4").write_bytes(film((Act(1, "walk", 0, 1),), 1.0))
    tab = open_tab(stage.url)

    tab.get_by_label("Choose a video").set_input_files(tmp_path / "dock.mp4")

    row = tab.get_by_role("listitem").filter(has_text="dock.mp4")
    expect(row.get_by_text("Analysing")).to_be_visible()
    expect(row.get_by_text("Ready")).to_be_visible()
    expect(row.get_by_text("2 people")).to_be_visible()


def test_upload_that_is_refused_says_why(stage: Stage, open_tab: OpenTab, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    stage.state.refusal = problem(415, "unsupported_media", "notes.mp4 is not a video: no demuxer takes it")
    tab = open_tab(stage.url)

    tab.get_by_label("Choose a video").set_input_files(tmp_path / "notes.mp4")

    alert = tab.get_by_role("alert")
    expect(alert).to_contain_text("notes.mp4 was not taken")
    expect(alert).to_contain_text("no demuxer takes it")
    expect(alert).to_contain_text("unsupported_media")


def test_failed_analysis_shows_its_reason_in_the_list_and_on_its_page(stage: Stage, open_tab: OpenTab) -> None:
    reason = "silent.mp4 holds 1 audio stream and no video stream"
    job = stage.state.add_job(
        "silent.mp4", [], 0.2, state="failed", error={"code": "unsupported_media", "detail": reason}
    )
    tab = open_tab(stage.url)

    expect(tab.get_by_text(reason)).to_be_visible()
    tab.get_by_role("link", name="silent.mp4").click()

    expect(tab).to_have_url(f"{stage.url}/#/videos/{job}")
    expect(tab.get_by_role("alert")).to_contain_text(reason)


def test_list_shows_a_picture_and_what_was_found_alarms_first(stage: Stage, open_tab: OpenTab) -> None:
    acts = [Act(1, "walk", 0, 1), Act(2, "walk", 0, 1), Act(1, "fall", 1, 2), Act(1, "lie", 2, 3)]
    stage.state.add_job("ward.mp4", acts, 3.0)
    stage.state.add_job("corridor.mp4", [], 0.2)

    tab = open_tab(stage.url)

    row = tab.get_by_role("listitem").filter(has=tab.get_by_role("link", name="ward.mp4"))
    expect(row.get_by_role("list", name="Actions found").get_by_role("listitem")).to_have_text(
        ["fall", "lie", "walk×\u00a02"]
    )
    expect(row.locator(".thumb img")).to_have_js_property("naturalWidth", 640)
    empty = tab.get_by_role("listitem").filter(has=tab.get_by_role("link", name="corridor.mp4"))
    expect(empty.locator(".thumb")).to_be_visible()
    expect(empty.locator(".thumb img")).to_have_count(0)


def test_file_name_with_markup_stays_text(stage: Stage, open_tab: OpenTab) -> None:
    name = "<img src=x onerror=alert(1)>.mp4"
    stage.state.add_job(name, [], 0.2)

    tab = open_tab(stage.url)

    expect(tab.get_by_role("link", name=name)).to_be_visible()
    assert tab.locator("main img").count() == 0


def test_key_is_asked_for_once_and_sent_as_a_bearer(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.key = "ak_secret"
    stage.state.add_job("guarded.mp4", [], 0.2)
    tab = open_tab(stage.url)

    tab.get_by_label("API key").fill("ak_wrong")
    tab.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("dialog").get_by_role("alert")).to_contain_text("not known")
    tab.get_by_label("API key").fill("ak_secret")
    tab.get_by_role("dialog").get_by_role("button", name="Sign in").click()

    expect(tab.get_by_role("link", name="guarded.mp4")).to_be_visible()
    expect(tab.get_by_role("dialog")).to_have_count(0)


def test_delete_asks_first_and_then_removes(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("old.mp4", [], 0.2)
    tab = open_tab(stage.url)

    tab.get_by_role("button", name="Delete old.mp4").click()
    assert job in stage.state.jobs
    tab.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(tab.get_by_text("Nothing here yet")).to_be_visible()
    assert job not in stage.state.jobs


def test_progress_goes_on_after_the_socket_was_lost(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("long.mp4", [], 0.2, state="running", progress={"percent": 10.0})
    tab = open_tab(stage.url)
    expect(tab.get_by_text("Analysing, 10 %")).to_be_visible()
    stage.state.tell("job.progress", {"state": "running", "progress": {"percent": 20.0}}, job_id=job)
    expect(tab.get_by_text("Analysing, 20 %")).to_be_visible()

    stage.state.cut()
    stage.state.wait_for_subscriptions(2)
    stage.state.tell("job.progress", {"state": "running", "progress": {"percent": 55.0}}, job_id=job)

    expect(tab.get_by_text("Analysing, 55 %")).to_be_visible()
    assert stage.state.subscriptions[-1]["since_seq"] == 1
