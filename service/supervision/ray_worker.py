"""One worker on a Ray actor, as a watchdog sees it: what it says is fetched, what it is told is sent in order."""

import contextlib
import logging
import queue
import socket
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Protocol, TypeVar

from service.protocol.messages import FromWorker, StartFailed, ToWorker, decode, encode_command
from service.supervision.engine import NodeGone, WorkerGone
from service.supervision.ray_actor import Batch, Begun

logger = logging.getLogger(__name__)

T_co = TypeVar("T_co", covariant=True)

_COMMANDS_MAX = 4096
_POLL_S = 1.0
_PLACE_S = 20.0
"""Seconds without a place before it is said that there is none, again and again."""
_SEND_S = 15.0
_QUIET_S = 3.0
"""An actor answers each second, if only that there is nothing: after so long its node is looked at."""
_PROBE_S = 1.0


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


class RayWorker:
    """One worker, from its beginning to its end, on an actor that lives longer than it.

    on_dead: told when Ray has given the actor up.  needs: what the actor asks of a node, for people.
    """

    def __init__(
        self, ray: ModuleType, actor: RemoteActor, on_dead: Callable[[], None], needs: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._ray = ray
        self._actor = actor
        self._on_dead = on_dead
        self._needs = needs
        self._session = uuid.uuid4().hex
        self._messages: deque[bytes] = deque()
        self._node: Node | None = None
        self._heard_s = 0.0
        self._pid = 0
        self._clock = clock
        self._asked_s = clock()
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
        end_actor(self._ray, self._actor, is_final=False)

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
        self._node = Node(self._ray, begun.node_id)
        self._reading = self._ask()
        self._writer.start()
        return None

    def _complain(self) -> StartFailed | None:
        """That there is no place, as a sign of life: who waits for a node is not stuck."""
        if self._clock() - self._asked_s < _PLACE_S:
            return None
        self._asked_s = self._clock()
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
        elif self._clock() - self._heard_s > _QUIET_S and self._node is not None and self._node.is_dead():
            raise self._lost(self._node)

    def _ask(self) -> Reference[Batch]:
        self._heard_s = self._clock()
        return self._actor.receive.remote(self._session, _POLL_S)

    def _get(self, reference: Reference[T_co], timeout_s: float) -> T_co | None:
        """An answer, None when it is not there in time; raises NodeGone, WorkerGone."""
        errors = self._ray.exceptions
        try:
            found: T_co = self._ray.get(reference, timeout=timeout_s)
        except errors.GetTimeoutError:
            return None
        except errors.RayError as error:
            if isinstance(error, errors.ActorDiedError):
                self._on_dead()
            raise self._gone(error) from error
        return found

    def _gone(self, error: Exception) -> WorkerGone:
        if self._node is not None and (not self._node.answers() or self._node.is_dead()):
            return self._lost(self._node)
        said = str(error).strip().splitlines()
        return WorkerGone(f"worker {self._pid}: {type(error).__name__}: {said[0] if said else ''}")

    def _lost(self, node: "Node") -> NodeGone:
        logger.warning("the node at %s, on which worker %d ran, is gone", node, self._pid)
        return NodeGone(f"the node at {node} is gone")

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


class Node:
    """The machine on which a worker runs, by Ray's name for it."""

    def __init__(self, ray: ModuleType, node_id: str) -> None:
        self._ray = ray
        self._node_id = node_id
        self._address = next(
            ((str(one["NodeManagerAddress"]), int(str(one["NodeManagerPort"]))) for one in self._listed()), None
        )

    def __str__(self) -> str:
        return self._address[0] if self._address else self._node_id

    def is_dead(self) -> bool:
        """Whether the cluster has given it up; what is not listed is not known to be dead."""
        return any(not one["Alive"] for one in self._listed())

    def answers(self) -> bool:
        """Whether its daemon listens: faster than the cluster's finding where the machine is there and Ray is not."""
        if self._address is None:
            return True
        try:
            socket.create_connection(self._address, _PROBE_S).close()
        except OSError:
            return False
        return True

    def _listed(self) -> Sequence[Mapping[str, object]]:
        return [one for one in self._ray.nodes() if one["NodeID"] == self._node_id]


def end_actor(ray: ModuleType, actor: RemoteActor, *, is_final: bool) -> None:
    """End an actor's process; Ray starts another unless it is final."""
    # An actor without a process cannot be ended, and need not be.
    with contextlib.suppress(ray.exceptions.RayError, ValueError):
        ray.kill(actor, no_restart=is_final)
