"""Two real servers on one PostgreSQL database and one S3 bucket: one channel, every stream once, whoever is killed."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.postgres import postgres
from tests.s3 import bucket
from tests.service.replicas.house import House, Told, add, channel, data, events, read, until
from tests.service.replicas.receiver import receiver


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with postgres() as url, bucket() as found, ExitStack() as stack:
        yield House(tmp_path, url, found, stack)


def test_client_that_moves_between_servers_sees_every_message_once(house: House) -> None:
    one, two = house.serve("one"), house.serve("two")
    for number in range(4):
        add((one, two)[number % 2], f"cam {number}")

    seen: list[Told] = []
    for move in range(6):
        since = int(str(seen[-1]["seq"])) if seen else 0
        with channel((one, two)[move % 2], since_seq=since) as socket:
            seen += read(socket, 1.0)
    with channel(two, since_seq=0) as socket:
        again = read(socket, 2.0)

    seqs = [int(str(one["seq"])) for one in seen]
    stored = [message for message in again if int(str(message["seq"])) <= seqs[-1]]
    assert seqs == [message["seq"] for message in stored]
    assert [one["data"] for one in seen] == [message["data"] for message in stored]
    assert {message["stream_id"] for message in seen} == {"cam-0", "cam-1", "cam-2", "cam-3"}
    assert [served.placed() for served in (one, two)] == [2, 2]


def test_streams_of_a_killed_server_run_on_the_other_one_within_ten_seconds(house: House) -> None:
    one, two = house.serve("one"), house.serve("two")
    for number in range(4):
        add(one, f"cam {number}")
    until(lambda: one.placed() == 2 and two.placed() == 2, 20)

    with channel(two) as socket:
        read(socket, 1.0)
        one.kill()
        took_s = until(lambda: two.placed() == 4, 20)
        told = read(socket, 3.0)
    stored = events(two)

    running = {
        str(m["stream_id"]) for m in told if m["type"] == "stream.state_changed" and data(m)["state"] == "running"
    }
    assert took_s < 10, f"{took_s:.1f} s"
    assert len(running) == 2
    assert Counter(str(one["event_id"]) for one in stored).most_common(1)[0][1] == 1
    # What the dead server left open is ended, and of each stream at most the newest event goes on.
    open_of = Counter(str(one["stream_id"]) for one in stored if one["state"] == "confirmed")
    assert all(number <= 1 for number in open_of.values())


def test_every_event_is_told_once_although_a_server_is_killed(house: House) -> None:
    one, two = house.serve("one"), house.serve("two")
    for number in range(4):
        add(one, f"cam {number}")
    until(lambda: one.placed() + two.placed() == 4, 20)
    everything = ["action", "stream", "track", "clip", "job"]
    with channel(one, messages=everything) as socket:
        first = read(socket, 2.0)
        one.kill()
    with channel(two, messages=everything, since_seq=first[-1]["seq"]) as socket:
        rest = read(socket, 12.0)

    seqs = [int(str(message["seq"])) for message in [*first, *rest]]
    told = Counter(
        (str(m["type"]), str(data(m)["event_id"])) for m in [*first, *rest] if str(m["type"]).startswith("action")
    )
    assert seqs == sorted(set(seqs))
    assert set(told.values()) == {1}
    known = {str(event["event_id"]) for event in events(two)}
    assert {event_id for _, event_id in told} <= known


def test_job_of_a_killed_server_is_done_by_the_other_one(house: House) -> None:
    one = house.serve("one")
    with one.http as http:
        answer = http.post("/v1/jobs", files={"file": ("clip.mp4", b"script frames 100 pause 0.05\n" + bytes(70_000))})
        job_id = answer.raise_for_status().json()["job_id"]
    until(lambda: one.get(f"/v1/jobs/{job_id}")["state"] == "running", 10)
    two = house.serve("two")

    one.kill()
    until(lambda: two.get(f"/v1/jobs/{job_id}")["state"] == "succeeded", 30)

    with two.http as http:
        source = http.get(f"/v1/jobs/{job_id}/source", headers={"Range": "bytes=7-12"})
        results = http.get(f"/v1/jobs/{job_id}/results")
        head = http.head(f"/v1/jobs/{job_id}/source")
    assert (source.status_code, source.content, source.headers["content-range"]) == (206, b"frames", "bytes 7-12/70029")
    assert (results.status_code, len(results.text.splitlines())) == (200, 100)
    assert (head.status_code, head.headers["content-length"]) == (200, "70029")
    assert list((house.folder / "two" / "blobs").rglob("source*")) == []


def test_job_is_cancelled_from_the_server_that_does_not_have_it(house: House) -> None:
    one = house.serve("one")
    with one.http as http:
        answer = http.post("/v1/jobs", files={"file": ("clip.mp4", b"script frames 2000 pause 0.05")})
        job_id = answer.raise_for_status().json()["job_id"]
    until(lambda: one.get(f"/v1/jobs/{job_id}")["state"] == "running", 10)
    two = house.serve("two")

    with two.http as http:
        http.delete(f"/v1/jobs/{job_id}").raise_for_status()
    until(lambda: one.get(f"/v1/jobs/{job_id}").get("code") == "not_found", 10)

    assert two.get(f"/v1/jobs/{job_id}")["code"] == "not_found"


def test_stream_is_switched_off_from_the_server_that_does_not_have_it(house: House) -> None:
    one = house.serve("one")
    add(one, "door")
    until(lambda: one.placed() == 1, 10)
    two = house.serve("two")

    with two.http as http:
        http.patch("/v1/streams/door", json={"enabled": False}).raise_for_status()
    until(lambda: one.placed() == 0, 10)

    assert (one.get("/v1/streams/door")["state"], two.placed()) == ("disabled", 0)


def test_server_answers_for_a_stream_that_another_one_has(house: House) -> None:
    one = house.serve("one")
    add(one, "door")
    until(lambda: one.placed() == 1, 10)
    two = house.serve("two")
    until(lambda: "fps_in" in two.get("/v1/streams/door/status"), 10)

    with channel(two, messages=["frame"]) as socket:
        frames = read(socket, 4.0)
    with two.http as http:
        snapshot = http.get("/v1/streams/door/snapshot")

    assert {(message["type"], message["stream_id"]) for message in frames} == {("frame", "door")}
    assert len({message["frame_index"] for message in frames}) == len(frames) > 3
    assert (snapshot.status_code, snapshot.content, two.placed()) == (200, b"\xff\xd8 a picture", 0)


def test_webhook_is_told_by_one_server_and_by_the_next_one_when_that_is_killed(house: House) -> None:
    one, two = house.serve("one"), house.serve("two")
    with receiver() as told:
        with two.http as http:
            wanted = {"url": told.url, "messages": ["action.started"]}
            http.post("/v1/webhooks", json=wanted).raise_for_status()
        add(one, "door")
        until(lambda: len(told.seqs) > 5, 20)
        before = list(told.seqs)

        one.kill()
        until(lambda: len(told.seqs) > len(before) + 10, 30)
        with channel(two, messages=["action.started"], since_seq=0) as opened:
            stored = [int(str(message["seq"])) for message in read(opened, 2.0)]
        until(lambda: told.seqs[-1] >= stored[-1], 10)
        found = [seq for seq in told.seqs if seq <= stored[-1]]

    # What was in delivery when the server was killed may come again, and nothing else.
    assert before == sorted(set(before))
    assert sorted(set(found)) == stored
    assert len(found) - len(stored) <= 1
