"""Workers die, hang, grow and cannot start; jobs go on. With real processes, of this machine and of a Ray cluster."""

import os
import signal
import time
from pathlib import Path

import pytest

from pipelines.backoff import Backoff
from service.protocol.messages import Sample
from service.supervision.engine import Engine
from service.supervision.supervisor import Supervisor
from service.supervision.types import Limits, WorkerPlan
from tests.fakes import ThreadEngine, build_broken_runners
from tests.service.conftest import Serve
from tests.service.supervision.scene import FAST, ONE, Listener, scripted, wait_for_state


def test_job_that_kills_its_worker_twice_is_quarantined_and_the_next_one_runs(engine: Engine, serve: Serve) -> None:
    service = serve(engine, FAST)
    bad, good = service.create("script crash"), service.create("script frames 3")

    first, second = service.wait(bad, timeout_s=40), service.wait(good, timeout_s=40)

    error = first["error"]
    assert isinstance(error, dict)
    assert (first["state"], error["code"], first["attempts"]) == ("failed", "source_quarantined", 2)
    assert "brought its worker down 2 times" in error["detail"]
    assert (second["state"], second["attempts"]) == ("succeeded", 1)
    assert 'actogram_worker_restarts_total{worker="jobs"} 2.0' in service.http.get("/metrics").text


def test_job_that_stands_still_is_ended_and_the_drain_queues_what_runs(engine: Engine, serve: Serve) -> None:
    service = serve(engine, FAST)
    job_id = service.create("script hang")

    job = service.wait(job_id, timeout_s=40)

    error = job["error"]
    assert isinstance(error, dict)
    assert (error["code"], job["attempts"]) == ("source_quarantined", 2)
    assert "stalled" in error["detail"]


def test_worker_killed_from_outside_costs_the_job_one_try(engine: Engine, tmp_path: Path) -> None:
    listener, samples = Listener(), []

    def count(worker: str, sample: Sample) -> None:
        samples.append((worker, sample.metric))

    supervisor = Supervisor(engine, ONE, FAST, count)
    supervisor.listen("job", listener)
    supervisor.start()
    wait_for_state(supervisor, "ready")
    assert supervisor.place(scripted(tmp_path, "script frames 1000 pause 0.05"))
    is_full = not supervisor.place(scripted(tmp_path, "script frames 1", "job_2"))

    os.kill(supervisor.health()[0].pid or 0, signal.SIGKILL)
    listener.wait(lost=1)
    wait_for_state(supervisor, "ready")
    placed = supervisor.place(scripted(tmp_path, "script frames 1", "job_3"))
    listener.wait(ended=1)
    supervisor.stop()
    supervisor.stop()

    assert is_full
    assert placed
    assert listener.lost == [("job_1", "crashed", True)]
    assert (listener.ended[0].task_id, listener.ended[0].outcome) == ("job_3", "succeeded")
    assert ("w0", "worker_restarts_total") in samples
    assert supervisor.health()[0].state == "stopped"


def test_drain_releases_what_runs(tmp_path: Path) -> None:
    listener = Listener()
    supervisor = Supervisor(ThreadEngine(), ONE, FAST, lambda *_: None)
    supervisor.listen("job", listener)
    supervisor.start()
    wait_for_state(supervisor, "ready")
    supervisor.place(scripted(tmp_path, "script frames 100000 pause 0.01"))

    supervisor.stop()

    assert [(ended.task_id, ended.outcome) for ended in listener.ended] == [("job_1", "released")]
    assert listener.lost == []
    assert not supervisor.place(scripted(tmp_path, "script frames 1"))


def test_end_of_a_task_is_said_again_until_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.worker.channel._RESEND_S", 0.2)
    listener = Listener(failures=2)
    supervisor = Supervisor(ThreadEngine(), ONE, FAST, lambda *_: None)
    supervisor.listen("job", listener)
    supervisor.start()
    wait_for_state(supervisor, "ready")

    supervisor.place(scripted(tmp_path, "script frames 1"))
    listener.wait(ended=1)
    time.sleep(0.5)
    supervisor.stop()

    assert [ended.outcome for ended in listener.ended] == ["succeeded"]


def test_tasks_go_to_the_worker_with_the_most_room(tmp_path: Path) -> None:
    supervisor = Supervisor(
        ThreadEngine(), [WorkerPlan(name, {"job": 2}) for name in ("w0", "w1")], FAST, lambda *_: None
    )
    supervisor.listen("job", Listener())
    supervisor.start()
    while supervisor.free_slots("job") < 4:
        time.sleep(0.01)

    placed = [supervisor.place(scripted(tmp_path, "script frames 99999 pause 0.01", f"job_{n}")) for n in range(5)]
    spread = [health.tasks.get("job", 0) for health in supervisor.health()]
    supervisor.stop()

    assert placed == [True, True, True, True, False]
    assert spread == [2, 2]


def test_workers_that_cannot_start_say_why(serve: Serve) -> None:
    service = serve(ThreadEngine(build_broken_runners), FAST, is_ready=False)
    until = time.monotonic() + 10
    while "weights_missing" not in service.http.get("/readyz").text:
        assert time.monotonic() < until
        time.sleep(0.05)

    answer = service.http.get("/readyz")
    waiting = service.post("script frames 1")

    assert (answer.status_code, waiting.status_code) == (503, 202)
    assert answer.json()["reason"] == "weights_missing: fake.onnx is neither cached nor reachable"
    assert service.http.get("/healthz").json()["workers"][0]["error"] == "weights_missing"


def test_worker_over_its_memory_is_replaced(tmp_path: Path) -> None:
    listener = Listener()
    limits = Limits(backoff=Backoff(0.01, 0.05), memory_bytes=1)
    supervisor = Supervisor(ThreadEngine(), ONE, limits, lambda *_: None)
    supervisor.listen("job", listener)
    supervisor.start()
    wait_for_state(supervisor, "ready")
    supervisor.place(scripted(tmp_path, "script frames 1000 pause 0.01"))

    listener.wait(lost=1)
    supervisor.stop()

    assert listener.lost[0][:2] == ("job_1", "out_of_memory")
