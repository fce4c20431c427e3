"""Cameras in, labels out: the whole product against a real RTSP server, a real broker and a webhook's receiver."""

import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from websockets.sync.client import connect

from tests.e2e.live_house import Ear, House, Told, data_of
from tests.rtsp_server import Footage, RtspServer

pytestmark = pytest.mark.e2e

FALL = "upfall_a1_t1_c1.mp4"
ANALYSIS = {"fps": 30, "max_persons": 16, "stride_s": 0.2}
STRIDE_S = 0.2


@pytest.fixture(scope="module")
def fall(data_dir: Path) -> Footage:
    return Footage.load(data_dir / "video" / FALL)


class Ears:
    """A broker with a listener, and a webhook's receiver, outside the product."""

    def __init__(self, folder: Path) -> None:
        self.mqtt: list[tuple[str, dict[str, object]]] = []
        self.hooked: list[tuple[str, dict[str, object]]] = []
        self.port = _free_port()
        config = folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        if not Path(program).exists():
            pytest.skip("mosquitto is not installed")
        quiet = subprocess.DEVNULL
        self._broker = subprocess.Popen([program, "-c", str(config)], stdout=quiet, stderr=quiet)
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("actogram/+/action/+", qos=1)
        self._client.on_message = lambda _, __, found: self.mqtt.append((found.topic, json.loads(found.payload)))
        time.sleep(0.3)
        self._client.connect_async("127.0.0.1", self.port)
        self._client.loop_start()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def close(self) -> None:
        self._client.loop_stop()
        self._broker.kill()
        self._broker.wait()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hooked = self.hooked

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hooked.append((self.headers["webhook-id"], json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Silence."""

        return Handler


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ears]:
    found = Ears(tmp_path_factory.mktemp("ears"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, weights_dir: Path, ears: Ears) -> Iterator[House]:
    broker = f"mqtt://127.0.0.1:{ears.port}"
    with House(tmp_path_factory.mktemp("live") / "home", weights_dir, mqtt_url=broker) as found:
        yield found


@pytest.fixture
def ear(house: House) -> Iterator[Ear]:
    with Ear(house, "action", "track", "stream", "clip", "frame") as found:
        yield found
    for stream in house.http.get("/v1/streams").json()["items"]:
        house.http.delete(f"/v1/streams/{stream['stream_id']}")


def test_fall_is_announced_stored_and_evidenced(house: House, ear: Ear, fall: Footage) -> None:
    recording = {"pre_roll_s": 1, "post_roll_s": 1, "max_s": 8}
    with RtspServer(fall) as camera:
        stream_id = house.add("Fall", camera.url, recording=recording)
        house.until(lambda: bool(ear.of("action.started", stream_id, "fall")))
        event_id = str(data_of(ear.of("action.started", stream_id, "fall")[0])["event_id"])
        house.until(lambda: house.http.get(f"/v1/events/{event_id}").json()["clip_state"] in ("ready", "failed"))
        picture = house.http.get(f"/v1/streams/{stream_id}/snapshot")
        watched_by = house.status(stream_id)["worker"]
        house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False})
        house.until(lambda: house.status(stream_id)["worker"] is None)
    event = house.http.get(f"/v1/events/{event_id}").json()
    clip = house.http.get(f"/v1/events/{event_id}/clip")

    assert watched_by == "w0"
    assert (event["severity"], event["clip_state"]) == ("alarm", "ready"), event
    first_s, last_s = event["clip"]["covered_s"]
    assert first_s <= event["start_s"] <= last_s
    with av.open(io.BytesIO(clip.content), mode="r") as container:
        pictures = len(list(container.decode(container.streams.video[0])))
    assert pictures >= 15 * (last_s - first_s)
    assert house.http.get(f"/v1/events/{event_id}/evidence").headers["content-type"] == "application/zip"
    assert picture.content.startswith(b"\xff\xd8")
    assert ear.of("frame", stream_id)


def test_camera_that_dies_is_back_within_five_seconds_and_delays_nobody(house: House, ear: Ear, fall: Footage) -> None:
    with RtspServer(fall) as camera, RtspServer(fall) as other:
        stream_id, steady = house.add("dies", camera.url), house.add("steady", other.url)
        house.until(lambda: bool(ear.of("frame", stream_id) and ear.of("frame", steady)))
        camera.go_away()
        house.until(lambda: house.status(stream_id)["state"] == "reconnecting")
        before = len(ear.of("frame", steady))
        house.until(lambda: len(ear.of("frame", steady)) > before + 15)
        fault = house.status(stream_id)["last_error"]
        seen = len(ear.of("frame", stream_id))
        camera.come_back()
        back_s = house.until(lambda: len(ear.of("frame", stream_id)) > seen)
        house.until(lambda: house.status(stream_id)["reconnects"] == 1)
        state = house.status(stream_id)["state"]

    assert isinstance(fault, dict)
    assert fault["code"] in ("connection_failed", "ended")
    assert back_s < 5.0 * _slowness()
    assert state == "running"


def test_camera_that_stalls_is_noticed_and_taken_up_again(house: House, ear: Ear, fall: Footage) -> None:
    with RtspServer(fall) as camera:
        stream_id = house.add("stalls", camera.url)
        house.until(lambda: house.status(stream_id)["state"] == "running")
        camera.stall()
        house.until(lambda: house.status(stream_id)["state"] in ("degraded", "reconnecting"))
        house.until(lambda: house.status(stream_id)["state"] == "reconnecting")
        camera.flow()
        house.until(lambda: house.status(stream_id)["state"] == "running")

    states = [data_of(one)["state"] for one in ear.of("stream.state_changed", stream_id)]
    assert states[0] == "connecting"
    assert states[-1] == "running"
    assert "reconnecting" in states


def test_refused_login_is_named_and_the_password_is_nowhere(house: House, ear: Ear, fall: Footage) -> None:
    with RtspServer(fall, auth="digest") as camera:
        right = camera.url_with_login
        stream_id = house.add("locked", right.replace("s3cret", "wr0ng-passw0rd"))
        house.until(lambda: house.status(stream_id)["state"] == "failed")
        shown = house.http.get(f"/v1/streams/{stream_id}").json()
        house.http.patch(f"/v1/streams/{stream_id}", json={"source": {"uri": right}})
        house.until(lambda: house.status(stream_id)["state"] == "running")

    texts = [json.dumps(ear.told), json.dumps(shown), house.log, house.http.get("/metrics").text]
    assert shown["last_error"]["code"] == "auth_failed"
    assert not [text for text in texts if "wr0ng" in text or "s3cret" in text]


def test_same_file_gives_the_same_events_uploaded_and_played(
    house: House, ear: Ear, fall: Footage, data_dir: Path
) -> None:
    with (data_dir / "video" / FALL).open("rb") as file:
        job = house.http.post("/v1/jobs", files={"file": (FALL, file, "video/mp4")}).headers["location"]
    house.until(lambda: house.http.get(job).json()["state"] == "succeeded")
    with RtspServer(fall, loops=False) as camera:
        stream_id = house.add("parity", camera.url, analysis=ANALYSIS, drop_policy="wait")
        house.until(lambda: camera.num_plays == 1)
        camera.status = 404  # the clip is played once
        house.until(lambda: house.status(stream_id)["state"] in ("reconnecting", "failed"))
        _wait_quiet(house, ear, stream_id)
        dropped = house.status(stream_id)["dropped"]
        house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False})
        house.until(lambda: all(event["state"] in ("ended", "retracted") for event in house.events(stream_id)))

    tracks = house.http.get(f"{job}/timeline").json()["tracks"]
    uploaded = sorted((one["action"], one["start_s"], one["end_s"]) for track in tracks for one in track["actions"])
    played = sorted(
        (str(event["action"]), float(str(event["start_s"])), float(str(event["end_s"])))
        for event in house.events(stream_id) if event["state"] == "ended"
    )  # fmt: skip
    assert dropped == {}
    assert [action for action, *_ in played] == [action for action, *_ in uploaded]
    for (action, start_s, end_s), (_, expected_start_s, expected_end_s) in zip(played, uploaded, strict=True):
        assert start_s == pytest.approx(expected_start_s, abs=STRIDE_S), action
        assert end_s == pytest.approx(expected_end_s, abs=STRIDE_S), action


def test_pushed_pictures_are_labelled(house: House, ear: Ear, data_dir: Path) -> None:
    stream_id = house.add("webcam", "push:")
    with connect(f"ws://127.0.0.1:{house.port}/v1/streams/{stream_id}/push") as push:
        for jpeg in _jpegs(data_dir / "video" / FALL, 40):
            push.send(jpeg)
            time.sleep(1 / 18)
        house.until(lambda: any(data_of(one)["persons"] for one in ear.of("frame", stream_id)))

    assert house.status(stream_id)["state"] in ("running", "degraded", "reconnecting")


def test_nothing_is_lost_and_nothing_twice_when_processes_are_killed(
    house: House, ear: Ear, ears: Ears, fall: Footage
) -> None:
    hook = house.http.post("/v1/webhooks", json={"url": ears.url, "messages": ["action"]}).json()
    with RtspServer(fall) as camera:
        stream_id = house.add("killed", camera.url)
        _wait_open(house, ear, stream_id, 0)
        house.kill_worker()
        closed = len(ear.of("action.started", stream_id))
        house.until(lambda: len(ear.of("action.ended", stream_id)) >= closed)
        _wait_open(house, ear, stream_id, closed)
        house.kill()
        house.start()
        _wait_open(house, ear, stream_id, len(ear.of("action.started", stream_id)))
        house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False})
        house.until(lambda: all(event["state"] in ("ended", "retracted") for event in house.events(stream_id)))
    _wait_delivered(house, hook["webhook_id"])

    stored = [event for event in house.events(stream_id) if event["state"] == "ended"]
    names = {str(event["event_id"]) for event in stored}
    assert len(names) >= 3
    _assert_no_holes(house)
    for kind in ("action.started", "action.ended"):
        assert Counter(data_of(one)["event_id"] for one in _logged(house, kind, stream_id)) == Counter(names), kind
        assert {str(data_of(one)["event_id"]) for one in ear.of(kind, stream_id)} == names
        assert {str(data_of(body)["event_id"]) for _, body in ears.hooked if body["type"] == kind} >= names
        assert {str(data_of(body)["event_id"]) for _, body in ears.mqtt if body["type"] == kind} >= names
    sent = {name: body["seq"] for name, body in ears.hooked}
    assert len(set(sent.values())) == len(sent)


def _wait_quiet(house: House, ear: Ear, stream_id: str) -> None:
    """Wait until no frame came for two seconds."""
    seen = -1
    while seen != len(ear.of("frame", stream_id)):
        seen = len(ear.of("frame", stream_id))
        time.sleep(2)
    assert house.process.poll() is None


def _wait_open(house: House, ear: Ear, stream_id: str, started: int) -> None:
    """Wait until one more event is confirmed than `started`, and is open now."""

    def is_open() -> bool:
        return len(ear.of("action.started", stream_id)) > started and any(
            event["state"] == "confirmed" for event in house.events(stream_id)
        )

    house.until(is_open)


def _wait_delivered(house: House, webhook_id: str) -> None:
    house.until(lambda: house.http.get(f"/v1/webhooks/{webhook_id}").json()["pending"] == 0)
    house.until(lambda: 'actogram_outbox_pending{sink="mqtt"} 0.0' in house.http.get("/metrics").text)


def _logged(house: House, kind: str, stream_id: str) -> list[Told]:
    with sqlite3.connect(house.home / "actogram.sqlite3") as database:
        rows = database.execute("select data from event_log where type = ? and stream_id = ?", (kind, stream_id))
        return [{"data": json.loads(data)} for (data,) in rows]


def _assert_no_holes(house: House) -> None:
    with sqlite3.connect(house.home / "actogram.sqlite3") as database:
        numbers = [seq for (seq,) in database.execute("select seq from event_log order by seq")]
    assert numbers == list(range(1, len(numbers) + 1))


def _jpegs(path: Path, count: int) -> Iterator[bytes]:
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == count:
                return
            yield cv2.imencode(".jpg", frame.to_ndarray(format="bgr24"))[1].tobytes()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _slowness() -> float:
    """How much longer everything takes on this machine now: times are promised for one that has nothing else to do."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
