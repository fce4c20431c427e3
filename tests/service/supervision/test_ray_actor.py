"""What runs inside a Ray actor, without Ray."""

import multiprocessing
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection

import pytest

from service.protocol.messages import Drain, Drained, Heartbeat, Hello, Ready, StartFailed, decode, encode_command
from service.supervision.ray_actor import SessionOver, WorkerActor
from service.worker.main import run_within
from tests.fakes import build_broken_runners, build_scripted_runners


@pytest.fixture(autouse=True)
def keep_name() -> Iterator[None]:
    """An actor names its process, which here is the tests' own."""
    process = multiprocessing.current_process()
    name = process.name
    yield
    process.name = name


def _actor() -> WorkerActor:
    return WorkerActor(partial(run_within, build_scripted_runners, 30), lambda: "node_1", "w0")


def _said_until(actor: WorkerActor, session: str, last: type) -> list[type]:
    said: list[type] = []
    while last not in said:
        batch = actor.receive(session, 5.0)
        assert batch.messages
        said += [type(decode(message)) for message in batch.messages]
    return said


def test_actor_runs_the_worker_and_hands_commands_to_it() -> None:
    actor = _actor()

    begun = actor.begin("one")
    actor.send("one", [encode_command(Drain())])
    said = _said_until(actor, "one", Drained)

    assert begun.node_id == "node_1"
    assert [kind for kind in said if kind is not Heartbeat] == [Hello, Ready, Drained]


def test_actor_says_when_the_worker_has_said_its_last_word() -> None:
    actor = WorkerActor(partial(run_within, build_broken_runners, 30), lambda: "node_1", "w0")
    actor.begin("one")

    said = _said_until(actor, "one", StartFailed)
    last = actor.receive("one", 5.0)
    while not last.is_over:
        last = actor.receive("one", 5.0)

    assert said[-1] is StartFailed


def test_actor_begins_a_session_once_however_often_it_is_asked() -> None:
    actor = _actor()

    first, again = actor.begin("one"), actor.begin("one")
    batch = actor.receive("one", 5.0)

    assert first == again
    assert sum(isinstance(decode(message), Hello) for message in batch.messages) == 1


@pytest.mark.parametrize("session", ["", "another"])
def test_actor_that_was_started_anew_refuses_the_session_of_before(session: str) -> None:
    fresh = _actor()

    with pytest.raises(SessionOver):
        fresh.receive(session, 0.0)
    with pytest.raises(SessionOver):
        fresh.send(session, [])


def test_actor_gives_nothing_when_nothing_is_said() -> None:
    actor = WorkerActor(_say_nothing, lambda: "node_1", "w0")
    actor.begin("one")

    batch = actor.receive("one", 0.01)

    assert (batch.messages, batch.is_over) == ((), False)


def _say_nothing(connection: Connection) -> None:
    connection.poll(5.0)
