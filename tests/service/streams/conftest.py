"""One service for all tests of the live part's paths; its workers are puppets."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from tests.fakes import ThreadEngine
from tests.service.conftest import Running, running
from tests.service.streams.puppets import CAMERA, Puppet, PuppetRunners

_names = count(1)


@dataclass(frozen=True)
class Stage:
    """The service, the runners of its workers, and what every test does with them."""

    service: Running
    runners: PuppetRunners

    def add(self, uri: str = CAMERA, **parts: object) -> str:
        """A new stream's id."""
        body = {"name": f"cam {next(_names)}", "source": {"uri": uri}, **parts}
        answer = self.service.http.post("/v1/streams", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["stream_id"])

    def watch(self, uri: str = CAMERA, **parts: object) -> tuple[str, Puppet]:
        """A new stream that is placed on the puppets' worker."""
        stream_id = self.add(uri, **parts)
        puppet = self.runners.next()
        assert puppet.task.task_id == stream_id
        return stream_id, puppet

    def get(self, path: str) -> dict[str, object]:
        answer = self.service.http.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    def until(self, is_so: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Wait until something is so, and fail when it never is."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline_s, "it never came so"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    runners = PuppetRunners()
    home = tmp_path_factory.mktemp("streams")
    with running(home, ThreadEngine(lambda: runners), streams_per_worker=8, stream_fps_budget=100.0) as service:
        yield Stage(service, runners)


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    """The service, without streams before and after the test."""
    assert isinstance(_stage.service.app.title, str)
    yield _stage
    for stream in _stage.service.http.get("/v1/streams?limit=200").json()["items"]:
        _stage.service.http.delete(f"/v1/streams/{stream['stream_id']}")
    _stage.until(lambda: not any(w["tasks"].get("stream") for w in _workers(_stage)))
    while not _stage.runners.is_idle():
        _stage.runners.next()


def _workers(stage: Stage) -> list[dict[str, dict[str, int]]]:
    from service.supervision.supervisor import Supervisor

    supervisor = stage.service.app.state.parts[Supervisor]
    assert isinstance(supervisor, Supervisor)
    return [{"tasks": dict(worker.tasks)} for worker in supervisor.health()]
