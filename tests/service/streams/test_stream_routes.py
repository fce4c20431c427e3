"""Streams over HTTP: made, changed, paused, removed in every state, and never a credential in any answer."""

import json
import logging

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from service.protocol.metrics import FRAMES
from service.streams.store import StreamState
from service.worker.channel import Ended
from tests.service.facts import report
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import CAMERA

ZONE = {"name": "door", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}


def _state(stage: Stage, stream_id: str) -> object:
    return stage.get(f"/v1/streams/{stream_id}")["state"]


def test_stream_of_a_camera_that_is_off_is_made_and_connecting(stage: Stage) -> None:
    answer = stage.service.http.post("/v1/streams", json={"name": "Ladezone Süd", "source": {"uri": CAMERA}})

    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, "/v1/streams/ladezone-s-d")
    assert (made["state"], made["enabled"], made["last_error"]) == ("connecting", True, None)
    assert stage.service.http.get(made["links"]["self"]).json()["stream_id"] == "ladezone-s-d"


def test_names_may_repeat_and_ids_do_not(stage: Stage) -> None:
    body = {"name": "Hall", "source": {"uri": CAMERA}}

    ids = [stage.service.http.post("/v1/streams", json=body).json()["stream_id"] for _ in range(3)]

    assert ids == ["hall", "hall-2", "hall-3"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"name": "x"}, 422, "invalid_request"),
        ({"name": "", "source": {"uri": CAMERA}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": ""}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA, "password": "hunter2"}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": "rtsp://***@192.168.7.9/live"}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": "ftp://hunter2@host/x"}}, 403, "source_forbidden"),
        ({"name": "x", "source": {"uri": "file:///etc/passwd"}}, 403, "source_forbidden"),
        ({"name": "x", "source": {"uri": "webcam:0"}}, 403, "source_forbidden"),
        ({"name": "x", "source": {"uri": "push:x"}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "analysis": {"fps": 0}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "analysis": {"model": "nope"}}, 422, "model_unknown"),
        ({"name": "x", "source": {"uri": CAMERA}, "analysis": {"window_s": 9}}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "zones": [ZONE, ZONE]}, 422, "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "zones": [{"name": "a", "polygon": [[0, 0], [0, 0], [1, 1]]}]}, 422,
         "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "rules": [{"name": "r", "zones": ["nowhere"]}]}, 422,
         "invalid_request"),
        ({"name": "x", "source": {"uri": CAMERA}, "colour": "red"}, 422, "invalid_request"),
    ],
)  # fmt: skip
def test_bad_stream_is_refused_with_its_code_and_without_its_secret(
    stage: Stage, body: dict[str, object], status: int, code: str
) -> None:
    answer = stage.service.http.post("/v1/streams", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["code"] == code
    assert "hunter2" not in answer.text
    assert stage.get("/v1/streams")["items"] == []


def test_change_that_does_not_fit_the_rest_is_refused_and_changes_nothing(stage: Stage) -> None:
    stream_id = stage.add(zones=[ZONE], rules=[{"name": "r", "zones": ["door"]}])

    answer = stage.service.http.patch(f"/v1/streams/{stream_id}", json={"zones": []})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "door" in answer.json()["detail"]
    assert [zone["name"] for zone in stage.get(f"/v1/streams/{stream_id}")["zones"]] == ["door"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("parts", [{"source": {"uri": "rtsp://***@10.0.0.1/other"}}, {"source": {"uri": "gopher://x"}}])
def test_changed_address_is_checked_as_a_new_one(stage: Stage, parts: dict[str, object]) -> None:
    stream_id = stage.add()

    answer = stage.service.http.patch(f"/v1/streams/{stream_id}", json=parts)

    assert answer.status_code in (403, 422)


def test_credentials_are_in_no_answer_log_line_or_metric(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    nasty = "rtsp://view@er:hun/ter2?hunter2@192.168.7.9:554/live?token=hunter2#hunter2"

    texts = []
    for uri in (CAMERA, nasty):
        stream_id, puppet = stage.watch(uri)
        puppet.state("failed", "auth_failed", "the login was refused")
        stage.until(lambda one=stream_id: _state(stage, one) == "failed")  # type: ignore[misc]
        texts += [stage.service.http.get(f"/v1/streams/{stream_id}{tail}").text for tail in ("", "/status")]
        texts.append(stage.service.http.patch(f"/v1/streams/{stream_id}", json={"name": "n"}).text)
        assert puppet.task.uri == uri
    texts += [stage.service.http.get(path).text for path in ("/v1/streams", "/metrics", "/v1/capacity", "/healthz")]

    assert not [text for text in [*texts, caplog.text] if "hunter2" in text or "ter2" in text]
    assert "***@192.168.7.9" in texts[0]


@pytest.mark.parametrize("state", ["connecting", "running", "degraded", "reconnecting", "failed", "disabled"])
def test_removal_is_legal_and_idempotent_in_every_state(stage: Stage, state: StreamState) -> None:
    if state == "disabled":
        stream_id = stage.add(enabled=False)
    else:
        stream_id, puppet = stage.watch()
        puppet.state(state)
        stage.until(lambda: _state(stage, stream_id) == state)

    answers = [stage.service.http.delete(f"/v1/streams/{stream_id}").status_code for _ in range(2)]

    assert answers == [204, 204]
    assert stage.service.http.get(f"/v1/streams/{stream_id}").status_code == 404
    assert stage.service.http.get(f"/v1/streams/{stream_id}/status").status_code == 404


def test_pause_lets_the_worker_go_and_enabling_takes_it_again(stage: Stage) -> None:
    stream_id, puppet = stage.watch()

    paused = stage.service.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False}).json()
    stage.until(lambda: puppet.channel.stop_reason == "cancelled")
    again = [stage.service.http.patch(f"/v1/streams/{stream_id}", json={"enabled": True}).json() for _ in range(2)]

    assert (paused["state"], again[0]["state"]) == ("disabled", "connecting")
    second = stage.runners.next()
    assert second.task.generation > puppet.task.generation
    assert stage.runners.is_idle()


def test_idempotency_key_makes_one_stream(stage: Stage) -> None:
    body = {"name": "keyed", "source": {"uri": CAMERA}}
    headers = {"Idempotency-Key": "k1"}

    first, second = (stage.service.http.post("/v1/streams", json=body, headers=headers) for _ in range(2))
    other = stage.service.http.post("/v1/streams", json={**body, "name": "another"}, headers=headers)

    assert first.json()["stream_id"] == second.json()["stream_id"]
    assert second.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_idempotency_key_answers_its_stream_after_a_change_and_makes_another_after_a_removal(stage: Stage) -> None:
    body = {"name": "keyed twice", "source": {"uri": CAMERA}}
    headers = {"Idempotency-Key": "k2"}
    first = stage.service.http.post("/v1/streams", json=body, headers=headers)
    stage.service.http.patch(first.headers["location"], json={"tags": {"site": "north"}})

    changed = stage.service.http.post("/v1/streams", json=body, headers=headers)
    stage.service.http.delete(first.headers["location"])
    removed = stage.service.http.post("/v1/streams", json={**body, "name": "keyed anew"}, headers=headers)

    assert (changed.status_code, changed.json()["tags"]) == (201, {"site": "north"})
    assert (removed.status_code, removed.json()["stream_id"]) == (201, "keyed-anew")


def test_stream_beyond_the_budget_is_told_the_rate_that_fits(stage: Stage) -> None:
    for _ in range(3):
        stage.add(analysis={"fps": 30})

    refused = stage.service.http.post("/v1/streams", json={"name": "x", "source": {"uri": CAMERA}})
    fitting = stage.add(analysis={"fps": 10})
    raised = stage.service.http.patch(f"/v1/streams/{fitting}", json={"analysis": {"fps": 60}})
    asleep = stage.add(enabled=False)
    woken = stage.service.http.patch(f"/v1/streams/{asleep}", json={"enabled": True})

    assert (refused.status_code, refused.json()["code"]) == (429, "at_capacity")
    assert "analysis.fps of 10 would fit" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert (raised.status_code, woken.status_code) == (429, 429)
    assert stage.get("/v1/capacity")["fps_free"] == 0


def test_capacity_names_the_slots_that_are_left(stage: Stage) -> None:
    before = stage.get("/v1/capacity")

    for _ in range(8):
        stage.add(analysis={"fps": 2})
    after = stage.get("/v1/capacity")
    refused = stage.service.http.post("/v1/streams", json={"name": "x", "source": {"uri": CAMERA}})

    assert (before["free_slots"], before["fps_budget"], before["workers_ready"]) == (6, 100.0, 2)
    assert (after["free_slots"], after["why"]) == (0, "all 8 slots are taken")
    assert refused.status_code == 429


def test_status_holds_what_the_worker_said_last(stage: Stage) -> None:
    stream_id, puppet = stage.watch()
    empty = stage.get(f"/v1/streams/{stream_id}/status")

    puppet.state("running")
    puppet.status({
        "fps_in": 15.0, "fps_analysed": 14.8, "frame_age_ms": 90.5, "latency_ms": {"p50": 80.0, "p95": 120.0},
        "dropped": {"rate": 7}, "reconnects": 2, "tracks_active": 1, "frame_size": [640, 480], "stage_ms": {},
    })  # fmt: skip
    stage.until(lambda: stage.get(f"/v1/streams/{stream_id}/status")["fps_in"] == 15.0)
    status = stage.get(f"/v1/streams/{stream_id}/status")

    assert {"state", "state_since", "last_error", "fps_in", "fps_analysed", "frame_age_ms", "latency_ms", "dropped",
            "reconnects", "tracks_active"} <= set(empty)  # fmt: skip
    assert (empty["frame_age_ms"], empty["latency_ms"]) == (None, {"p50": None, "p95": None, "p99": None})
    assert (status["state"], status["dropped"], status["reconnects"]) == ("running", {"rate": 7}, 2)


def test_pages_of_streams_meet_without_hole_or_repetition(stage: Stage) -> None:
    ids = sorted(stage.add(enabled=False) for _ in range(5))

    found: list[str] = []
    cursor = ""
    while True:
        page = stage.get(f"/v1/streams?limit=2{cursor}")
        found += [item["stream_id"] for item in page["items"]]  # type: ignore[attr-defined]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert found == ids
    assert stage.service.http.get("/v1/streams?cursor=%C3%A9").status_code == 422


def test_socket_of_one_stream_tells_its_frames_and_facts_and_no_other_s(stage: Stage) -> None:
    mine, puppet = stage.watch()
    _, other = stage.watch()
    url = stage.service.url.replace("http", "ws") + f"/v1/streams/{mine}/ws"

    with connect(url) as socket:
        first = json.loads(socket.recv(10))
        other.frame(1)
        other.say(report(event_id="other"))
        puppet.frame(7)
        puppet.say(report(event_id="mine"))
        told = [json.loads(socket.recv(10)) for _ in range(2)]

    assert first["type"] == "subscribed"
    assert {message["stream_id"] for message in told} == {mine}
    assert sorted(message["type"] for message in told) == ["action.started", "frame"]


@pytest.mark.parametrize("tail", ["ws", "push"])
def test_socket_of_a_stream_that_is_not_there_is_refused(stage: Stage, tail: str) -> None:
    url = stage.service.url.replace("http", "ws") + f"/v1/streams/nobody/{tail}"

    with pytest.raises(InvalidStatus) as caught, connect(url):
        pass

    assert caught.value.response.status_code == 404


def test_metrics_name_streams_while_they_are_there(stage: Stage) -> None:
    stream_id, puppet = stage.watch()
    puppet.state("running")
    puppet.channel.measure(FRAMES.add(3, stream=stream_id, stage="analysed"))
    line = f'actogram_frames_total{{stage="analysed",stream="{stream_id}"}} 3.0'
    stage.until(lambda: line in stage.service.http.get("/metrics").text)
    running = stage.service.http.get("/metrics").text

    stage.service.http.delete(f"/v1/streams/{stream_id}")
    stage.until(lambda: f'"{stream_id}"' not in stage.service.http.get("/metrics").text)

    assert f'actogram_stream_state{{state="running",stream="{stream_id}"}} 1.0' in running


def test_stream_that_failed_by_itself_says_why(stage: Stage) -> None:
    stream_id, puppet = stage.watch()

    puppet.end(Ended("failed", {}, "source_forbidden", "addresses of this machine are not allowed"))

    stage.until(lambda: _state(stage, stream_id) == "failed")
    fault = stage.get(f"/v1/streams/{stream_id}")["last_error"]
    assert fault == {"code": "source_forbidden", "message": "addresses of this machine are not allowed"}
