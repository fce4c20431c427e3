"""Cameras: what a worker says of them is drawn, listed and survives a lost socket."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream, clock, tell_frame
from tests.e2e.contract_server import problem
from tests.e2e.stick_figures import Act, people_at

pytestmark = pytest.mark.e2e
OpenTab = Callable[..., Page]
ACTS = [Act(1, "walk", 0, 4), Act(2, "fall", 0, 4, 0.97), Act(3, "too_small", 0, 4)]

ALPHA_AT = """([x, y]) => {
  const canvas = document.querySelector('canvas.overlay');
  const place = [Math.round(x * canvas.width) - 3, Math.round(y * canvas.height) - 3];
  return Math.max(...canvas.getContext('2d').getImageData(...place, 7, 7).data.filter((_, at) => at % 4 === 3));
}"""


def show(stage: Stage, stream_id: str, index: int) -> None:
    """Let a camera show a frame and say who is in it."""
    stage.state.frame_now = index
    tell_frame(stage.state, stream_id, index)


def tell_action(stage: Stage, stream_id: str, kind: str, **changes: object) -> None:
    """Announce an action of person 2."""
    data = {
        "event_id": "e1", "track_id": 2, "action": "fall", "score": 0.97, "state": "confirmed", "severity": "alarm",
        "start_time": clock(2), "end_time": clock(0), "zones": ["Yard"], "clip_state": "none", **changes,
    }  # fmt: skip
    stage.state.tell(kind, data, stream_id=stream_id)


@pytest.fixture
def camera(stage: Stage, open_tab: OpenTab) -> Page:
    """The page of a camera called Dock, its channel open."""
    add_stream(stage.state, "Dock", ACTS)
    tab = open_tab(f"{stage.url}/#/live/dock")
    stage.state.wait_for_subscriptions(1)
    expect(tab.locator(".page-head .state")).to_have_text("Live")
    return tab


def test_wall_shows_every_camera_with_its_state(
    stage: Stage, open_tab: OpenTab, keep_picture: Callable[[Page], None]
) -> None:
    add_stream(stage.state, "Dock", ACTS)
    fault = {"code": "connection_failed", "message": "10.0.0.17:554 refused the connection"}
    add_stream(stage.state, "Gate", [], state="reconnecting", last_error=fault)
    tab = open_tab(f"{stage.url}/#/live")
    stage.state.wait_for_subscriptions(1)
    dock, gate = (tab.get_by_role("listitem").filter(has_text=name) for name in ("Dock", "Gate"))

    tell_frame(stage.state, "dock", 12)
    tell_action(stage, "dock", "action.started")

    expect(tab.get_by_text("2 cameras, 1 live")).to_be_visible()
    expect(dock).to_contain_text("Live")
    expect(dock).to_contain_text("Now: fall, person 2")
    expect(dock.locator("img")).to_be_visible()
    expect(gate).to_contain_text("Reconnecting")
    expect(gate).to_contain_text("refused the connection")
    keep_picture(tab)


def test_wall_without_cameras_teaches(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{stage.url}/#/live")

    expect(tab.get_by_role("heading", name="No camera yet")).to_be_visible()


def test_camera_is_added_by_its_address(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{stage.url}/#/live")
    tab.get_by_role("button", name="Add a camera").first.click()

    tab.get_by_label("Name").fill("Back door")
    tab.get_by_label("Address", exact=True).fill("rtsp://user:secret@10.0.0.9/1")
    tab.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()

    expect(tab.get_by_role("heading", level=1, name="Back door")).to_be_visible()
    expect(tab.locator(".page-head .state")).to_have_text("Connecting")
    assert stage.state.streams["back-door"]["source"] == {"uri": "rtsp://user:secret@10.0.0.9/1", "transport": "tcp"}


def test_camera_over_capacity_says_what_would_fit(stage: Stage, open_tab: OpenTab) -> None:
    stage.state.refusal = problem(429, "at_capacity", "no room for 15 pictures a second; 7 would fit")
    tab = open_tab(f"{stage.url}/#/live")
    tab.get_by_role("button", name="Add a camera").first.click()

    tab.get_by_label("Name").fill("One too many")
    tab.get_by_label("Address", exact=True).fill("rtsp://10.0.0.9/1")
    tab.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()

    expect(tab.get_by_role("dialog").get_by_role("alert")).to_contain_text("7 would fit")


def test_webcam_of_the_browser_is_pushed_as_jpeg(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{stage.url}/#/live")
    tab.get_by_role("button", name="Add a camera").first.click()

    tab.get_by_label("This device’s camera").check()
    tab.get_by_label("Name").fill("Laptop")
    tab.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()

    expect(tab.get_by_role("button", name="Stop this device’s camera")).to_be_visible()
    stage.state.wait_for_pictures(2)
    tab.get_by_role("button", name="Stop this device’s camera").click()
    expect(tab.get_by_role("button", name="Stop this device’s camera")).to_be_hidden()
    assert all(data[:2] == b"\xff\xd8" and data[-2:] == b"\xff\xd9" for data in stage.state.pushed)


def test_people_are_drawn_on_the_picture_they_belong_to(
    stage: Stage, camera: Page, keep_picture: Callable[[Page], None]
) -> None:
    show(stage, "dock", 22)

    expect(camera.locator("canvas.overlay")).to_have_attribute("data-frame", "22")
    expect(camera.locator("canvas.overlay")).to_have_attribute("data-labels", "walk fall not_assessable")
    now = camera.get_by_role("list", name="In the picture now")
    expect(now.get_by_role("button", name="Person 2")).to_contain_text("fall97 %")
    expect(now.get_by_role("button", name="Person 3")).to_contain_text("too small")
    joints = [point for _, points in people_at(ACTS, 22 / 15) for point in points[[5, 11, 15], :2].tolist()]
    assert all(camera.evaluate(ALPHA_AT, joint) > 200 for joint in joints)
    keep_picture(camera)


def test_picture_that_is_behind_is_drawn_with_what_was_said_of_it(stage: Stage, camera: Page) -> None:
    show(stage, "dock", 10)
    expect(camera.locator("canvas.overlay")).to_have_attribute("data-frame", "10")

    for index in range(11, 30):
        tell_frame(stage.state, "dock", index)
    stage.state.frame_now = 14
    expect(camera.locator("canvas.overlay")).to_have_attribute("data-frame", "14")

    joints = [point for _, points in people_at(ACTS, 14 / 15) for point in points[[13, 14, 15, 16], :2].tolist()]
    assert all(camera.evaluate(ALPHA_AT, joint) > 200 for joint in joints)


def test_event_appears_changes_and_goes(stage: Stage, camera: Page) -> None:
    events = camera.get_by_role("list", name="Events")

    tell_action(stage, "dock", "action.provisional", state="provisional")
    expect(events.get_by_role("button", name="fall")).to_contain_text("starting")
    tell_action(stage, "dock", "action.started")
    expect(events.get_by_role("button", name="fall")).to_contain_text("now")
    expect(camera.locator("canvas.timeline-canvas")).to_have_attribute("data-bars", "1")
    tell_action(stage, "dock", "action.retracted", state="retracted")

    expect(camera.get_by_role("heading", name="No events yet")).to_be_visible()


def test_lost_socket_resumes_where_it_was(stage: Stage, camera: Page) -> None:
    tell_action(stage, "dock", "action.started")
    expect(camera.get_by_role("list", name="Events").get_by_role("button", name="fall")).to_be_visible()

    stage.state.cut()
    expect(camera.locator(".page-head .state")).to_have_text("No live connection, trying again")
    stage.state.wait_for_subscriptions(2)
    tell_action(stage, "dock", "action.ended", state="ended")

    expect(camera.locator(".page-head .state")).to_have_text("Live")
    expect(camera.get_by_role("list", name="Events").get_by_role("button", name="fall")).not_to_contain_text("now")
    assert stage.state.subscriptions[-1]["since_seq"] == 1


def test_camera_that_goes_away_shows_its_reason_and_nobody(stage: Stage, camera: Page) -> None:
    show(stage, "dock", 20)
    expect(camera.locator("canvas.overlay")).to_have_attribute("data-people", "3")

    fault = {"code": "timeout", "message": "no picture for 5 s"}
    stage.state.streams["dock"].update(state="reconnecting", last_error=fault)
    stage.state.tell("stream.state_changed", {"state": "reconnecting", **fault}, stream_id="dock")

    expect(camera.locator(".feed-note")).to_have_text("Reconnecting: no picture for 5 s")
    expect(camera.get_by_role("status").filter(has_text="no picture for 5 s")).to_have_count(1)
    expect(camera.locator("canvas.overlay")).to_have_attribute("data-people", "0")


@pytest.mark.parametrize(
    ("code", "said"),
    [("overloaded", "Live, behind"), ("low_fps", "Live, too few pictures"), ("no_picture", "No picture")],
)
def test_camera_that_is_not_well_says_why_and_is_well_again(
    stage: Stage, open_tab: OpenTab, camera: Page, code: str, said: str
) -> None:
    wall = open_tab(f"{stage.url}/#/live")
    stage.state.wait_for_subscriptions(2)
    tile = wall.get_by_role("listitem").filter(has_text="Dock")
    expect(tile.locator(".state")).to_have_text("Live")

    fault = {"code": code, "message": "3.0 of 15.0 pictures a second"}
    stage.state.streams["dock"].update(state="degraded", last_error=fault)
    stage.state.tell("stream.state_changed", {"state": "degraded", **fault}, stream_id="dock")

    for page in (camera.locator(".page-head"), tile):
        expect(page.locator(".state")).to_have_text(said)
        expect(page).to_contain_text("3.0 of 15.0 pictures a second")
    expect(camera.get_by_role("status").filter(has_text=f"{said}: 3.0 of 15.0")).to_have_count(1)
    expect(camera.locator(".feed-note")).to_be_hidden()
    stage.state.streams["dock"].update(state="running", last_error=None)
    stage.state.tell("stream.state_changed", {"state": "running", "code": None, "message": None}, stream_id="dock")
    for page in (camera.locator(".page-head"), tile):
        expect(page.locator(".state")).to_have_text("Live")
        expect(page).not_to_contain_text("3.0 of 15.0")


def nobody(page: Page) -> Locator:
    """The sentence that stands where people would be listed."""
    return page.locator(".now-none")


def test_nobody_is_said_only_while_pictures_tell_so(stage: Stage, camera: Page, open_tab: OpenTab) -> None:
    wall = open_tab(f"{stage.url}/#/live")
    stage.state.wait_for_subscriptions(2)
    tile = wall.get_by_role("listitem").filter(has_text="Dock").locator(".tile-people")
    expect(nobody(camera)).to_have_text("Waiting for the first picture.")

    stage.state.tell("frame", {"persons": [], "frame_size": [640, 360]}, stream_id="dock", frame_index=1)
    expect(nobody(camera)).to_have_text("Nobody is in the picture.")
    expect(tile).to_have_text("Nobody in the picture")
    fault = {"code": "timeout", "message": "no picture for 5 s"}
    stage.state.streams["dock"].update(state="reconnecting", last_error=fault)
    stage.state.tell("stream.state_changed", {"state": "reconnecting", **fault}, stream_id="dock")

    expect(nobody(camera)).to_have_text("No picture: who is there is not known.")
    expect(tile).to_have_text("No picture: who is there is not known")


def test_camera_that_falls_silent_is_doubted_and_its_people_are_gone(stage: Stage, camera: Page) -> None:
    show(stage, "dock", 20)
    expect(camera.get_by_role("list", name="In the picture now").get_by_role("button")).to_have_count(3)

    expect(nobody(camera)).to_contain_text("who is there is not known", timeout=15_000)

    expect(camera.get_by_role("list", name="In the picture now").get_by_role("button")).to_have_count(0)


def test_lost_line_leaves_no_claim_about_people(stage: Stage, camera: Page) -> None:
    stage.state.tell("frame", {"persons": [], "frame_size": [640, 360]}, stream_id="dock", frame_index=1)
    expect(nobody(camera)).to_have_text("Nobody is in the picture.")

    camera.context.set_offline(True)
    stage.state.cut()

    expect(nobody(camera)).to_have_text("No live connection: who is there is not known.")


def test_state_that_changed_before_anybody_listened_is_caught_up(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Dock", ACTS, state="connecting")
    tab = open_tab("about:blank")

    def answer_late(route: Route) -> None:
        old = route.fetch()
        stage.state.streams["dock"]["state"] = "running"
        route.fulfill(response=old)

    tab.route("**/v1/streams/dock", answer_late, times=1)
    tab.goto(f"{stage.url}/#/live/dock")

    expect(tab.locator(".page-head .state")).to_have_text("Live")


def test_messages_lost_for_good_make_the_page_ask_for_the_state(stage: Stage, camera: Page) -> None:
    stage.state.streams["dock"].update(state="disabled", enabled=False)

    stage.state.tell("gap", {})

    expect(camera.locator(".page-head .state")).to_have_text("Paused")


def test_private_camera_shows_skeletons_and_asks_for_no_picture(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Ward", ACTS, privacy={"pictures": False})
    tab = open_tab(f"{stage.url}/#/live/ward")
    stage.state.wait_for_subscriptions(1)

    tell_frame(stage.state, "ward", 20)

    expect(tab.locator("canvas.overlay")).to_have_attribute("data-people", "3")
    assert stage.state.pictures_asked == 0


def test_zone_drawn_with_the_mouse_is_saved_normalised(stage: Stage, camera: Page) -> None:
    camera.get_by_role("button", name="Zones").click()
    expect(camera.locator(".zone-canvas img")).to_have_js_property("naturalWidth", 640)
    canvas = camera.locator(".zone-canvas")
    frame = canvas.bounding_box()
    assert frame is not None

    camera.get_by_role("button", name="Draw a zone").click()
    for x, y in ((0.25, 0.5), (0.75, 0.5), (0.5, 0.9)):
        canvas.click(position={"x": x * frame["width"], "y": y * frame["height"]})
    camera.keyboard.press("Enter")
    camera.get_by_label("Name of the zone").fill("Yard")
    camera.get_by_role("button", name="Corner 3").press("ArrowUp")
    camera.get_by_role("dialog").get_by_role("button", name="Save").click()

    expect(camera.get_by_role("button", name="Zones (1)")).to_be_visible()
    zone = json.loads(json.dumps(stage.state.streams["dock"]["zones"]))[0]
    assert (zone["name"], zone["kind"]) == ("Yard", "include")
    assert [value for point in zone["polygon"] for value in point] == pytest.approx(
        [0.25, 0.5, 0.75, 0.5, 0.5, 0.89], abs=0.005
    )


def test_rule_is_edited_and_saved(stage: Stage, camera: Page) -> None:
    camera.get_by_role("button", name="Rules").click()
    dialog = camera.get_by_role("dialog")

    dialog.get_by_role("button", name="Add a rule").click()
    dialog.get_by_label("Name").fill("Fall at night")
    dialog.get_by_role("group", name="Actions").get_by_role("button", name="fall").click()
    dialog.get_by_label("Lasts at least, s").fill("1.5")
    dialog.get_by_label("Severity").select_option("alarm")
    dialog.get_by_role("button", name="Save").click()

    expect(camera.get_by_role("button", name="Rules (1)")).to_be_visible()
    assert stage.state.streams["dock"]["rules"] == [
        {
            "name": "Fall at night", "actions": ["fall"], "zones": None, "min_duration_s": 1.5, "min_score": 0,
            "cooldown_s": 0, "severity": "alarm",
        }
    ]  # fmt: skip


def test_pausing_a_camera_is_one_button(stage: Stage, camera: Page) -> None:
    camera.get_by_role("button", name="Pause").click()

    expect(camera.get_by_role("button", name="Resume")).to_be_visible()
    assert stage.state.streams["dock"]["enabled"] is False


def test_event_is_watched_acknowledged_and_judged(stage: Stage, open_tab: OpenTab) -> None:
    add_stream(stage.state, "Dock", ACTS)
    event = add_event(stage.state, "dock", "fall", 60, zones=["Yard"])
    add_event(stage.state, "dock", "walk", 90)
    tab = open_tab(f"{stage.url}/#/events")

    tab.get_by_label("Action", exact=True).select_option("fall")
    expect(tab.get_by_role("list", name="Events").get_by_role("listitem")).to_have_count(1)
    tab.get_by_role("list", name="Events").get_by_role("button", name="fall").click()
    dialog = tab.get_by_role("dialog")
    expect(dialog.get_by_label("Clip of the event")).to_have_js_property("readyState", 4)
    dialog.get_by_label("Wrong").check()
    dialog.get_by_label("What it was").select_option("sit_down")
    expect(dialog.get_by_text("Thank you, kept.")).to_be_visible()
    dialog.get_by_role("button", name="Acknowledge").click()
    expect(dialog.get_by_role("button", name="Mark as not seen")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()

    expect(tab.get_by_role("list", name="Events").get_by_role("button", name="fall")).to_contain_text("seen")
    expect(tab).to_have_url(f"{stage.url}/#/events?action=fall")
    assert stage.state.events[event]["acknowledged_at"] is not None
    assert stage.state.feedback == [{"verdict": "wrong", "action": "sit_down"}]


def test_webhook_is_added_tested_and_its_secret_shown_once(stage: Stage, open_tab: OpenTab) -> None:
    tab = open_tab(f"{stage.url}/#/setup")
    tab.get_by_role("button", name="Add a webhook").click()

    tab.get_by_label("Address", exact=True).fill("https://ops.example.org/hook")
    tab.get_by_label("Actions only when they met a rule of their camera").check()
    tab.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(tab.get_by_role("dialog", name="The signing secret")).to_contain_text("whsec_")
    tab.get_by_role("dialog").get_by_role("button", name="Close").click()
    tab.get_by_role("button", name="Test: https://ops.example.org/hook").click()

    expect(tab.get_by_role("alert")).to_contain_text("the receiver answered 503")
    hook = stage.state.webhooks["hook-1"]
    assert (hook["only_rules"], hook["messages"]) == (True, ["action.started", "action.ended"])
    expect(tab.get_by_text("whsec_")).to_have_count(0)


def test_settings_are_saved_without_touching_the_address(stage: Stage, camera: Page) -> None:
    camera.get_by_role("button", name="Settings").click()
    dialog = camera.get_by_role("dialog")

    dialog.get_by_label("Pictures a second").fill("10")
    dialog.get_by_label("Keep a clip of severe events").uncheck()
    dialog.get_by_role("button", name="Save").click()

    expect(dialog).to_have_count(0)
    saved = stage.state.streams["dock"]
    assert saved["analysis"] == {"fps": 10, "max_persons": 10}
    assert saved["recording"] == {"enabled": False, "pre_roll_s": 5, "post_roll_s": 3}
    assert saved["source"] == {"uri": "rtsp://camera/1", "transport": "tcp"}


def test_camera_that_hangs_turned_is_set_upright(stage: Stage, camera: Page) -> None:
    camera.get_by_role("button", name="Settings").click()
    dialog = camera.get_by_role("dialog")
    expect(dialog.get_by_label("Turn the picture")).to_have_value("0")

    dialog.get_by_label("Turn the picture").select_option("90° anticlockwise")
    dialog.get_by_label("Swap left and right").check()
    dialog.get_by_role("button", name="Save").click()

    expect(dialog).to_have_count(0)
    saved = stage.state.streams["dock"]
    assert (saved["rotate"], saved["mirror"]) == (270, True)
    camera.get_by_role("button", name="Settings").click()
    expect(dialog.get_by_label("Turn the picture")).to_have_value("270")
    expect(dialog.get_by_label("Swap left and right")).to_be_checked()
