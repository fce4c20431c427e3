"""The typed client, blocking and awaiting, against the real service and against servers that break off."""

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.server import ServerConnection, serve

from actogram.client import ApiError, AsyncClient, Client, ConnectionLost, Job, Message
from actogram.client.live import Resume
from tests.service.conftest import Running, running

ACTION = {"event_id": "e", "track_id": 3, "action": "fall", "state": "confirmed", "score": 0.9,
          "start_time": "2026-01-01T10:00:00Z", "end_time": "2026-01-01T10:00:02Z"}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    path.write_text("script frames 5 people 2 ok")
    return path


@contextmanager
def socket_server(*connections: list[dict[str, object]]) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A live channel that sends one list of messages per connection and then breaks off; the last one stays open."""
    said: list[dict[str, object]] = []
    left = list(connections)

    def answer(connection: ServerConnection) -> None:
        said.append(json.loads(connection.recv()))
        for message in left.pop(0) if left else []:
            connection.send(json.dumps(message))
        if not left:
            threading.Event().wait(0.5)

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}", said
        server.shutdown()
        thread.join()


def told(kind: str, seq: int, **data: object) -> dict[str, object]:
    return {"v": 1, "type": kind, "seq": seq, "stream_id": "dock", "data": data}


def take(messages: Iterator[Message], count: int) -> list[tuple[str, int]]:
    return [(message.type, message.seq) for message in itertools.islice(messages, count)]


def test_video_is_uploaded_waited_for_and_read(service: Running, video: Path) -> None:
    seen: list[Job] = []
    with Client(service.url) as client:
        job = client.wait(client.submit(video, tags={"site": "north"}).job_id, every_s=0.02, on_progress=seen.append)
        lines = list(client.results(job.job_id))
        people = client.timeline(job.job_id)
        client.delete_job(job.job_id)

        with pytest.raises(ApiError) as refused:
            client.job(job.job_id)

    assert (job.state, job.name, seen[-1]) == ("succeeded", "clip.mp4", job)
    assert [line["frame_index"] for line in lines] == list(range(5))
    assert isinstance(people, tuple)
    assert (refused.value.status, refused.value.code) == (404, "not_found")


def test_awaiting_client_does_the_same(service: Running, video: Path) -> None:
    async def run() -> tuple[Job, list[object]]:
        async with AsyncClient(service.url) as client:
            job = await client.analyze(video)
            lines = [line["frame_index"] async for line in client.results(job.job_id)]
            with pytest.raises(ApiError):
                await client.stream("nowhere")
            return job, lines

    job, lines = asyncio.run(run())

    assert job.state == "succeeded"
    assert lines == list(range(5))


def test_failed_analysis_raises_its_own_code(service: Running, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("script frames 2 fail unsupported_media")

    with Client(service.url) as client, pytest.raises(ApiError) as failed:
        client.analyze(broken)

    assert failed.value.code == "unsupported_media"


def test_camera_is_added_changed_listed_and_removed(service: Running) -> None:
    with Client(service.url) as client:
        added = client.add_stream("Back door", "rtsp://192.0.2.1/live", analysis={"fps": 10})
        paused = client.change_stream(added.stream_id, enabled=False)
        listed = [one.stream_id for one in client.streams()]
        client.delete_stream(added.stream_id)

        assert added.stream_id not in [one.stream_id for one in client.streams()]

    assert (added.name, paused.enabled, listed.count(added.stream_id)) == ("Back door", False, 1)
    assert not paused.has_picture


def test_list_is_read_over_all_its_pages(service: Running) -> None:
    with Client(service.url) as client:
        names = [client.add_stream(f"cam {index}", "rtsp://192.0.2.1/live").stream_id for index in range(3)]

        found = [raw["stream_id"] for raw in client._items("/v1/streams", {"limit": "1"})]

        for name in names:
            client.delete_stream(name)
    assert set(names) <= set(found)
    assert len(found) == len(set(found))


def test_live_messages_of_a_job_arrive(service: Running, video: Path) -> None:
    with Client(service.url) as client:
        messages = client.live(messages=["job"])
        job_id = client.submit(video).job_id

        kinds = [message.type for message in _until_done(messages, job_id)]

    assert kinds[-1] == "job.completed"


def _until_done(messages: Iterator[Message], job_id: str) -> Iterator[Message]:
    for message in messages:
        if message.job_id == job_id:
            yield message
            if message.type == "job.completed":
                return


def test_lost_connection_is_taken_up_after_the_last_number_and_nothing_comes_twice() -> None:
    first = [told("subscribed", 3), told("action.started", 5, **ACTION), told("frame", 5), told("heartbeat", 5)]
    second = [told("subscribed", 5), told("action.started", 5, **ACTION), told("action.ended", 6, **ACTION)]
    with socket_server(first, second) as (url, said), Client(url) as client:
        found = take(client.live(["dock"], since_seq=3), 3)

    assert found == [("action.started", 5), ("frame", 5), ("action.ended", 6)]
    assert [one.get("since_seq") for one in said] == [3, 5]
    assert said[0]["streams"] == ["dock"]


def test_awaiting_channel_is_taken_up_too() -> None:
    async def run(url: str) -> list[int]:
        found = []
        async with AsyncClient(url) as client:
            messages: AsyncIterator[Message] = client.live()
            async for message in messages:
                found.append(message.seq)
                if len(found) == 2:
                    break
            await messages.aclose()  # type: ignore[attr-defined]
        return found

    first, second = [told("action.started", 1, **ACTION)], [told("action.ended", 2, **ACTION)]
    with socket_server(first, second) as (url, said):
        found = asyncio.run(run(url))

    assert found == [1, 2]
    assert said[1]["since_seq"] == 1


def test_messages_lost_for_good_are_told_as_a_gap() -> None:
    with (
        socket_server([told("subscribed", 1), told("gap", 9, from_seq=2, to_seq=9)]) as (url, _),
        Client(url) as client,
    ):
        assert take(client.live(since_seq=1), 1) == [("gap", 9)]


def test_server_that_began_anew_is_followed_from_its_own_numbers() -> None:
    resume = Resume(None, None, 900, None)

    for message in (told("subscribed", 2), told("gap", 2, from_seq=3, to_seq=900, reason="unknown_seq")):
        list(resume.take(message))

    assert [one.seq for one in resume.take(told("action.started", 3, **ACTION))] == [3]


def test_action_message_is_an_event() -> None:
    (message,) = Resume(None, None, None, None).take(told("action.started", 7, **ACTION))

    event = message.event
    assert event is not None
    assert (event.stream_id, event.action, event.duration_s, event.seq) == ("dock", "fall", 2.0, 7)


def test_refused_subscription_is_an_error() -> None:
    error = told("error", 0, code="invalid_request", detail="streams: too many")
    with socket_server([error]) as (url, _), Client(url) as client, pytest.raises(ApiError, match="too many"):
        next(client.live())


def test_absent_server_is_told_within_the_patience(unused_port: int) -> None:
    with Client(f"http://127.0.0.1:{unused_port}") as client, pytest.raises(ConnectionLost, match="been away"):
        next(client.live(patience_s=0.5))


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_busy_server_is_asked_again_and_an_unsafe_request_is_not() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if len(asked) < 3:
            return httpx.Response(503, headers={"Retry-After": "0"}, json={"code": "not_ready", "detail": "starting"})
        return httpx.Response(200, json={"items": [], "next_cursor": None})

    client = Client("http://server")
    client._http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer))

    assert list(client.streams()) == []
    asked.clear()
    with pytest.raises(ApiError, match="not_ready"):
        client.change_stream("dock", enabled=False)

    assert asked == ["PATCH"]


@pytest.mark.parametrize("name", ["../keys", "a/b", "x?force=1", "a#b"])
def test_id_never_becomes_another_path(name: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(204)

    client = Client("http://server")
    client._http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer))

    client.delete_stream(name)
    client.delete_job(name)

    assert [path.count("/") for path in asked] == [3, 3]
    assert all("?" not in path for path in asked)


def test_results_of_a_server_that_goes_away_are_a_lost_connection(unused_port: int) -> None:
    with Client(f"http://127.0.0.1:{unused_port}") as client, pytest.raises(ConnectionLost, match="does not answer"):
        list(client.results("job_1"))


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", ""])
def test_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected an address"):
        Client(url)
