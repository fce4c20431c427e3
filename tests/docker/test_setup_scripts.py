"""What the containers run beside the server: the demo camera's clip, and Prometheus' key."""

import hashlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

import tests.rtsp_server

ROOT = Path(__file__).resolve().parents[2]
CLIP = b"a clip"
SHA256 = hashlib.sha256(CLIP).hexdigest()


class House(ThreadingHTTPServer):
    """Serves one clip, and metrics to whoever shows a key that it knows."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: House

    def do_GET(self) -> None:
        key = self.headers.get("authorization", "").removeprefix("Bearer ")
        status = {"/clip.mp4": 200, "/metrics": 200 if key in self.server.keys else 401}.get(self.path, 404)
        self.send_response(status)
        self.end_headers()
        if self.path == "/clip.mp4":
            self.wfile.write(CLIP)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@pytest.fixture
def house() -> Iterator[House]:
    server = House()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A script of docker/, which is no package."""
    # In the image the RTSP server lies beside the script.
    monkeypatch.setitem(sys.modules, "rtsp_server", tests.rtsp_server)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_demo_camera_fetches_the_clip_that_was_named(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = script("demo_camera", monkeypatch)

    clips = camera.fetch(f"{house.url}/clip.mp4#sha256={SHA256}", tmp_path / "clip.mp4")

    assert [clip.read_bytes() for clip in clips] == [CLIP]


@pytest.mark.parametrize(
    "rest",
    [f"/clip.mp4#sha256={'0' * 64}", "/clip.mp4", f"/gone.mp4#sha256={SHA256}"],
    ids=["other", "unnamed", "gone"],
)
def test_demo_camera_leaves_a_clip_that_is_not_the_one(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: str
) -> None:
    camera = script("demo_camera", monkeypatch)

    clips = camera.fetch(house.url + rest, tmp_path / "clip.mp4")

    assert clips == []
    assert list(tmp_path.iterdir()) == []


def test_demo_camera_ends_when_there_is_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script("demo_camera", monkeypatch).main(tmp_path) == 1


@pytest.fixture
def key_maker(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `actogram` on the path whose keys the house knows; counts how many it made."""
    count = tmp_path / "made"
    program = tmp_path / "bin" / "actogram"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {count}\necho act_new_secret\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    house.keys = {"act_new_secret"}
    return count


def test_monitoring_setup_makes_one_key_that_only_reads(
    house: House, key_maker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = script("monitoring_setup", monkeypatch)
    kept = tmp_path / "prometheus"

    ends = [setup.main(house.url, kept), setup.main(house.url, kept)]

    assert ends == [0, 0]
    assert kept.read_text() == "act_new_secret"
    assert key_maker.read_text().splitlines() == ["keys create --role viewer --name prometheus"]


def test_monitoring_setup_makes_another_key_when_the_server_forgot_the_first(
    house: House, key_maker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "prometheus"
    kept.write_text("act_old_secret")

    end = script("monitoring_setup", monkeypatch).main(house.url, kept)

    assert end == 0
    assert kept.read_text() == "act_new_secret"
    assert len(key_maker.read_text().splitlines()) == 1
