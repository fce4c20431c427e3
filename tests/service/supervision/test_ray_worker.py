"""One worker on an actor, with a Ray that is a few lines: what is told of places, nodes and ends."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest

from service.protocol.messages import Ack, Hello, StartFailed, encode
from service.supervision.engine import NodeGone, WorkerGone
from service.supervision.ray_actor import Batch, Begun
from service.supervision.ray_worker import RayWorker, RemoteActor

NODE = "node_1"
Answer = Callable[[], object]


class RayError(Exception): ...


class ActorDiedError(RayError): ...


class GetTimeoutError(RayError): ...


@dataclass
class Method:
    """Answers calls with what the test has laid ready, the last of it again and again."""

    answers: list[Answer]

    def options(self, **_: object) -> "Method":
        return self

    def remote(self, *_: object) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class FakeRay:
    """Knows one node, and notes which actors were ended for ever."""

    port: int
    is_alive: bool = True
    killed: list[bool] = field(default_factory=list)
    exceptions: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            RayError=RayError, ActorDiedError=ActorDiedError, GetTimeoutError=GetTimeoutError
        )
    )

    def get(self, answer: Answer, timeout: float) -> object:
        assert timeout >= 0
        return answer()

    def kill(self, _: object, *, no_restart: bool) -> None:
        self.killed.append(no_restart)

    def nodes(self) -> list[dict[str, object]]:
        return [
            {"NodeID": NODE, "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": self.port, "Alive": self.is_alive}
        ]


def _fails(error: Exception) -> Answer:
    def fail() -> object:
        raise error

    return fail


BEGUN: Answer = lambda: Begun(7, NODE)  # noqa: E731 - one of a row of answers
NOT_YET = _fails(GetTimeoutError("not yet"))


@dataclass
class Scene:
    """A worker whose actor answers as laid ready."""

    ray: FakeRay
    now_s: float = 0.0
    dead: int = 0

    def worker(self, begin: list[Answer], receive: list[Answer]) -> RayWorker:
        actor = SimpleNamespace(begin=Method(begin), receive=Method(receive), send=Method([lambda: None]))

        def on_dead() -> None:
            self.dead += 1

        return RayWorker(cast("ModuleType", self.ray), cast("RemoteActor", actor), on_dead, "1 CPU", lambda: self.now_s)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Its node listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Scene(FakeRay(listener.getsockname()[1]))


def test_worker_says_what_the_actor_gives_until_its_last_word(scene: Scene) -> None:
    hello = encode(Hello(7))
    worker = scene.worker([BEGUN], [lambda: Batch((hello, hello), is_over=True)])

    said = [worker.receive(0.1) for _ in range(3)]

    assert said == [None, Hello(7), Hello(7)]
    assert worker.pid == 7
    with pytest.raises(WorkerGone, match="has ended"):
        worker.receive(0.1)
    assert worker.wait(0.1) == 0
    worker.close()


def test_worker_without_a_place_says_so_again_and_again(scene: Scene) -> None:
    worker = scene.worker([NOT_YET], [NOT_YET])

    first = worker.receive(0.1)
    scene.now_s = 21.0
    told = [worker.receive(0.1), worker.receive(0.1)]
    scene.now_s = 42.0

    assert first is None
    assert told == [StartFailed("no_node", "no node of the Ray cluster has 1 CPU free"), None]
    assert isinstance(worker.receive(0.1), StartFailed)
    worker.close()


@pytest.mark.parametrize(
    ("port", "is_alive", "expected"),
    [
        pytest.param(None, True, WorkerGone, id="the process alone"),
        pytest.param(1, True, NodeGone, id="nothing listens on the node any more"),
        pytest.param(None, False, NodeGone, id="the cluster has given the node up"),
    ],
)
def test_node_that_is_gone_is_told_from_a_process_that_crashed(
    scene: Scene, port: int | None, is_alive: bool, expected: type[WorkerGone]
) -> None:
    scene.ray.port = port or scene.ray.port
    worker = scene.worker([BEGUN], [_fails(RayError("socket closed"))])
    worker.receive(0.1)
    scene.ray.is_alive = is_alive

    with pytest.raises(WorkerGone) as caught:
        worker.receive(0.1)

    assert type(caught.value) is expected
    assert scene.dead == 0
    worker.close()


def test_silent_worker_is_given_up_once_the_cluster_has_given_its_node_up(scene: Scene) -> None:
    worker = scene.worker([BEGUN], [NOT_YET])
    worker.receive(0.1)
    scene.now_s = 5.0
    patient = worker.receive(0.1)
    scene.ray.is_alive = False

    with pytest.raises(NodeGone):
        worker.receive(0.1)

    assert patient is None
    worker.close()


def test_actor_that_ray_has_given_up_is_forgotten(scene: Scene) -> None:
    worker = scene.worker([_fails(ActorDiedError("no such module"))], [NOT_YET])

    with pytest.raises(WorkerGone, match="no such module"):
        worker.receive(0.1)

    assert scene.dead == 1
    worker.close()


def test_closing_ends_the_process_and_lets_ray_start_another(scene: Scene) -> None:
    worker = scene.worker([BEGUN], [NOT_YET])

    worker.close()

    assert scene.ray.killed == [False]
    with pytest.raises(WorkerGone, match="takes no commands"):
        worker.send(Ack(1))
