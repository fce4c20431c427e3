"""Nodes of a Ray cluster die, freeze and join; no job is blamed for it."""

import logging
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from service.supervision.ray_cluster import RayCluster, RayPlan
from service.supervision.ray_engine import RayEngine
from service.supervision.supervisor import Supervisor
from service.worker.main import run_within
from tests.fakes import build_scripted_runners
from tests.processes import descendants, ends_within, listened_at
from tests.ray_clusters import Nodes, ray_nodes, until
from tests.service.supervision.scene import FAST, ONE, Listener, scripted, wait_for_state

pytestmark = pytest.mark.slow

BACK_S = 10.0


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    with ray_nodes(1) as found:
        yield found


@pytest.fixture
def watched(nodes: Nodes) -> Iterator[tuple[Supervisor, Listener]]:
    """One worker on the only node."""
    run = partial(run_within, build_scripted_runners, logging.WARNING)
    supervisor, listener = (
        Supervisor(RayEngine(run, RayPlan(nodes.address, 1, 1.0, has_gpus=False)), ONE, FAST, _ignore),
        Listener(),
    )
    supervisor.listen("job", listener)
    supervisor.start()
    wait_for_state(supervisor, "ready")
    yield supervisor, listener
    supervisor.stop()


def test_job_of_a_node_that_dies_is_not_blamed_and_a_node_that_joins_takes_the_worker(
    nodes: Nodes, watched: tuple[Supervisor, Listener], tmp_path: Path
) -> None:
    supervisor, listener = watched
    supervisor.place(scripted(tmp_path, "script frames 10000 pause 0.05"))

    nodes.kill_node_of(supervisor.health()[0].pid or 0)
    listener.wait(lost=1)
    nodes.add()
    wait_for_state(supervisor, "ready")
    placed = supervisor.place(scripted(tmp_path, "script frames 1", "job_2"))
    listener.wait(ended=1)

    assert listener.lost == [("job_1", "ended", False)]
    assert placed
    assert [ended.outcome for ended in listener.ended] == ["succeeded"]


def test_node_that_falls_silent_is_given_up_within_ten_seconds(
    nodes: Nodes, watched: tuple[Supervisor, Listener], tmp_path: Path
) -> None:
    supervisor, listener = watched
    nodes.add()
    supervisor.place(scripted(tmp_path, "script frames 10000 pause 0.05"))

    end = nodes.freeze_node_of(supervisor.health()[0].pid or 0)
    back_s = until(lambda: bool(listener.lost) and supervisor.health()[0].state == "ready")
    end()

    assert listener.lost == [("job_1", "ended", False)]
    assert back_s < BACK_S


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder so short that the paths of sockets in it fit into 107 bytes."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as name:
        yield Path(name)


def test_own_cluster_is_on_loopback_and_leaves_neither_process_nor_file(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))
    cluster = RayCluster(RayPlan(None, 2, 1.0, has_gpus=False))
    before = descendants(os.getpid())

    cluster.start()
    started = descendants(os.getpid()) - before
    addresses, (folder,) = listened_at({*started, os.getpid()}), short_folder.iterdir()
    mode = folder.stat().st_mode & 0o777
    cluster.stop()

    assert len(started) > 2
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert mode == 0o700
    assert all(ends_within(pid, 10) for pid in started)
    assert list(short_folder.iterdir()) == []


def _ignore(*_: object) -> None:
    """Metrics are of no interest here."""
