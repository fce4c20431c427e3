"""The engine that places workers on the nodes of a Ray cluster: one actor each, which Ray places and restarts."""

import contextlib
import logging
import queue
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Protocol, TypeVar

from service.protocol.messages import FromWorker, StartFailed, ToWorker, decode, encode_command
from service.supervision.engine import NodeGone, WorkerGone
from service.supervision.ray_actor import Batch, Begun, WorkerActor
from service.supervision.ray_cluster import RayCluster, RayPlan
from service.supervision.types import JOBS_WORKER

logger = logging.getLogger(__name__)

T_co = TypeVar("T_co", covariant=True)

_COMMANDS_MAX = 4096
_POLL_S = 1.0
_PLACE_S = 20.0
"""Seconds without a place before it is said that there is none, again and again."""
_SEND_S = 15.0
_PROBE_S = 1.0
_JOBS_GPU = 0.1
"""Part of a GPU that the worker for jobs takes, so that it fits beside one for streams."""


class Reference(Protocol[T_co]):
    """An answer of an actor that may not be there yet."""


class RemoteMethod(Protocol[T_co]):
    """A method of an actor."""

    def remote(self, *arguments: object) -> Reference[T_co]:
        """Call it; returns at once."""
        ...

    def options(self, **options: object) -> "RemoteMethod[T_co]":
        """The same method, called otherwise."""
        ...


class RemoteActor(Protocol):
    """An actor, seen from here: the methods of WorkerActor."""

    begin: RemoteMethod[Begun]
    send: RemoteMethod[None]
    receive: RemoteMethod[Batch]


class RayEngine:
    """Workers as actors of a cluster.

    run_worker: what a worker does with its end of the pipe; returns when it has ended; picklable, and importable on
                every node.
    """

    def __init__(self, run_worker: Callable[[Connection], None], plan: RayPlan) -> None:
        self._run_worker = run_worker
        self._plan = plan
        self._cluster = RayCluster(plan)
        self._lock = threading.Lock()
        self._actors: dict[str, RemoteActor] = {}

    def start(self) -> None:
        """Start or join the cluster; raises PackageMissing, EngineUnavailable."""
        self._cluster.start()

    def launch(self, name: str) -> "RayWorker":
        """Begin a worker on its actor, wherever Ray has placed that."""
        ray = self._cluster.ray
        with self._lock:
            actor = self._actors.get(name) or self._create(ray, name)
            self._actors[name] = actor
        return RayWorker(ray, actor, lambda: self._forget(name, actor), self._needs(name))

    def stop(self) -> None:
        """End the actors and leave the cluster."""
        with self._lock:
            actors, self._actors = list(self._actors.values()), {}
        for actor in actors:
            _kill(self._cluster.ray, actor, is_final=True)
        self._cluster.stop()

    def _create(self, ray: ModuleType, name: str) -> RemoteActor:
        # Few enough threads for what is called at once: begin, send, receive.
        actor: RemoteActor = (
            ray.remote(WorkerActor)
            .options(
                max_restarts=-1, max_concurrency=3, scheduling_strategy="SPREAD", **self._resources(name),
            )
            .remote(self._run_worker, _this_node)
        )  # fmt: skip
        return actor

    def _forget(self, name: str, actor: RemoteActor) -> None:
        """Ray does not start this actor any more: the next launch makes another."""
        _kill(self._cluster.ray, actor, is_final=True)
        with self._lock:
            if self._actors.get(name) is actor:
                del self._actors[name]

    def _resources(self, name: str) -> Mapping[str, float]:
        gpus = (_JOBS_GPU if name == JOBS_WORKER else 1 - _JOBS_GPU) if self._plan.has_gpus else 0
        return {"num_cpus": self._plan.cpus, "num_gpus": gpus}

    def _needs(self, name: str) -> str:
        found = self._resources(name)
        return f"{found['num_cpus']:g} CPU" + (f" and {found['num_gpus']:g} GPU" if found["num_gpus"] else "")


