"""How many streams fit: what the workers measured decides, and no number of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import ThreadEngine
from tests.service.conftest import Running, running
from tests.service.streams.puppets import CAMERA, PuppetRunners

_FITTING = 64


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One worker for streams on a device that carries 64 of them."""
    runners = PuppetRunners(fps_budget=15.0 * _FITTING)
    with running(tmp_path_factory.mktemp("device"), ThreadEngine(lambda: runners)) as found:
        yield found


def _add(service: Running, number: int) -> int:
    body = {"name": f"cam {number}", "source": {"uri": CAMERA}}
    return service.http.post("/v1/streams", json=body).status_code


def test_one_worker_takes_as_many_streams_as_it_measured(service: Running) -> None:
    before = service.http.get("/v1/capacity").json()

    answers = [_add(service, number) for number in range(_FITTING + 1)]

    after = service.http.get("/v1/capacity").json()
    assert (before["free_slots"], before["streams_max"], before["fps_budget"]) == (_FITTING, _FITTING, 15.0 * _FITTING)
    assert answers == [201] * _FITTING + [429]
    assert (after["streams"], after["streams_max"], after["free_slots"]) == (_FITTING, _FITTING, 0)


def test_setting_bounds_the_streams_of_a_worker_whatever_it_measured(tmp_path: Path) -> None:
    runners = PuppetRunners(fps_budget=1000.0)
    with running(tmp_path, ThreadEngine(lambda: runners), streams_per_worker=2) as service:
        answers = [_add(service, number) for number in range(3)]
        found = service.http.get("/v1/capacity").json()

    assert answers == [201, 201, 429]
    assert (found["streams_max"], found["why"]) == (2, "all 2 slots are taken")


def test_share_of_the_capacity_in_use_is_told_for_autoscaling(tmp_path: Path) -> None:
    runners = PuppetRunners(fps_budget=60.0)
    with running(tmp_path, ThreadEngine(lambda: runners)) as service:
        empty = service.http.get("/metrics").text
        _add(service, 1)
        used = service.http.get("/metrics").text

    assert "actogram_capacity_use 0.0\n" in empty
    assert "actogram_capacity_use 0.25\n" in used


def test_streams_are_bounded_by_number_until_a_worker_has_measured(tmp_path: Path) -> None:
    with running(tmp_path, ThreadEngine(lambda: PuppetRunners()), is_ready=False, workers=0) as service:
        answer = _add(service, 1)
        found = service.http.get("/v1/capacity").json()

    assert answer == 429
    assert found["streams_max"] == 0
