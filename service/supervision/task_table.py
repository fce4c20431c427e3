"""The tasks that one worker has, and which of its durable messages are settled."""

from collections import deque
from collections.abc import Iterator, Mapping

from service.protocol.messages import Task

_SETTLED_MAX = 4096


class TaskTable:
    """Plain data without a lock: its watchdog guards it.

    slots: kind of task → how many the worker takes at once.
    """

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = slots
        self._tasks: dict[str, Task] = {}
        self._settled: deque[int] = deque(maxlen=_SETTLED_MAX)

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._tasks

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def slots(self, kind: str) -> int:
        """How many tasks of a kind the worker takes at once."""
        return self._slots.get(kind, 0)

    def free_slots(self, kind: str) -> int:
        """How many more of a kind it could take."""
        return self.slots(kind) - self.counts().get(kind, 0)

    def counts(self) -> dict[str, int]:
        """Kind of task → how many there are."""
        found: dict[str, int] = {}
        for task in self._tasks.values():
            found[task.kind] = found.get(task.kind, 0) + 1
        return found

    def kinds(self) -> dict[str, str]:
        """Task → its kind."""
        return {task_id: task.kind for task_id, task in self._tasks.items()}

    def get(self, task_id: str) -> Task | None:
        """A task; None when the worker does not have it."""
        return self._tasks.get(task_id)

    def add(self, task: Task) -> None:
        """The worker has it from now on."""
        self._tasks[task.task_id] = task

    def remove(self, task_id: str, task: Task | None) -> None:
        """A task has ended; whoever owns it may have placed it again the moment it heard, and that one stays."""
        if self._tasks.get(task_id) is task:
            self._tasks.pop(task_id, None)

    def clear(self) -> list[Task]:
        """The worker is gone: what it had."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        return tasks

    def settle(self, delivery_id: int) -> None:
        """A durable message was taken."""
        self._settled.append(delivery_id)

    def is_settled(self, delivery_id: int) -> bool:
        """Whether a durable message was taken before."""
        return delivery_id in self._settled

    def forget_settled(self) -> None:
        """A new worker process numbers its messages from the beginning."""
        self._settled.clear()