class RayWorker:
    """One worker, from its beginning to its end, on an actor that lives longer than it.

    on_dead: told when Ray has given the actor up.  needs: what the actor asks of a node, for people.
    """

    def __init__(self, ray: ModuleType, actor: RemoteActor, on_dead: Callable[[], None], needs: str) -> None:
        self._ray = ray
        self._actor = actor
        self._on_dead = on_dead
        self._needs = needs
        self._session = uuid.uuid4().hex
        self._messages: deque[bytes] = deque()
        self._node: tuple[str, int] | None = None
        self._pid = 0
        self._asked_s = time.monotonic()
        self._is_over = False
        self._commands: queue.Queue[ToWorker | None] = queue.Queue(_COMMANDS_MAX)
        self._is_unheard = threading.Event()
        # Called again by Ray while the actor has no process: it waits for a node.
        self._beginning: Reference[Begun] | None = actor.begin.options(max_task_retries=-1).remote(self._session)
        self._reading: Reference[Batch] | None = None
        self._writer = threading.Thread(target=self._write, name="ray-commands", daemon=True)

    @property
    def pid(self) -> int:
        """The process on its node; 0 before it has one."""
        return self._pid

    def send(self, command: ToWorker) -> None:
        """Queue a command."""
        if self._is_unheard.is_set():
            raise WorkerGone(f"worker {self._pid} takes no commands any more")
        try:
            self._commands.put_nowait(command)
        except queue.Full as error:
            raise WorkerGone(f"worker {self._pid} has not taken {_COMMANDS_MAX} commands") from error

    def receive(self, timeout_s: float) -> FromWorker | None:
        """The next message, or None; raises ProtocolMismatch, NodeGone, WorkerGone."""
        if self._beginning is not None:
            return self._wait_for_place(self._beginning, timeout_s)
        if not self._messages:
            self._fetch(timeout_s)
        return decode(self._messages.popleft()) if self._messages else None

    def kill(self) -> None:
        """End the process, and begin none anew before the next launch."""
        _kill(self._ray, self._actor, is_final=False)

    def wait(self, timeout_s: float) -> int | None:  # noqa: ARG002 - of the protocol
        """0 for a worker that has said its last word; Ray knows no status of one that was ended."""
        return 0 if self._is_over else None

    def close(self) -> None:
        """End the process: the next worker of this actor gets another."""
        self._is_unheard.set()
        self.kill()
        with contextlib.suppress(queue.Full):
            self._commands.put_nowait(None)
        if self._writer.ident is not None:
            self._writer.join(_PROBE_S)

    def _wait_for_place(self, beginning: Reference[Begun], timeout_s: float) -> FromWorker | None:
        begun = self._get(beginning, timeout_s)
        if begun is None:
            return self._complain()
        self._beginning = None
        self._pid = begun.pid
        self._node = _address_of(self._ray, begun.node_id)
        self._reading = self._ask()
        self._writer.start()
        return None

    def _complain(self) -> StartFailed | None:
        """That there is no place, as a sign of life: who waits for a node is not stuck."""
        if time.monotonic() - self._asked_s < _PLACE_S:
            return None
        self._asked_s = time.monotonic()
        return StartFailed("no_node", f"no node of the Ray cluster has {self._needs} free")

    def _fetch(self, timeout_s: float) -> None:
        if self._is_over:
            raise WorkerGone(f"worker {self._pid} has ended")
        if self._reading is None:
            self._reading = self._ask()
        batch = self._get(self._reading, timeout_s)
        if batch is not None:
            self._messages.extend(batch.messages)
            self._is_over = batch.is_over
            self._reading = None if batch.is_over else self._ask()

    def _ask(self) -> Reference[Batch]:
        return self._actor.receive.remote(self._session, _POLL_S)

    def _get(self, reference: Reference[T_co], timeout_s: float) -> T_co | None:
        """An answer, None when it is not there in time; raises NodeGone, WorkerGone."""
        errors = self._ray.exceptions
        try:
            found: T_co = self._ray.get(reference, timeout=timeout_s)
        except errors.GetTimeoutError:
            return None
        except errors.RayError as error:
            if isinstance(error, errors.ActorDiedError) and not isinstance(error, errors.ActorUnavailableError):
                self._on_dead()
            raise self._gone(error) from error
        return found

    def _gone(self, error: Exception) -> WorkerGone:
        said = str(error).strip().splitlines()
        text = f"worker {self._pid}: {type(error).__name__}: {said[0] if said else ''}"
        if self._node is not None and not _answers(self._node):
            logger.warning("the node at %s, on which a worker ran, is gone", self._node[0])
            return NodeGone(f"the node at {self._node[0]} is gone")
        return WorkerGone(text)

    def _write(self) -> None:
        while (first := self._commands.get()) is not None and not self._is_unheard.is_set():
            waiting: list[bytes] = [encode_command(first)]
            while not self._commands.empty() and (command := self._commands.get()) is not None:
                waiting.append(encode_command(command))
            try:
                self._ray.get(self._actor.send.remote(self._session, waiting), timeout=_SEND_S)
            except self._ray.exceptions.RayError:
                # Whoever listens finds out why; until then nothing more is taken.
                self._is_unheard.set()


def _this_node() -> str:
    """The node on which this is called."""
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _kill(ray: ModuleType, actor: RemoteActor, *, is_final: bool) -> None:
    # An actor without a process cannot be ended, and need not be.
    with contextlib.suppress(ray.exceptions.RayError, ValueError):
        ray.kill(actor, no_restart=is_final)


def _address_of(ray: ModuleType, node_id: str) -> tuple[str, int] | None:
    """Where the daemon of a node listens."""
    found = [node for node in ray.nodes() if node["NodeID"] == node_id]
    return (str(found[0]["NodeManagerAddress"]), int(found[0]["NodeManagerPort"])) if found else None


def _answers(address: tuple[str, int]) -> bool:
    """Whether something listens there: faster than the cluster's own finding that a node is gone."""
    try:
        socket.create_connection(address, _PROBE_S).close()
    except OSError:
        return False
    return True
