"""The WebSocket tells what it was asked for, in order, resumes without a hole, and survives bad clients."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from service.event_log import EventLog, Message
from service.live.hub import Hub
from tests.service.conftest import Running, Serve

Told = dict[str, object]


@contextmanager
def _socket(service: Running, **subscription: object) -> Iterator[ClientConnection]:
    with connect(service.url.replace("http", "ws") + "/v1/ws", open_timeout=10, close_timeout=2) as socket:
        if subscription:
            socket.send(json.dumps({"type": "subscribe", **subscription}))
            assert _next(socket)["type"] == "subscribed"
        yield socket


def _next(socket: ClientConnection) -> Told:
    told: Told = json.loads(socket.recv(timeout=10))
    return told


def _until(socket: ClientConnection, *kinds: str) -> list[Told]:
    told = [_next(socket)]
    while told[-1]["type"] not in kinds:
        told.append(_next(socket))
    return told


def _log(service: Running) -> EventLog:
    log = service.app.state.parts[EventLog]
    assert isinstance(log, EventLog)
    return log


def _announce(log: EventLog, *streams: str) -> None:
    for stream_id in streams:
        with log.transaction() as transaction:
            transaction.announce(Message("action.ended", {"action": "wave"}, stream_id=stream_id))


def test_job_is_told_from_progress_to_completion(service: Running) -> None:
    with _socket(service, messages=["job"]) as socket:
        job_id = service.create("script frames 10 pause 0.01", tags='{"site": "north"}')
        told = _until(socket, "job.completed")

    mine = [message for message in told if message["job_id"] == job_id]
    assert mine[0]["type"] == "job.progress"
    assert mine[-1]["data"]["state"] == "succeeded"  # type: ignore[index]
    assert mine[-1]["tags"] == {"site": "north"}
    assert {"v", "seq", "type", "stream_id", "time", "media_time_s", "frame_index", "tags", "data"} <= set(mine[0])


def test_failure_is_told_with_its_code(service: Running) -> None:
    with _socket(service, messages=["job.failed"]) as socket:
        service.create("no video")
        told = _next(socket)

    assert told["type"] == "job.failed"
    assert told["data"]["error"]["code"] == "unsupported_media"  # type: ignore[index]


def test_client_resumes_where_it_was_without_hole_or_repetition(service: Running) -> None:
    log = _log(service)
    _announce(log, "a", "a")
    seen = log.head() - 1
    with _socket(service, streams=["a"], messages=["action"], since_seq=seen) as socket:
        first = _next(socket)
        _announce(log, "b", "a")
        second = _next(socket)

    assert [first["seq"], second["seq"]] == [seen + 1, seen + 3]


def test_client_that_was_away_too_long_is_told_of_the_gap(serve: Serve) -> None:
    service = serve()
    log = _log(service)
    _announce(log, *["a"] * 10)
    log.forget(3)

    with _socket(service, since_seq=2, messages=["action"]) as socket:
        gap, *rest = [_next(socket) for _ in range(4)]

    assert (gap["type"], gap["data"]) == ("gap", {"from_seq": 3, "to_seq": 7, "reason": "retention"})
    assert [message["seq"] for message in rest] == [8, 9, 10]


def test_client_from_another_database_is_told_of_the_gap(service: Running) -> None:
    with _socket(service, since_seq=10**9) as socket:
        told = _next(socket)

    assert (told["type"], told["data"]["reason"]) == ("gap", "unknown_seq")  # type: ignore[index]


def test_highest_seq_seen_is_where_to_resume(service: Running) -> None:
    log, hub = _log(service), service.app.state.parts[Hub]
    with _socket(service, messages=["action", "frame"]) as socket:
        _announce(log, "a")
        durable = _next(socket)
        hub.publish(Message("frame", {}, stream_id="a"))
        frame = _next(socket)

    assert frame["type"] == "frame"
    assert frame["seq"] == durable["seq"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"type":"subscribe","colour":1}', '{"type":"unsubscribe"}', '{"type":"subscribe","since_seq":-1}',
     '{"type":"subscribe","max_rate_hz":0}', '"x"' * 10],
)  # fmt: skip
def test_bad_message_is_answered_and_the_socket_stays(service: Running, text: str) -> None:
    with _socket(service) as socket:
        socket.send(text)
        error = _next(socket)
        socket.send('{"type": "subscribe"}')
        after = _next(socket)

    assert (error["type"], error["data"]["code"]) == ("error", "invalid_message")  # type: ignore[index]
    assert after["type"] == "subscribed"


@pytest.mark.parametrize(
    "message",
    [
        b"\x00\xff", b"", "x" * 70_000, "[" * 60_000, '{"type": "subscribe", "since_seq": 9223372036854775808}',
        '{"type": "subscribe", "streams": ["' + "*" * 129 + '"]}', '{"type": "subscribe", "max_rate_hz": NaN}',
        '{"type": "subscribe", "streams": ["\\ud800"]}', '{"type": "subscribe", "since_seq": ' + "9" * 5000 + "}",
    ],
    ids=["binary", "empty binary", "long", "deep", "over 63 bits", "long pattern", "nan", "surrogate", "5000 digits"],
)  # fmt: skip
def test_message_that_means_nothing_is_answered_and_the_socket_stays(service: Running, message: str | bytes) -> None:
    with _socket(service) as socket:
        socket.send(message)
        refused = _until(socket, "error")[-1]
        socket.send('{"type": "subscribe"}')
        told = _until(socket, "subscribed")[-1]

    assert refused["data"]["code"] == "invalid_message"  # type: ignore[index]
    assert told["type"] == "subscribed"


def test_subscription_can_be_changed(service: Running) -> None:
    log = _log(service)
    with _socket(service, streams=["a"]) as socket:
        socket.send('{"type": "subscribe", "streams": ["b"]}')
        assert _next(socket)["type"] == "subscribed"
        _announce(log, "a", "b")
        told = _next(socket)

    assert told["stream_id"] == "b"


def test_client_that_cannot_follow_is_sent_away_to_resume(serve: Serve) -> None:
    service = serve()
    hub = service.app.state.parts[Hub]
    hub._capacity = 4
    log = _log(service)

    with _socket(service, messages=["action"]) as socket:
        # The event loop hears of all of them before the client's task runs once.
        assert hub._loop is not None
        hub._loop.call_soon_threadsafe(lambda: [hub._spread(Message("action.ended", seq=n)) for n in range(1, 20)])
        with pytest.raises(ConnectionClosed) as caught:
            _until(socket, "never")
    with _socket(service, messages=["action"], since_seq=0) as again:
        _announce(log, "a")
        told = _next(again)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1013
    assert told["seq"] == 1


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}])
def test_other_sites_cannot_listen(service: Running, headers: dict[str, str]) -> None:
    url = service.url.replace("http", "ws") + "/v1/ws"

    with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
        pass

    assert caught.value.response.status_code == 403


def test_client_that_leaves_is_forgotten(service: Running) -> None:
    hub = service.app.state.parts[Hub]
    with _socket(service, messages=["job"]):
        during = hub.num_clients
    service.wait(service.create("script frames 1"))

    assert (during, hub.num_clients) == (1, 0)
