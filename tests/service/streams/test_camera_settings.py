"""What is set of one camera: how its picture is turned, and when its actions are events and how urgent."""

import json
from pathlib import Path

import pytest

from service.database import now
from service.errors import IdempotencyConflict
from service.events.schemas import EventRead
from service.idempotency import RepeatablePost, fingerprint
from service.streams import store
from service.streams.schemas import StreamCreate, StreamPatch
from service.streams.store import StreamRow
from tests.service.facts import report
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import CAMERA, Desk

ADDED = ("rotate", "mirror", "actions", "time_zone")
"""Parts that streams of earlier versions do not have."""


def _patch(stage: Stage, stream_id: str, **parts: object) -> tuple[int, dict[str, object]]:
    answer = stage.service.http.patch(f"/v1/streams/{stream_id}", json=parts)
    found: dict[str, object] = answer.json()
    return answer.status_code, found


def test_stream_says_how_its_picture_is_turned_and_its_worker_is_told(stage: Stage) -> None:
    stream_id, puppet = stage.watch(rotate=90, mirror=True)

    shown = stage.get(f"/v1/streams/{stream_id}")

    assert (shown["rotate"], shown["mirror"], shown["actions"]) == (90, True, {})
    assert (puppet.task.config["rotate"], puppet.task.config["mirror"]) == (90, True)


@pytest.mark.parametrize(
    "parts",
    [{"rotate": 45}, {"rotate": -90}, {"rotate": 360}, {"rotate": "90"}, {"rotate": False}, {"mirror": "yes"},
     {"mirror": 1}, {"actions": []}, {"actions": {"fall": {"threshold": 1.5}}},
     {"actions": {"fall": {"min_duration_s": -1}}}, {"actions": {"fall": {"severity": "urgent"}}},
     {"actions": {"fall": {"colour": "red"}}}, {"actions": {"fall": 0.9}}],
    ids=str,
)  # fmt: skip
def test_settings_out_of_range_are_refused_when_a_camera_is_made_and_changed(
    stage: Stage, parts: dict[str, object]
) -> None:
    stream_id = stage.add()

    made = stage.service.http.post("/v1/streams", json={"name": "x", "source": {"uri": CAMERA}, **parts})
    changed, problem = _patch(stage, stream_id, **parts)

    assert (made.status_code, made.json()["code"]) == (422, "invalid_request")
    assert (changed, problem["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "parts", [{"rotate": 180}, {"mirror": True}, {"actions": {"fall": {"threshold": 0.9}}}], ids=str
)
def test_change_starts_the_stream_anew_and_sending_it_back_does_not(stage: Stage, parts: dict[str, object]) -> None:
    stream_id, first = stage.watch()

    _patch(stage, stream_id, **parts)
    second = stage.runners.next()
    _patch(stage, stream_id, **parts)

    assert second.task.generation > first.task.generation
    (part, value), *_ = parts.items()
    assert stage.get(f"/v1/streams/{stream_id}")[part] == (
        {"fall": {"threshold": 0.9, "min_duration_s": None, "severity": None}} if part == "actions" else value
    )
    assert stage.runners.is_idle()


def test_unknown_action_is_refused_with_the_known_ones(stage: Stage) -> None:
    known = [one["action"] for one in stage.service.http.get("/v1/actions").json()["items"]]
    stream_id = stage.add()
    actions = {"yodel": {"threshold": 0.5}}

    made = stage.service.http.post("/v1/streams", json={"name": "x", "source": {"uri": CAMERA}, "actions": actions})
    changed, problem = _patch(stage, stream_id, actions=actions)

    assert (made.status_code, made.json()["code"]) == (422, "action_unknown")
    assert (changed, problem["code"]) == (422, "action_unknown")
    assert "yodel" in str(problem["detail"])
    assert all(name in str(problem["detail"]) for name in known)


def test_actions_are_replaced_as_a_whole_and_emptied(stage: Stage) -> None:
    stream_id = stage.add(actions={"fall": {"threshold": 0.9}, "lie": {"severity": "alarm"}})

    _, replaced = _patch(stage, stream_id, actions={"lie": {"min_duration_s": 30}})
    _, emptied = _patch(stage, stream_id, actions={})

    assert replaced["actions"] == {"lie": {"threshold": None, "min_duration_s": 30, "severity": None}}
    assert emptied["actions"] == {}


def test_events_have_the_severity_that_their_camera_sets(stage: Stage) -> None:
    _, puppet = stage.watch(actions={"fall": {"severity": "info"}, "walk": {"severity": "alarm"}})

    puppet.say(report(event_id="set-fall"))
    puppet.say(report(event_id="set-walk", action="walk"))
    puppet.say(report(event_id="set-sit", action="sit"))
    stage.until(lambda: stage.service.http.get("/v1/events/set-sit").status_code == 200)

    found = {name: EventRead.model_validate(stage.get(f"/v1/events/{name}")) for name in ("set-fall", "set-walk")}
    assert {name: event.severity for name, event in found.items()} == {"set-fall": "info", "set-walk": "alarm"}


def _forget_parts(desk: Desk) -> StreamRow:
    """Leave the stream as an earlier version stored it."""
    with desk.log.transaction() as transaction:
        row = store.get(transaction.connection, "dock")
        assert row is not None
        config = {name: value for name, value in row.config.items() if name not in ADDED}
        analysis = config["analysis"]
        assert isinstance(analysis, dict)
        config["analysis"] = {name: value for name, value in analysis.items() if name not in ("detector", "pose")}
        privacy = config["privacy"]
        assert isinstance(privacy, dict)
        config["privacy"] = {name: value for name, value in privacy.items() if name != "blur"}
        older = StreamRow("dock", "dock", config, state_since=now())
        store.put(transaction.connection, older)
    return older


def test_stream_of_an_earlier_version_runs_on_when_its_zones_change(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add()
    _forget_parts(desk)
    desk.tick()
    zone = {"name": "door", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}

    desk.control.change("dock", StreamPatch.model_validate({"zones": [zone]}))

    assert desk.placer.withdrawn == []
    shown = desk.control.read(desk.control.require("dock"))
    assert (shown.rotate, shown.mirror, shown.actions) == (0, False, {})


def test_request_of_an_earlier_version_is_known_by_its_key(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add()
    older = _forget_parts(desk)
    post = RepeatablePost(store.SCOPE, "k", fingerprint("dock", json.dumps(dict(older.config), sort_keys=True)))
    with desk.log.transaction() as transaction:
        post.remember(transaction.connection, "dock")
    wanted = {"name": "dock", "source": {"uri": CAMERA}}

    row, is_repeated = desk.control.create(StreamCreate.model_validate(wanted), "k")

    assert (row.stream_id, is_repeated) == ("dock", True)
    with pytest.raises(IdempotencyConflict):
        desk.control.create(StreamCreate.model_validate({**wanted, "rotate": 90}), "k")


def test_events_of_a_stream_with_its_own_model_have_that_models_severities(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.add(analysis={"model": "careful"}, actions={"walk": {"severity": "info"}})
    row = desk.control.require("dock")

    for action in ("fall", "walk"):
        desk.witness.take(row, report(event_id=f"own-{action}", action=action))

    found = {action: desk.events.require(f"own-{action}").severity for action in ("fall", "walk")}
    assert found == {"fall": "warning", "walk": "info"}
