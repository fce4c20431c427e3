"""Events, their evidence and feedback, people and webhooks over HTTP."""

import base64
import datetime as dt
import hashlib
import hmac
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service.blobs import safe_name
from service.protocol.facts import ActionReport, ClipReport, TrackStarted
from tests.service.facts import T0, report
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import Puppet


class Receiver:
    """A webhook's receiver; answers with the next of its statuses, then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?token=hunter2"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def puppet(stage: Stage) -> Puppet:
    _, puppet = stage.watch(
        tags={"site": "north"}, zones=[{"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}]
    )
    return puppet


def _keep(stage: Stage, event_id: str, **texts: str) -> None:
    """Evidence as a worker leaves it: name, with `__` for its dot, and content."""
    for name, text in texts.items():
        key = f"evidence/{safe_name(event_id)}/{name.replace('__', '.')}"
        stage.service.store.write(key, text.encode())


def _events(stage: Stage, query: str) -> list[str]:
    items = stage.get(f"/v1/events?{query}")["items"]
    assert isinstance(items, list)
    return [item["event_id"] for item in items]


def _tell(stage: Stage, puppet: Puppet, *reports: ActionReport) -> None:
    for one in reports:
        puppet.say(one)
    last = reports[-1].event.event_id
    stage.until(lambda: stage.service.http.get(f"/v1/events/{last}").status_code == 200)


def test_events_are_found_by_what_they_are(stage: Stage, puppet: Puppet) -> None:
    name = puppet.task.task_id
    early = replace(report(event_id=f"{name}-a", track_id=1, score=0.6), start_time=T0 - dt.timedelta(hours=1))
    late = report(event_id=f"{name}-b", action="walk", track_id=2, box=(0.7, 0.2, 0.9, 0.8))
    _tell(stage, puppet, early, late)
    mine = f"stream={name}&"

    found = {query: _events(stage, mine + query) for query in (
        "", "action=walk", "state=confirmed", "state=ended", "zone=left", "severity=alarm", "track=2", "min_score=0.7",
        "since=2026-03-01T11:30:00Z", "until=2026-03-01T11:30:00", "tag=site:north", "tag=site:south",
        "acknowledged=true", "job=j",
    )}  # fmt: skip

    a, b = f"{name}-a", f"{name}-b"
    assert found == {
        "": [b, a], "action=walk": [b], "state=confirmed": [b, a], "state=ended": [], "zone=left": [a],
        "severity=alarm": [a], "track=2": [b], "min_score=0.7": [b], "since=2026-03-01T11:30:00Z": [b],
        "until=2026-03-01T11:30:00": [a], "tag=site:north": [b, a], "tag=site:south": [], "acknowledged=true": [],
        "job=j": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=MjAyNi0wMS0wMXxl", "tag=site", "min_score=2", "state=open", "limit=0"]
)
def test_bad_question_is_refused(stage: Stage, query: str) -> None:
    answer = stage.service.http.get(f"/v1/events?{query}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_pages_of_events_meet_without_hole_or_repetition(stage: Stage, puppet: Puppet) -> None:
    name = puppet.task.task_id
    _tell(stage, puppet, *[report(event_id=f"{name}-{number}", track_id=1) for number in range(4)])

    found, cursor = [], ""
    while cursor is not None:
        page = stage.get(f"/v1/events?stream={name}&limit=2" + (f"&cursor={cursor}" if cursor else ""))
        found.append([item["event_id"] for item in page["items"]])  # type: ignore[attr-defined]
        cursor = page["next_cursor"]  # type: ignore[assignment]

    assert found == [[f"{name}-3", f"{name}-2"], [f"{name}-1", f"{name}-0"]]


def test_event_is_acknowledged_commented_and_judged(stage: Stage, puppet: Puppet) -> None:
    event_id = f"{puppet.task.task_id}-e"
    _tell(stage, puppet, report(event_id=event_id, track_id=1))
    path, http = f"/v1/events/{event_id}", stage.service.http

    changed = http.patch(path, json={"acknowledged": True, "comment": "a child"}).json()
    again = http.patch(path, json={"acknowledged": True}).json()
    undone = http.patch(path, json={"acknowledged": False}).json()
    said = http.post(f"{path}/feedback", json={"verdict": "wrong", "action": "sit"})

    assert changed["acknowledged_at"] is not None
    assert (again["acknowledged_at"], again["comment"]) == (changed["acknowledged_at"], "a child")
    assert undone["acknowledged_at"] is None
    assert said.status_code == 201
    assert stage.get(f"{path}/feedback")["items"] == [said.json()]
    assert http.patch(path, json={"state": "ended"}).status_code == 422
    assert http.get("/v1/events/nope").status_code == 404


def test_evidence_is_one_archive_and_the_clip_can_be_sought(stage: Stage, puppet: Puppet) -> None:
    event_id = f"{puppet.task.task_id}-e"
    _tell(stage, puppet, report(event_id=event_id, track_id=1))
    early = [stage.service.http.get(f"/v1/events/{event_id}/{part}") for part in ("clip", "evidence")]
    line = {"media_time_s": 1.5, "frame_index": 22, "track_id": 1, "keypoints": [[0.5, 0.5, 1]]}
    _keep(
        stage, event_id, clip__mp4="0123456789", evidence__json='{"window_scores": []}',
        skeletons__jsonl=json.dumps(line) + "\n",
    )  # fmt: skip
    puppet.say(TrackStarted(1, T0))
    puppet.say(ClipReport(event_id, "ready", (0.6, 4.0), (0.5, 4.0)))
    stage.until(lambda: stage.get(f"/v1/events/{event_id}")["clip_state"] == "ready")

    part = stage.service.http.get(f"/v1/events/{event_id}/clip", headers={"Range": "bytes=2-4"})
    archive = zipfile.ZipFile(io.BytesIO(stage.service.http.get(f"/v1/events/{event_id}/evidence").content))
    points = stage.service.http.get(f"/v1/tracks/{puppet.task.task_id}:1/keypoints")
    timeline = stage.get(f"/v1/tracks/{puppet.task.task_id}:1/timeline")

    assert [(answer.status_code, answer.json()["code"]) for answer in early] == [(409, "clip_pending")] * 2
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"234", "video/mp4")
    assert sorted(archive.namelist()) == ["clip.mp4", "event.json", "evidence.json", "skeletons.jsonl"]
    assert json.loads(archive.read("event.json"))["clip"]["covered_s"] == [0.5, 4.0]
    assert json.loads(points.text) == line
    assert timeline["totals_s"] == {"fall": 1.0}
    assert stage.service.http.get(f"/v1/tracks/{puppet.task.task_id}:9").status_code == 404


def test_webhook_is_told_signed_and_forgotten_with_its_secret_never_shown_again(
    stage: Stage, puppet: Puppet, receiver: Receiver
) -> None:
    http = stage.service.http
    made = http.post("/v1/webhooks", json={"url": receiver.url, "streams": [puppet.task.task_id]}).json()
    path = f"/v1/webhooks/{made['webhook_id']}"

    tested = http.post(f"{path}/test").json()
    _tell(stage, puppet, report(event_id=f"{puppet.task.task_id}-e", track_id=1))
    stage.until(lambda: len(receiver.got) == 2)
    shown = http.get(path).text + http.get("/v1/webhooks").text + http.get(f"{path}/deliveries").text
    stage.until(lambda: len(stage.get(f"{path}/deliveries")["items"]) == 2)  # type: ignore[arg-type]
    outcomes = [one["outcome"] for one in stage.get(f"{path}/deliveries")["items"]]  # type: ignore[attr-defined]
    removed = [http.delete(path).status_code for _ in range(2)]

    headers, body = receiver.got[1]
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"
    assert json.loads(body)["type"] == "action.started"
    assert (tested["delivered"], tested["status"]) == (True, 204)
    assert made["secret"] not in shown
    assert "hunter2" not in shown
    assert outcomes == ["delivered", "test"]
    assert removed == [204, 204]


@pytest.mark.parametrize("status", [302, 308, 400, 451])
def test_message_that_the_receiver_refuses_is_a_dead_letter_and_the_next_one_goes_on(
    stage: Stage, puppet: Puppet, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]
    made = stage.service.http.post("/v1/webhooks", json={"url": receiver.url, "messages": ["action.started"]}).json()
    path = f"/v1/webhooks/{made['webhook_id']}"

    _tell(
        stage,
        puppet,
        report(event_id=f"{puppet.task.task_id}-1", track_id=1),
        report(event_id=f"{puppet.task.task_id}-2", track_id=1),
    )
    stage.until(lambda: len(receiver.got) == 2)
    stage.until(lambda: len(stage.get(f"{path}/deliveries?outcome=delivered")["items"]) == 1)  # type: ignore[arg-type]
    dead = stage.get(f"{path}/deliveries?outcome=dead")["items"]
    stage.service.http.delete(path)

    assert [(one["status"], one["attempt"]) for one in dead] == [(status, 1)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "ftp://host/x"},
        {"url": "http:///x"},
        {"url": "http://h:99999/x"},
        {"url": "http://[::1/x"},
        {"url": f"http://{'a' * 300}/x"},
        {"url": "not an address"},
        {"url": "http://h/x", "secret": "short"},
        {"url": "http://h/x", "secret": "whsec_this is no base64 at all"},
        {"url": "http://h/x", "messages": [""]},
        {"url": "http://h/x", "colour": "red"},
    ],
)
def test_bad_webhook_is_refused(stage: Stage, body: dict[str, object]) -> None:
    answer = stage.service.http.post("/v1/webhooks", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_webhook_that_cannot_be_reached_says_so_when_it_is_tested(stage: Stage) -> None:
    made = stage.service.http.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/x", "enabled": False}).json()
    path = f"/v1/webhooks/{made['webhook_id']}"

    result = stage.service.http.post(f"{path}/test").json()
    changed = stage.service.http.patch(path, json={"url": "http://127.0.0.1:9/y"}).json()
    stage.service.http.delete(path)

    assert (result["delivered"], result["status"]) == (False, None)
    assert result["detail"].startswith("unreachable")
    assert changed["url"] == "http://127.0.0.1:9/y"
    assert stage.service.http.post(f"{path}/test").status_code == 404
