"""Streams and their workers: placed once, placed again, quarantined, and nothing of theirs left open."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import JsonValue

from service.errors import NotFound
from service.events.search import Filter
from service.protocol.facts import ClipReport, StateChanged, TrackStarted
from service.protocol.messages import Fact
from service.protocol.preview import PreviewPicture
from service.streams import store
from service.streams.schemas import StreamPatch
from service.worker.channel import Ended
from tests.service.facts import T0, report
from tests.service.streams.puppets import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def _state(desk: Desk, stream_id: str = "dock") -> tuple[str, str | None]:
    row = desk.control.require(stream_id)
    return row.state, row.error_code


def _patch(**parts: object) -> StreamPatch:
    return StreamPatch.model_validate(parts)


def test_stream_is_placed_once_with_its_credentials(desk: Desk) -> None:
    desk.add()

    desk.tick()
    desk.tick()

    assert [task.uri for task in desk.placer.tasks] == ["rtsp://viewer:hunter2@192.168.7.9/live?token=hunter2"]
    assert "hunter2" not in repr(desk.task())


def test_stream_waits_while_there_is_no_room(desk: Desk) -> None:
    desk.placer.refuses = True
    desk.add()
    desk.tick()
    desk.placer.refuses = False

    desk.tick()

    assert len(desk.placer.tasks) == 1


def test_disabled_stream_is_not_placed_until_it_is_enabled(desk: Desk) -> None:
    desk.add(enabled=False)
    desk.tick()
    before = len(desk.placer.tasks)

    desk.control.change("dock", _patch(enabled=True))
    desk.tick()

    assert (before, len(desk.placer.tasks)) == (0, 1)


def test_change_of_the_source_calls_the_stream_back_and_places_it_once_it_has_ended(desk: Desk) -> None:
    desk.add()
    desk.tick()

    desk.control.change("dock", _patch(source={"uri": "rtsp://192.168.7.10/live"}))
    desk.tick()
    while_leaving = len(desk.placer.tasks)
    desk.end(Ended("cancelled", {}))
    desk.tick()

    assert (while_leaving, desk.placer.withdrawn) == (1, ["dock"])
    assert desk.task().uri == "rtsp://192.168.7.10/live"


@pytest.mark.parametrize(
    "parts",
    [
        {"name": "Loading dock"},
        {"tags": {"floor": "2"}},
        {"zones": [{"name": "door", "polygon": [[0, 0], [1, 0], [1, 1]]}]},
        {"rules": [{"name": "falls", "actions": ["fall"]}]},
        {"enabled": True},
        {"analysis": {"fps": 15.0}},
        {"source": {"uri": "rtsp://***@192.168.7.9/live?token=***"}},
    ],
)
def test_change_that_concerns_no_pictures_leaves_the_stream_running(desk: Desk, parts: dict[str, object]) -> None:
    desk.add()
    desk.tick()

    row = desk.control.change("dock", _patch(**parts))

    assert desk.placer.withdrawn == []
    assert row.config["source"]["uri"] == desk.task().uri  # type: ignore[index,call-overload]


def test_zones_and_rules_hold_from_the_next_report_on(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.say(report(event_id="e1"))

    zone = {"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
    desk.control.change("dock", _patch(zones=[zone], rules=[{"name": "falls", "zones": ["left"]}]))
    desk.say(report(event_id="e2"))

    assert [desk.told[-1].data[key] for key in ("event_id", "zones", "rules")] == ["e2", ["left"], ["falls"]]


def test_cooldown_survives_a_change_of_name(desk: Desk) -> None:
    desk.add(rules=[{"name": "falls", "cooldown_s": 3600}])
    desk.tick()
    desk.say(report(event_id="e1"))

    desk.control.change("dock", _patch(name="Dock 7", tags={"a": "b"}))
    desk.say(report(event_id="e2", end_s=9.0))

    assert desk.told[-1].data["rules"] == []


def test_change_between_look_and_placement_is_not_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings are read again under the lock that changes wait for."""
    desk.add()
    place = desk.dispatcher._place

    def late(stream_id: str) -> None:
        with desk.log.transaction() as transaction:
            row = desk.control.require(stream_id)
            config: dict[str, JsonValue] = {**row.config, "source": {"uri": "rtsp://192.168.7.10/live"}}
            store.put(transaction.connection, replace(row, config=config))
        place(stream_id)

    monkeypatch.setattr(desk.dispatcher, "_place", late)
    desk.tick()

    assert desk.task().uri == "rtsp://192.168.7.10/live"


def test_pictures_are_shown_of_the_newest_placement_alone(desk: Desk) -> None:
    desk.add()
    desk.tick()
    old = desk.task()
    desk.lose(is_suspect=False)
    desk.tick()

    for task in (old, desk.task()):
        desk.dispatcher.on_message(PreviewPicture(task.task_id, task.generation, b"jpeg"))

    assert [picture.generation for picture in desk.shown] == [desk.task().generation]


def test_older_placement_is_passed_over(desk: Desk) -> None:
    desk.add()
    desk.tick()
    old = desk.task()
    desk.lose(is_suspect=False)
    desk.tick()
    told = len(desk.told)

    desk.say(report(), old)
    desk.say(StateChanged("failed", "timeout", "", 2.0), old)

    assert len(desk.told) == told


