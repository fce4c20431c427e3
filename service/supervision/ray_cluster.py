"""The Ray cluster that workers run on: one of this machine's own, on loopback, or one that runs already."""

import importlib
import logging
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType

from pipelines.errors import PackageMissing
from service.errors import EngineUnavailable

logger = logging.getLogger(__name__)

_CONNECT_S = 3.0
_JOIN_S = 45.0
_START_S = 180.0
_STOP_S = 20.0
_OBJECT_STORE_BYTES = 128 * 2**20
"""Messages are small; only previews and batches over 100 kB pass through the store at all."""


@dataclass(frozen=True, slots=True)
class RayPlan:
    """Where workers run and what each needs.

    address: host:port of a cluster's head, or `auto` for the one that this machine has joined; None starts one here.
    num_workers: all of them, the one for jobs included.  cpus: processor cores that a worker reserves.
    has_gpus: whether a worker for streams takes a GPU; the one for jobs shares one with it.
    """

    address: str | None
    num_workers: int
    cpus: float
    has_gpus: bool


def require_ray(find: Callable[[str], object] = find_spec) -> None:
    """Raises PackageMissing, with what to install."""
    if find("ray") is None:
        raise PackageMissing("--engine ray needs Ray, which is not installed: pip install 'actogram[cluster]'")


class RayCluster:
    """Starts or joins a cluster and leaves it again.

    Ray's processes end with the thread that started them, not only with the process: so one thread owns them.
    """

    def __init__(self, plan: RayPlan) -> None:
        self._plan = plan
        self._thread: threading.Thread | None = None
        self._folder: str | None = None
        self._is_up = threading.Event()
        self._is_over = threading.Event()
        self._fault: Exception | None = None

    @property
    def ray(self) -> ModuleType:
        """The package, after `start`: it reads its environment when it is imported."""
        return importlib.import_module("ray")

    def start(self) -> None:
        """Start or join the cluster; raises PackageMissing, EngineUnavailable."""
        if self._thread is None:
            self._begin()
        if self._fault is not None:
            self.stop()
            raise EngineUnavailable(f"Ray: {self._fault}") from self._fault

    def stop(self) -> None:
        """Leave the cluster; end it where it is this machine's own."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _begin(self) -> None:
        require_ray()
        address = self._plan.address
        if address not in (None, "auto"):
            _require_reachable(str(address))
        prepare_environment(is_own=address is None)
        self._thread = threading.Thread(target=self._own, name="ray", daemon=True)
        self._thread.start()
        limit_s = _START_S if address is None else _JOIN_S
        if not self._is_up.wait(limit_s):
            self._is_over.set()
            where = address or "a cluster of this machine"
            raise EngineUnavailable(f"Ray: {where}: no answer {_advice(limit_s)}")

    def _own(self) -> None:
        try:
            self._open()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whoever started it raises what is kept here
            self._fault = error
        self._is_up.set()
        self._is_over.wait()
        self.ray.shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> None:
        ray = self.ray
        # It says in a warning that no signal handler is set, which is what we want: the server has its own.
        logging.getLogger("ray").setLevel(logging.ERROR)
        # Its own lines stay in its own files: they hold pages of its inner state.
        shared = {"configure_logging": False, "log_to_driver": False, "namespace": f"actogram-{secrets.token_hex(4)}"}
        if self._plan.address is not None:
            ray.init(address=self._plan.address, **shared)
            return
        # Short, because the path of a socket has to fit into 107 bytes. Ray opens its own folder to everybody, so it
        # lies in one that is open to this user alone.
        self._folder = tempfile.mkdtemp(prefix="actogram-ray-")
        num_cpus = max(os.cpu_count() or 1, -(-self._plan.num_workers * self._plan.cpus // 1))
        ray.init(
            address="local", num_cpus=int(num_cpus), include_dashboard=False, object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1", _temp_dir=f"{self._folder}/r", **shared,
        )  # fmt: skip


def prepare_environment(*, is_own: bool) -> None:
    """What Ray reads when it is imported: no usage statistics; alone, loopback and a token of its own.

    What somebody has set stays.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_COLOR_PREFIX", "0")
    # A call after the end must fail, not start another cluster.
    os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
    if is_own:
        # Without the cluster of several machines it listens on loopback only; the name tells where that was needed.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def _advice(limit_s: float) -> str:
    return (
        f"within {limit_s:.0f} s; is it the head of a Ray cluster, of the same version, with the same RAY_AUTH_TOKEN?"
    )


def _require_reachable(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise EngineUnavailable(f"no Ray cluster answers at {address}: {error}") from error
