"""Frames that a client pushes over a WebSocket reach the stream's worker, and nothing else does."""

import threading

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pipelines.stream.sources.push import PushFeed
from service.protocol.push_socket import MESSAGE_BYTES_MAX
from service.worker.push_server import PushServer
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import JPEG


def _pushing(stage: Stage, stream_id: str) -> ClientConnection:
    return connect(stage.service.url.replace("http", "ws") + f"/v1/streams/{stream_id}/push", max_size=None)


def test_pushed_frames_reach_the_worker_in_order(stage: Stage) -> None:
    stream_id = stage.add("push:")
    feed = PushFeed()
    server = PushServer(stage.service.home / "blobs" / "streams" / stream_id / "push.sock", feed)
    with _pushing(stage, stream_id) as client:
        server.start()  # the client may be there first
        for number in range(3):
            client.send(JPEG + bytes([number]))
        found = [feed.take(10.0, threading.Event()) for _ in range(3)]
    end = feed.take(10.0, threading.Event())
    server.stop()

    assert found == [JPEG + bytes([number]) for number in range(3)]
    assert end == b""
    assert stage.get(f"/v1/streams/{stream_id}")["links"]["push"] == f"/v1/streams/{stream_id}/push"  # type: ignore[index]


@pytest.mark.parametrize(
    ("message", "code"), [("text", 1003), (b"x" * (MESSAGE_BYTES_MAX + 1), 1009)], ids=["text", "too large"]
)
def test_pushed_nonsense_is_refused(stage: Stage, message: str | bytes, code: int) -> None:
    stream_id = stage.add("push:")
    server = PushServer(stage.service.home / "blobs" / "streams" / stream_id / "push.sock", PushFeed())
    server.start()

    with _pushing(stage, stream_id) as client:
        client.send(message)
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(10)
    server.stop()

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code


def test_frames_are_pushed_to_push_streams_only(stage: Stage) -> None:
    stream_id = stage.add()

    with pytest.raises(InvalidStatus) as caught, _pushing(stage, stream_id):
        pass

    assert caught.value.response.status_code == 422
