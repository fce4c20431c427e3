"""Places tasks on N workers and asks how they are; the slice that owns a kind of task listens to what they say."""

import threading
from collections.abc import Callable, Mapping, Sequence

from service.workers.keeper import Keeper, Limits, TaskListener, WorkerHealth
from service.workers.local import Engine
from service.workers.messages import Sample, StopReason, Task


class Supervisor:
    """Owns the workers.

    slots: kind of task → how many of it a worker takes at once.
    on_sample: gets every metric change that a worker reports, with the worker's name.
    """

    def __init__(
        self,
        engine: Engine,
        num_workers: int,
        slots: Mapping[str, int],
        limits: Limits,
        on_sample: Callable[[str, Sample], None],
    ) -> None:
        self._slots = dict(slots)
        self._listeners: dict[str, TaskListener] = {}
        self._lock = threading.Lock()
        self._keepers = [
            Keeper(f"w{index}", engine, limits, self._listeners, on_sample) for index in range(num_workers)
        ]

    def listen(self, kind: str, listener: TaskListener) -> None:
        """Name the owner of a kind of task; before `start`."""
        self._listeners[kind] = listener

    def start(self) -> None:
        """Launch every worker; returns at once."""
        for keeper in self._keepers:
            keeper.start()

    def stop(self, is_draining: bool = True) -> None:
        """End every worker: after its tasks are released, or at once. May be called twice."""
        for keeper in self._keepers:
            keeper.stop(is_draining)
        for keeper in self._keepers:
            keeper.join()

    def place(self, task: Task) -> bool:
        """Give a task to the ready worker with the most room; False when none has a slot."""
        with self._lock:
            free = [(keeper.room(task.kind, self._slots), keeper) for keeper in self._keepers]
            room, keeper = max(free, key=lambda pair: pair[0])
            return room > 0 and keeper.place(task)

    def withdraw(self, task_id: str, reason: StopReason = "cancelled") -> bool:
        """Ask a running task to end; False when no worker has it."""
        return any(keeper.withdraw(task_id, reason) for keeper in self._keepers)

    def room(self, kind: str) -> int:
        """Free slots for a kind of task, now."""
        return sum(max(0, keeper.room(kind, self._slots)) for keeper in self._keepers)

    def slots(self, kind: str) -> int:
        """Slots for a kind of task when every worker is ready."""
        return self._slots.get(kind, 0) * len(self._keepers)

    def health(self) -> Sequence[WorkerHealth]:
        """Every worker, in order."""
        return [keeper.health() for keeper in self._keepers]

    def is_ready(self) -> bool:
        """Whether at least one worker is warm."""
        return any(health.state == "ready" for health in self.health())
