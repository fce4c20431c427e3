"""A listener that notes what a supervisor tells it, and jobs that are scripts."""

import threading
import time
from pathlib import Path

from pipelines.backoff import Backoff
from service.protocol.listener import LossReason
from service.protocol.messages import JobTask, Task, TaskEnded, TaskMessage
from service.supervision.supervisor import Supervisor
from service.supervision.types import Limits, WorkerPlan

FAST = Limits(backoff=Backoff(0.05, 0.2), stall_s={"job": 1.5}, drain_s=8.0)
ONE = [WorkerPlan("w0", {"job": 1})]


class Listener:
    """Notes what it is told; may fail to take the first of it."""

    def __init__(self, failures: int = 0) -> None:
        self.ended: list[TaskEnded] = []
        self.lost: list[tuple[str, LossReason, bool]] = []
        self.failures = failures
        self._changed = threading.Condition()

    def on_message(self, message: TaskMessage) -> None:
        if isinstance(message, TaskEnded):
            with self._changed:
                if self.failures:
                    self.failures -= 1
                    raise OSError("the database is away")
                self.ended.append(message)
                self._changed.notify_all()

    def on_lost(self, task: Task, reason: LossReason, is_suspect: bool) -> None:
        with self._changed:
            self.lost.append((task.task_id, reason, is_suspect))
            self._changed.notify_all()

    def on_free_slot(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait(self, ended: int = 0, lost: int = 0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ended) >= ended and len(self.lost) >= lost, 30)


def scripted(folder: Path, script: str, name: str = "job_1") -> JobTask:
    (folder / name).write_text(script)
    return JobTask(name, 1, str(folder / name), str(folder))


def wait_for_state(supervisor: Supervisor, state: str) -> None:
    until = time.monotonic() + 30
    while supervisor.health()[0].state != state:
        assert time.monotonic() < until, supervisor.health()
        time.sleep(0.02)
