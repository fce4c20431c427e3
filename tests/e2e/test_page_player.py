"""One video: people are drawn where they are, when they are there, and the timeline leads to them."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Stage
from tests.e2e.stick_figures import Act, people_at

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
ACTS = [
    Act(1, "walk", 0, 2), Act(1, "fall", 2, 3, 0.97), Act(1, "lie", 3, 5),
    Act(2, "stand", 1, 4), Act(3, "too_small", 0, 5),
]  # fmt: skip

# Alpha of the overlay's pixel at a place in 0..1 of the picture.
ALPHA_AT = """([x, y]) => {
  const canvas = document.querySelector('canvas.overlay');
  const size = 7;
  const data = canvas.getContext('2d').getImageData(
    Math.round(x * canvas.width) - 3, Math.round(y * canvas.height) - 3, size, size).data;
  return Math.max(...data.filter((_, index) => index % 4 === 3));
}"""


@pytest.fixture
def player(stage: Stage, open_tab: OpenTab) -> Page:
    """The page of a film with three people, its results read to the end."""
    job = stage.state.add_job("dock.mp4", ACTS, 5.0)
    tab = open_tab(f"{stage.url}/#/videos/{job}")
    expect(tab.locator(".player[data-frames='75']")).to_be_visible()
    return tab


def seek(tab: Page, time_s: float) -> None:
    """Show the frame at a time, and wait until its drawing is there."""
    tab.evaluate("time => { document.querySelector('video').currentTime = time; }", time_s + 0.001)
    expect(tab.locator(f"canvas.overlay[data-time='{time_s:.3f}']")).to_be_attached()


@pytest.mark.parametrize("time_s", [0.2, 2.4, 4.0])
def test_skeleton_is_painted_where_the_person_is(player: Page, time_s: float) -> None:
    seek(player, time_s)

    joints = [point for _, points in people_at(ACTS, time_s) for point in points[[5, 9, 11, 15], :2].tolist()]
    assert all(player.evaluate(ALPHA_AT, joint) > 200 for joint in joints)
    assert player.evaluate(ALPHA_AT, [0.985, 0.5]) == 0


def test_people_in_the_frame_are_named_with_action_or_reason(
    player: Page, keep_picture: Callable[[Page], None]
) -> None:
    seek(player, 2.8)

    now = player.get_by_role("list", name="In the picture now")
    expect(now.get_by_role("button", name="Person 1")).to_contain_text("fall97 %")
    expect(now.get_by_role("button", name="Person 3")).to_contain_text("stand")
    expect(now.get_by_role("button", name="Person 2")).to_contain_text("too small")
    expect(player.locator("canvas.overlay")).to_have_attribute("data-labels", "fall stand not_assessable")
    keep_picture(player)


def test_picture_shows_the_action_that_the_timeline_has_there(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("late.mp4", [Act(1, "walk", 0, 1), Act(1, "fall", 1, 3)], 3.0)
    tab = open_tab(f"{stage.url}/#/videos/{job}")
    expect(tab.locator(".player[data-frames='45']")).to_be_visible()

    seek(tab, 1.2)

    # The frame itself still says `warming_up` so soon after the action began.
    expect(tab.locator("canvas.overlay")).to_have_attribute("data-labels", "fall")


def test_table_row_seeks_to_its_action(player: Page) -> None:
    player.get_by_role("button", name="lie, person 1, at 0:03.0").click()

    expect(player.locator("canvas.overlay[data-time='3.000']")).to_be_attached()
    expect(player.get_by_role("row", name="lie").first).to_have_attribute("data-now", "true")


def test_timeline_of_five_is_in_sight_without_scrolling(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("dock.mp4", [Act(track, "walk", 0, 2) for track in range(1, 6)], 2.0)
    tab = open_tab(f"{stage.url}/#/videos/{job}", width=1440, height=900)
    expect(tab.locator("canvas.timeline-canvas")).to_have_attribute("data-rows", "5")
    expect(tab.get_by_label("The video")).to_have_js_property("readyState", 4)

    frame = tab.get_by_role("slider", name="Timeline").bounding_box()

    assert frame is not None
    assert frame["y"] + frame["height"] <= 900


def test_timeline_click_seeks_and_arrows_step(player: Page) -> None:
    timeline = player.get_by_role("slider", name="Timeline")
    frame = timeline.bounding_box()
    assert frame is not None
    left, right = 56, 10

    timeline.click(position={"x": left + (frame["width"] - left - right) * 0.6, "y": 40})
    expect(timeline).to_have_attribute("aria-valuetext", "0:03.0, person 1 lie, person 3 stand")
    timeline.press("ArrowLeft")

    expect(timeline).to_have_attribute("aria-valuetext", "0:02.0, person 1 fall, person 3 stand")
    expect(player.locator("canvas.timeline-canvas")).to_have_attribute("data-bars", "4")


def test_step_shows_the_next_and_the_last_frame_of_a_variable_rate(stage: Stage, open_tab: OpenTab) -> None:
    times_s = (0.0, 0.02, 0.04, 0.5, 0.52, 1.25, 1.3, 1.31, 2.0)
    job = stage.state.add_job("phone.mp4", ACTS, 2.1, times_s)
    tab = open_tab(f"{stage.url}/#/videos/{job}")
    expect(tab.locator(".player[data-frames='9']")).to_be_visible()
    expect(tab.get_by_label("The video")).to_have_js_property("readyState", 4)
    overlay = tab.locator("canvas.overlay")
    expect(overlay).to_have_attribute("data-time", "0.000")

    for time_s in times_s[1:]:
        tab.keyboard.press(".")
        expect(overlay).to_have_attribute("data-time", f"{time_s:.3f}")
    for time_s in reversed(times_s[:-1]):
        tab.get_by_role("button", name="One frame back").click()
        expect(overlay).to_have_attribute("data-time", f"{time_s:.3f}")


def test_people_are_numbered_one_after_the_other_wherever_they_are_shown(stage: Stage, open_tab: OpenTab) -> None:
    acts = [Act(9, "walk", 0.5, 2), Act(4, "stand", 0, 2), Act(7, "wave", 0.5, 2)]
    job = stage.state.add_job("gate.mp4", acts, 2.0)
    tab = open_tab(f"{stage.url}/#/videos/{job}")
    expect(tab.locator(".player[data-frames='30']")).to_be_visible()

    seek(tab, 1.6)

    now = tab.get_by_role("list", name="In the picture now").get_by_role("button")
    expect(now).to_have_text(["Person 1stand90 %", "Person 2wave90 %", "Person 3walk90 %"])
    assert [row.get_attribute("title") for row in now.all()] == ["Track 4", "Track 7", "Track 9"]
    expect(tab.locator("canvas.overlay")).to_have_attribute("data-names", "1 2 3")
    expect(tab.get_by_role("button", name="walk, person 3, at 0:00.5")).to_be_visible()
    spoken = "0:01.6, person 1 stand, person 2 wave, person 3 walk"
    expect(tab.get_by_role("slider", name="Timeline")).to_have_attribute("aria-valuetext", spoken)


def test_steps_asked_for_at_once_are_all_made(player: Page) -> None:
    seek(player, 1.0)

    player.evaluate(
        "() => { for (let i = 0; i < 6; i += 1) document.dispatchEvent(new KeyboardEvent('keydown', { key: '.' })); }"
    )

    expect(player.locator("canvas.overlay")).to_have_attribute("data-time", "1.400")


def test_hiding_an_action_takes_it_from_timeline_and_table(player: Page) -> None:
    chip = player.get_by_role("list", name="Actions").get_by_role("button", name="fall")

    chip.click()

    expect(chip).to_have_attribute("aria-pressed", "false")
    expect(player.locator("canvas.timeline-canvas")).to_have_attribute("data-bars", "3")
    expect(player.locator("tr[data-action='fall']")).to_have_count(0)


def test_experimental_actions_are_marked(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("wave.mp4", [Act(1, "wave", 0, 2), Act(2, "walk", 0, 2)], 2.0)

    tab = open_tab(f"{stage.url}/#/videos/{job}")

    expect(tab.locator("tr[data-action='wave']")).to_contain_text("experimental")
    expect(tab.locator("tr[data-action='walk']")).not_to_contain_text("experimental")


def test_downloads_are_links_to_the_three_forms(player: Page) -> None:
    player.get_by_role("button", name="Download").click()

    hrefs = player.locator(".menu a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert [href.rpartition("=")[2] for href in hrefs[:3]] == ["jsonl", "json", "csv"]
    player.keyboard.press("Escape")
    expect(player.get_by_role("button", name="Download")).to_be_focused()


def test_nobody_in_the_video_is_an_answer(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("corridor.mp4", [], 1.0)

    tab = open_tab(f"{stage.url}/#/videos/{job}")

    expect(tab.get_by_role("heading", name="Nobody is in this video")).to_be_visible()
    expect(tab.get_by_role("alert")).to_have_count(0)


def test_unknown_video_says_so(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{stage.url}/#/videos/nope")

    expect(tab.get_by_role("heading", level=1)).to_have_text("No such video")
    expect(tab.get_by_role("alert")).to_contain_text("not_found")


def test_annotated_copy_is_played_when_the_browser_lacks_the_codec(stage: Stage, open_tab: OpenTab) -> None:
    job = stage.state.add_job("old.avi", ACTS, 5.0)
    copy = stage.state.add_job("copy.mp4", ACTS, 5.0)
    (stage.state.folder / f"{job}.mp4").write_bytes(b"no browser plays this")
    stage.state.jobs[job]["links"] = {"source": f"/v1/jobs/{job}/source", "video": f"/v1/jobs/{copy}/source"}

    tab = open_tab(f"{stage.url}/#/videos/{job}")

    expect(tab.get_by_text("the annotated copy is shown")).to_be_visible()
    expect(tab.get_by_label("The video")).to_have_js_property("readyState", 4)
    seek(tab, 1.0)
    expect(tab.get_by_role("list", name="In the picture now").get_by_role("button", name="Person 1")).to_be_visible()
