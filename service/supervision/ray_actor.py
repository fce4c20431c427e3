"""What runs inside a Ray actor: the same worker as on one machine, its pipe kept within the actor's own process.

Knows nothing of Ray: its methods are called from far and take and give bytes of the protocol.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

_BATCH_MAX = 256


@dataclass(frozen=True, slots=True)
class Begun:
    """Where a worker runs: the process, and the node by Ray's name for it."""

    pid: int
    node_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of a worker, oldest first; `is_over` after its last."""

    messages: tuple[bytes, ...]
    is_over: bool


class SessionOver(Exception):
    """Asked for a worker that this process does not run: Ray has started it anew meanwhile."""


class WorkerActor:
    """One worker at a time, known by the session that began it.

    run: what a worker does with its end of the pipe; returns when it has ended.
    find_node: names the node on which this runs.  name: of the worker.
    """

    def __init__(self, run: Callable[[Connection], None], find_node: Callable[[], str], name: str) -> None:
        # By it a worker names folders of its own. No number at its end: that would choose a device, which Ray does.
        multiprocessing.current_process().name = f"actogram-{name}-node"
        self._run = run
        self._find_node = find_node
        self._session = ""
        self._ours: Connection | None = None

    def begin(self, session: str) -> Begun:
        """Start the worker; returns before it is ready. May be called again for the same session.

        A process has one worker in its life: asked for a second one it ends, and the call comes again to the next.
        """
        if self._session and self._session != session:
            os._exit(1)
        if self._ours is None:
            self._session = session
            self._ours, theirs = multiprocessing.Pipe(duplex=True)
            threading.Thread(target=self._work, args=(theirs,), name="worker", daemon=True).start()
        return Begun(os.getpid(), self._find_node())

    def send(self, session: str, commands: Sequence[bytes]) -> None:
        """Hand commands over in their order; raises SessionOver, OSError when the worker has ended."""
        connection = self._require(session)
        for command in commands:
            connection.send_bytes(command)

    def receive(self, session: str, timeout_s: float) -> Batch:
        """What the worker says, as soon as it says something; raises SessionOver."""
        connection, messages = self._require(session), list[bytes]()
        try:
            while len(messages) < _BATCH_MAX and connection.poll(0.0 if messages else timeout_s):
                messages.append(connection.recv_bytes())
        except (EOFError, OSError):
            return Batch(tuple(messages), is_over=True)
        return Batch(tuple(messages), is_over=False)

    def _work(self, theirs: Connection) -> None:
        with theirs:
            self._run(theirs)

    def _require(self, session: str) -> Connection:
        if self._ours is None or session != self._session:
            raise SessionOver("the worker's process was started anew")
        return self._ours
