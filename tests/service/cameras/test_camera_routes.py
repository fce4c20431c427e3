"""An address is looked at once: what it shows, or the stable code that says why it shows nothing."""

import base64
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from models.arrays import Image
from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import DecoderFailed, SourceUnavailable
from pipelines.stream.sources.probe import Probed, ProbeOrder, probe
from service.cameras.control import CameraControl, CameraRules
from service.database import Database, migrate
from service.errors import AtCapacity
from service.security import KeyStore
from tests.onvif_device import Camera, OnvifDevice
from tests.rtsp_server import Footage, RtspServer
from tests.service.conftest import Running, Serve
from tests.videos import Clip, red_corner, write_video

LOCAL = AddressPolicy(networks=frozenset({"loopback"}))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a picture with a red corner."""
    return write_video(tmp_path_factory.mktemp("probe") / "clip.mp4", Clip((320, 240), 20))


@pytest.fixture
def camera(clip: Path) -> Iterator[RtspServer]:
    """A camera that asks for a login."""
    with RtspServer(Footage.load(clip), auth="digest") as server:
        yield server


@pytest.fixture
def house(serve: Serve) -> Running:
    """A service that may open cameras of this machine."""
    return serve(stream_networks="loopback")


def ask(house: Running, uri: str, **fields: object) -> httpx.Response:
    return house.http.post("/v1/cameras/test", json={"source": {"uri": uri}, **fields})


def test_address_shows_codec_size_rate_and_a_picture(house: Running, camera: RtspServer) -> None:
    answer = ask(house, camera.url_with_login)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["codec"], found["size"]) == ("h264", [320, 240])
    assert found["fps"] == pytest.approx(10, abs=2)
    assert camera.password not in answer.text
    picture = picture_of(found)
    assert picture.shape == (240, 320, 3)
    assert red_corner(picture) == "top left"


def test_picture_is_turned_as_the_camera_will_be(house: Running, camera: RtspServer) -> None:
    picture = picture_of(ask(house, camera.url_with_login, rotate=90).json())

    assert picture.shape == (320, 240, 3)
    assert red_corner(picture) == "top right"


def picture_of(found: dict[str, str]) -> Image:
    image = cv2.imdecode(np.frombuffer(base64.b64decode(found["picture"]), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def test_picture_is_coarse_where_faces_may_not_be_shown(serve: Serve, camera: RtspServer) -> None:
    found = ask(serve(stream_networks="loopback", blur_faces=True), camera.url_with_login).json()

    assert found["is_coarse"] is True
    picture = picture_of(found).astype(int)
    assert np.abs(np.diff(picture, axis=1)).max() < 40


@pytest.mark.parametrize(
    ("uri", "status", "code"),
    [
        pytest.param("rtsp://u:hunter2@127.0.0.1:1/live", 502, "connection_failed", id="nobody listens"),
        pytest.param("rtsp://u:hunter2@169.254.169.254/live", 403, "source_forbidden", id="a metadata service"),
        pytest.param("rtsp://u:hunter2@10.0.0.1/live", 403, "source_forbidden", id="a network that is not allowed"),
        pytest.param("file:///etc/passwd", 403, "source_forbidden", id="a file"),
        pytest.param("push:", 403, "source_forbidden", id="pushed frames"),
        pytest.param("rtsp://***@127.0.0.1/live", 422, "invalid_request", id="hidden credentials"),
        pytest.param("not an address", 403, "source_forbidden", id="no address"),
    ],
)
def test_address_that_shows_nothing_says_why(house: Running, uri: str, status: int, code: str) -> None:
    answer = ask(house, uri)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "hunter2" not in answer.text


def test_camera_that_refuses_the_login_or_the_path_says_so(house: Running, camera: RtspServer) -> None:
    wrong = ask(house, f"rtsp://viewer:hunter2@127.0.0.1:{camera.port}/live")
    camera.status = 404
    missing = ask(house, camera.url_with_login)

    assert (wrong.status_code, wrong.json()["code"]) == (502, "auth_failed")
    assert (missing.status_code, missing.json()["code"]) == (502, "not_found")
    assert "hunter2" not in wrong.text
    assert camera.password not in missing.text


def test_camera_that_says_nothing_is_left_in_time() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live"
        began_s = time.monotonic()
        with pytest.raises(SourceUnavailable) as caught:
            probe(ProbeOrder(uri), LOCAL, limit_s=3.0)

    assert caught.value.code == "timeout"
    assert time.monotonic() - began_s < 6


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("import os; os.abort()", id="it crashes"),
        pytest.param("print('nonsense')", id="it says nonsense"),
        pytest.param("import sys; sys.stdout.write('x' * (9 << 20))", id="it says far too much"),
        pytest.param("pass", id="it says nothing"),
    ],
)
def test_process_that_fails_is_an_error_of_the_address(program: str) -> None:
    with pytest.raises(DecoderFailed, match=r"rtsp://\*\*\*@127\.0\.0\.1"):
        probe(ProbeOrder("rtsp://u:p@127.0.0.1/x"), LOCAL, 10.0, (sys.executable, "-c", program))


def test_only_so_many_addresses_are_tested_at_once() -> None:
    started, may_end = threading.Barrier(3), threading.Event()

    def wait(order: ProbeOrder, policy: AddressPolicy) -> Probed:
        started.wait(10)
        may_end.wait(10)
        return Probed("h264", (1, 1), None, 0.0, b"x")

    control = CameraControl(LOCAL, CameraRules(), wait)
    threads = [threading.Thread(target=control.test, args=(ProbeOrder("rtsp://127.0.0.1/x"),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    started.wait(10)

    with pytest.raises(AtCapacity, match="2 addresses are being tested"):
        control.test(ProbeOrder("rtsp://127.0.0.1/x"))
    may_end.set()
    for thread in threads:
        thread.join(10)


def test_viewer_may_neither_test_nor_search(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    database = Database(f"sqlite:///{tmp_path / 'home' / 'actogram.sqlite3'}")
    migrate(database)
    key = KeyStore(database).create("me", "viewer")
    database.close()
    house = serve()
    headers = {"Authorization": f"Bearer {key}"}

    answers = [house.http.post(f"/v1/cameras/{one}", json={}, headers=headers) for one in ("test", "search", "streams")]

    assert [answer.status_code for answer in answers] == [403, 403, 403]


def test_camera_is_asked_for_its_streams_and_its_password_is_never_shown(house: Running) -> None:
    camera = Camera()
    with OnvifDevice(camera) as device:
        body = {"address": device.address, "user": camera.user, "password": camera.password}
        answer = house.http.post("/v1/cameras/streams", json=body)
        wrong = house.http.post("/v1/cameras/streams", json={**body, "password": "hunter2"})

    assert answer.status_code == 200, answer.text
    assert answer.json()["streams"][0] == {
        "name": "main", "uri": "rtsp://127.0.0.1:8554/main?a=1&b=2", "codec": "h265", "size": [1920, 1080], "fps": 25.0,
    }  # fmt: skip
    assert (wrong.status_code, wrong.json()["code"]) == (502, "auth_failed")
    assert "geheim" not in answer.text
    assert "hunter2" not in wrong.text


def test_search_that_the_settings_forbid_says_so(serve: Serve) -> None:
    answer = serve(camera_search=False).http.post("/v1/cameras/search", json={})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "ACTOGRAM_CAMERA_SEARCH" in answer.json()["detail"]