def test_stream_made_again_under_the_same_name_has_a_placement_of_its_own(desk: Desk) -> None:
    desk.add()
    desk.tick()
    first = desk.task()
    desk.control.remove("dock")
    desk.end(Ended("cancelled", {}))

    desk.add()
    desk.tick()

    assert desk.task().task_id == first.task_id
    assert desk.task().generation > first.generation


def test_second_crash_quarantines_and_enabling_tries_again(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.lose()
    after_one = _state(desk)
    desk.tick()
    desk.lose()
    desk.tick()
    after_two, placed = _state(desk), len(desk.placer.tasks)

    desk.control.change("dock", _patch(enabled=True))
    desk.tick()

    assert after_one == ("reconnecting", "worker_lost")
    assert (after_two, placed) == (("failed", "source_quarantined"), 2)
    assert (_state(desk), len(desk.placer.tasks)) == (("connecting", None), 3)


def test_loss_that_is_not_its_fault_never_quarantines(desk: Desk) -> None:
    desk.add()
    for _ in range(5):
        desk.tick()
        desk.lose(is_suspect=False)

    assert _state(desk) == ("reconnecting", "worker_lost")


def test_crashes_long_ago_are_forgiven(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.lose()
    desk.tick()
    task = desk.task()

    desk.dispatcher.on_message(Fact(99, "dock", task.generation, StateChanged("running", media_time_s=700.0)))
    desk.lose()

    assert _state(desk) == ("reconnecting", "worker_lost")


def test_lost_worker_leaves_no_event_track_or_promise_open(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.say(TrackStarted(1, T0))
    desk.say(report("action.provisional", "maybe", action="sit"))
    desk.say(report(event_id="sure"))

    desk.lose()

    assert desk.kinds()[-2:] in (["action.ended", "action.retracted"], ["action.retracted", "action.ended"])
    assert desk.kinds("clip") == ["clip.failed"]
    assert desk.kinds("track")[-1] == "track.ended"
    assert desk.events.page(Filter(state="confirmed"), None, 9) == []


def test_removed_stream_has_its_events_closed_and_its_pictures_forgotten(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.say(report())

    desk.control.remove("dock")
    desk.control.remove("dock")
    desk.say(report("action.updated", end_s=3.0))
    desk.end(Ended("cancelled", {}))

    assert desk.events.require("e1").event.state == "ended"
    assert desk.events.require("e1").event.end_s == 3.0
    assert "dock" in desk.forgotten
    with pytest.raises(NotFound):
        desk.control.require("dock")


@pytest.mark.parametrize("is_removed", [False, True])
def test_next_server_closes_open_events_exactly_once(desk: Desk, is_removed: bool) -> None:
    desk.add()
    desk.tick()
    desk.say(report())
    if is_removed:
        desk.control.remove("dock")

    for _ in range(2):
        again = desk.next_server()
        desk.placer.refuses = True
        again.start()
        again.stop()

    assert desk.kinds() == ["action.started", "action.ended"]


def test_numbers_of_people_are_never_used_again(desk: Desk) -> None:
    desk.add()
    desk.tick()
    first = desk.task().config["first_track_id"]
    desk.say(TrackStarted(17, T0))
    desk.lose(is_suspect=False)

    desk.tick()
    second = desk.task().config["first_track_id"]
    desk.control.remove("dock")
    desk.end(Ended("cancelled", {}))
    desk.add()
    desk.tick()

    assert (first, second, desk.task().config["first_track_id"]) == (1, 1001, 1001)


def test_file_that_was_played_is_not_played_again_by_itself(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.end(Ended("succeeded", {}))

    desk.tick()
    ended = _state(desk)
    desk.control.change("dock", _patch(enabled=True))
    desk.tick()

    assert ended == ("failed", "ended")
    assert len(desk.placer.tasks) == 2


def test_stream_that_fails_at_once_is_tried_again_ever_less_often(desk: Desk) -> None:
    desk.add()
    placed_s = []
    for second in range(130):
        desk.now_s = float(second)
        desk.tick()
        if desk.placer.running:
            placed_s.append(second)
            desk.end(Ended("failed", {}, "source_forbidden", "no"))

    assert placed_s == [0, 1, 3, 7, 15, 31, 63, 123]


def test_evidence_of_an_event_that_nobody_was_told_of_is_removed(desk: Desk) -> None:
    desk.add(zones=[{"name": "toilet", "kind": "exclude", "polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}])
    desk.tick()
    desk.say(report(event_id="hidden"))

    desk.say(ClipReport("hidden", "ready", covered_s=(0.0, 1.0)))

    assert desk.kinds() == []
    assert desk.forgotten == ["hidden"]


def test_clip_is_told_once_and_a_later_failure_does_not_take_it_back(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.say(report())

    desk.say(ClipReport("e1", "ready", covered_s=(0.0, 1.0)))
    desk.say(ClipReport("e1", "failed", reason="not_covered"))

    assert desk.kinds("clip") == ["clip.ready"]
    assert desk.events.require("e1").clip_state == "ready"


def test_camera_that_had_ended_its_connection_is_placed_again_by_the_next_server(desk: Desk) -> None:
    desk.add()
    desk.tick()
    desk.say(StateChanged("reconnecting", "ended", "gone", 2.0))
    again = desk.next_server()

    again.start()
    again.stop()

    assert _state(desk) == ("connecting", None)
