"""Places tasks on N workers and knows how they are; the slice that owns a kind of task listens to what they say."""

import threading
from collections.abc import Callable, Sequence

from service.protocol.listener import TaskListener
from service.protocol.messages import Sample, Stop, StopReason, Task, TaskCommand
from service.supervision.crash_blame import CrashBlame
from service.supervision.engine import Engine
from service.supervision.types import Limits, WorkerHealth, WorkerPlan
from service.supervision.watchdog import WorkerWatchdog


class Supervisor:
    """Owns the workers.

    plans: the workers, each with the kinds of task it takes. Files that strangers upload and cameras that must not stop
           belong on different workers, so that a broken file cannot take a camera down with it.
    on_sample: gets every metric change that a worker reports, with the worker's name.
    """

    def __init__(
        self,
        engine: Engine,
        plans: Sequence[WorkerPlan],
        limits: Limits,
        on_sample: Callable[[str, Sample], None],
    ) -> None:
        self._engine = engine
        self._listeners: dict[str, TaskListener] = {}
        self._lock = threading.Lock()
        blame = CrashBlame()
        self._watchdogs = [WorkerWatchdog(plan, engine, limits, self._listeners, blame, on_sample) for plan in plans]

    def listen(self, kind: str, listener: TaskListener) -> None:
        """Name the owner of a kind of task; before `start`."""
        self._listeners[kind] = listener

    def start(self) -> None:
        """Launch every worker; returns before they are ready. Raises EngineUnavailable."""
        self._engine.start()
        for watchdog in self._watchdogs:
            watchdog.start()

    def stop(self, is_draining: bool = True) -> None:
        """End every worker: after its tasks are released, or at once. May be called twice."""
        for watchdog in self._watchdogs:
            watchdog.stop(is_draining)
        for watchdog in self._watchdogs:
            watchdog.join()
        self._engine.stop()

    def place(self, task: Task) -> bool:
        """Give a task to the ready worker with the most free slots; False when none has a slot."""
        with self._lock:
            free = [(watchdog.free_slots(task.kind), watchdog) for watchdog in self._watchdogs]
            emptiest_first = sorted(free, key=lambda pair: pair[0], reverse=True)
            return any(num_free > 0 and watchdog.place(task) for num_free, watchdog in emptiest_first)

    def withdraw(self, task_id: str, reason: StopReason = "cancelled") -> bool:
        """Ask a running task to end; False when no worker has it."""
        return self.tell(Stop(task_id, reason))

    def tell(self, command: TaskCommand) -> bool:
        """Pass something on to a running task; False when no worker has it."""
        return any(watchdog.tell(command) for watchdog in self._watchdogs)

    def free_slots(self, kind: str) -> int:
        """Free slots for a kind of task, now."""
        return sum(max(0, watchdog.free_slots(kind)) for watchdog in self._watchdogs)

    def slots(self, kind: str) -> int:
        """Slots for a kind of task when every worker is ready."""
        return sum(watchdog.slots(kind) for watchdog in self._watchdogs)

    def health(self) -> Sequence[WorkerHealth]:
        """Every worker, in order."""
        return [watchdog.health() for watchdog in self._watchdogs]

    def is_ready(self) -> bool:
        """Whether for every kind of task that has workers at least one is warm."""
        kinds = [kind for kind in self._listeners if self.slots(kind) > 0]
        return all(any(watchdog.is_ready(kind) for watchdog in self._watchdogs) for kind in kinds)
