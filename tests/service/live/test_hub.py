"""A slow client loses frames first and is then sent away; an action is never lost silently."""

import asyncio
from collections.abc import Callable

import pytest

from service.event_log import Message
from service.live.hub import Client, Hub, Interest

FRAME = Message("frame", stream_id="dock-1")
ACTION = Message("action.ended", stream_id="dock-1")
ALL = Interest(messages=frozenset({"frame", "action", "job"}))


def _client(capacity: int = 3, clock: Callable[[], float] = lambda: 0.0, interest: Interest = ALL) -> Client:
    client = Client(capacity, clock)
    client.interest = interest
    return client


def _drain(client: Client) -> list[str]:
    async def drain() -> list[str]:
        out = []
        while (message := await client.get(0)) is not None:
            out.append(message.type)
        return out

    return asyncio.run(drain())


def test_full_client_loses_its_oldest_frame_for_an_action() -> None:
    client = _client(capacity=3)

    for message in (FRAME, ACTION, FRAME, ACTION):
        client.put(message)

    assert _drain(client) == ["action.ended", "frame", "action.ended"]
    assert client.dropped == 1


def test_full_client_does_not_take_a_frame_for_an_action() -> None:
    client = _client(capacity=2)

    for message in (ACTION, ACTION, FRAME):
        client.put(message)

    assert _drain(client) == ["action.ended", "action.ended"]
    assert not client.is_overrun


def test_client_is_overrun_when_even_actions_do_not_fit() -> None:
    client = _client(capacity=2)

    for _ in range(3):
        client.put(ACTION)

    assert client.is_overrun
    assert _drain(client) == []


@pytest.mark.parametrize(
    ("interest", "message", "is_wanted"),
    [
        (Interest(), FRAME, False),
        (Interest(), ACTION, True),
        (Interest(streams=("dock-*",)), ACTION, True),
        (Interest(streams=("gate-*",)), ACTION, False),
        (Interest(streams=()), ACTION, False),
        (Interest(messages=frozenset({"action.started"})), ACTION, False),
        (Interest(messages=frozenset({"action.ended"})), ACTION, True),
        (Interest(messages=frozenset({"frame"})), FRAME, True),
        (Interest(jobs=("job_1",)), Message("job.completed", job_id="job_2"), False),
        (Interest(jobs=("job_1",)), Message("job.completed", job_id="job_1"), True),
        (Interest(jobs=("job_1",)), ACTION, True),
    ],
)
def test_interest_covers(interest: Interest, message: Message, is_wanted: bool) -> None:
    assert interest.covers(message) is is_wanted


def test_client_gets_frames_at_its_rate_and_every_action() -> None:
    time_s = [0.0]
    client = _client(100, lambda: time_s[0], Interest(messages=frozenset({"frame", "action"}), max_rate_hz=5))

    for index in range(30):
        time_s[0] = index / 30
        client.put(FRAME)
        client.put(ACTION)

    told = _drain(client)
    assert (told.count("frame"), told.count("action.ended")) == (5, 30)


def test_hub_takes_no_more_clients_than_it_may() -> None:
    async def join_twice() -> tuple[Client | None, Client | None]:
        hub = Hub(clients_max=1)
        hub.open(asyncio.get_running_loop())
        return hub.join(), hub.join()

    first, second = asyncio.run(join_twice())

    assert first is not None
    assert second is None
