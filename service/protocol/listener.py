"""What the owner of a kind of task is told: what its tasks say, which are lost, and when a slot may be free."""

from typing import Literal, Protocol

from service.protocol.messages import Task, TaskMessage

LossReason = Literal["crashed", "stalled", "out_of_memory", "ended"]
"""Why a worker went: the first three may be the source's fault, `ended` is somebody's wish."""


class TaskListener(Protocol):
    """The slice that owns a kind of task. Called from the watchdogs' threads."""

    def on_message(self, message: TaskMessage) -> None:
        """Take what a task says; a durable message is acknowledged once this returns, and sent again if it raises."""
        ...

    def on_lost(self, task: Task, reason: LossReason, is_suspect: bool) -> None:
        """A task's worker is gone; `is_suspect` when the task is why, as far as one can know."""
        ...

    def on_free_slot(self) -> None:
        """There may be a free slot."""
        ...
