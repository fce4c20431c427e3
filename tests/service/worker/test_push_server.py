"""The worker's end of a pushed stream listens where the web process can reach it, and leaves nothing behind."""

import socket
import struct
import threading
from pathlib import Path

import pytest

from pipelines.stream.sources.push import PushFeed
from service.protocol.push_socket import reachable
from service.worker.push_server import PushServer

JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture(params=["short", "long"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder whose socket's name fits into the system's 108 bytes, and one whose name does not."""
    return tmp_path if request.param == "short" else tmp_path / ("n" * 90) / ("m" * 90)


def test_socket_is_reachable_however_deep_its_folder_lies(home: Path) -> None:
    path = home / "push.sock"
    feed = PushFeed()
    server = PushServer(path, feed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # left by a worker that was killed
    server.start()

    with reachable(path) as name, socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
        client.sendall(struct.pack(">I", len(JPEG)) + JPEG)
        found = feed.take(10.0, threading.Event())
    server.stop()
    server.stop()

    assert found == JPEG
    assert not path.exists()
