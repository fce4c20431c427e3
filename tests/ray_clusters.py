"""A Ray cluster of several nodes on this machine, all on loopback, whose nodes can be added and killed."""

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from service.supervision.ray_cluster import prepare_environment
from tests.processes import descendants, parent_of

ROOT = Path(__file__).resolve().parents[1]
STORE_BYTES = 80 * 2**20
HEALTH = {
    "health_check_initial_delay_ms": 2000, "health_check_period_ms": 500, "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}  # fmt: skip
"""As docs/scaling.md advises: a node that falls silent is given up after about four seconds."""


class Nodes:
    """The cluster; the head takes no workers."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False, "_system_config": HEALTH, **_COMMON}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[object] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self) -> object:
        """A node with one core."""
        node = self._cluster.add_node(num_cpus=1, **_COMMON)
        self._nodes.append(node)
        return node

    def kill_node_of(self, pid: int) -> None:
        """SIGKILL everything of the node on which a process runs, all at once as when the power goes."""
        raylet = _raylet_of(pid)
        node = next(one for one in self._nodes if raylet in _pids(one))
        _signal({*descendants(raylet), *_pids(node)}, signal.SIGKILL)
        self._nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def freeze_node_of(self, pid: int) -> Callable[[], None]:
        """Stop a node without a word, as when its network goes; what is returned ends it."""
        raylet = _raylet_of(pid)
        victims = {raylet, *descendants(raylet)}
        _signal(victims, signal.SIGSTOP)
        return lambda: _signal(victims, signal.SIGKILL)

    def close(self) -> None:
        self._cluster.shutdown()


_COMMON: dict[str, object] = {"node_ip_address": "127.0.0.1", "object_store_memory": STORE_BYTES}


@contextmanager
def ray_nodes(count: int) -> Iterator[Nodes]:
    """A head and so many nodes, until the end of the block."""
    importable()
    prepare_environment(is_own=True)
    nodes = Nodes()
    try:
        for _ in range(count):
            nodes.add()
        yield nodes
    finally:
        nodes.close()


def require_installed() -> None:
    """Skip where Ray is not installed."""
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'actogram[cluster]'")


def importable() -> None:
    """Let what runs on a node import the tests' own stand-ins; skips where Ray is not installed."""
    require_installed()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def until(is_so: Callable[[], bool], patience_s: float = 60.0) -> float:
    """Wait until something is so; returns the seconds that it took, fails when it never is."""
    began_s = time.monotonic()
    while not is_so():
        assert time.monotonic() - began_s < patience_s, "never came so"
        time.sleep(0.05)
    return time.monotonic() - began_s


def _raylet_of(pid: int) -> int:
    at: int | None = pid
    while at is not None and Path(f"/proc/{at}/comm").read_text().strip() != "raylet":
        at = parent_of(at)
    assert at is not None, f"{pid} runs on no node"
    return at


def _pids(node: object) -> set[int]:
    groups: dict[str, list[object]] = node.all_processes  # type: ignore[attr-defined]
    return {one.process.pid for group in groups.values() for one in group}  # type: ignore[attr-defined]


def _signal(pids: Collection[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
