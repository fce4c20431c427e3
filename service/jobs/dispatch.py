"""Moves jobs from the queue to the workers and stores what the workers report."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import sqlalchemy as sa
from pydantic import JsonValue

from service.blobs import BlobFolder
from service.errors import StorageFull
from service.event_log import EventLog, Message, Transaction
from service.jobs import store
from service.jobs.schemas import JobRead, Progress
from service.jobs.store import JobRow
from service.periodic import Periodic
from service.protocol.listener import LossReason
from service.protocol.messages import JobProgress, JobTask, TaskEnded, TaskMessage, Values
from service.replicas.leases import Leases

logger = logging.getLogger(__name__)

CRASHES_MAX = 2
_STORE_PROGRESS_S = 1.0


class Placer(Protocol):
    """Where jobs run."""

    def place(self, task: JobTask) -> bool:
        """Give a job to a worker; False when none has a free slot."""
        ...

    def withdraw(self, task_id: str) -> bool:
        """Ask a job to end; False when no worker has it."""
        ...

    def free_slots(self, kind: str) -> int:
        """Free slots."""
        ...


class JobDispatcher:
    """Takes what the workers report of jobs; one thread claims jobs and places them.

    publish: sends a message that is not stored (progress).
    duration_max_s: seconds of wall time that a job may run.
    """

    def __init__(
        self, log: EventLog, blobs: BlobFolder, placer: Placer, publish: Callable[[Message], None],
        duration_max_s: float, clock: Callable[[], float] = time.monotonic, leases: Leases | None = None,
    ) -> None:  # fmt: skip
        self._log = log
        self._blobs = blobs
        self._placer = placer
        self._publish = publish
        self._duration_max_s = duration_max_s
        self._clock = clock
        self._leases = leases or Leases("job")
        self._rounds = Periodic("jobs", self._place_all)
        self._lock = threading.Lock()
        self._started_s: dict[str, float] = {}
        self._stored_s: dict[str, float] = {}

    def start(self) -> None:
        """Queue again the jobs that an earlier server left running, and begin."""
        with self._log.transaction() as transaction:
            self._leases.take_over(transaction.connection, is_start=True)
            left = store.requeue_all(transaction.connection, self._leases.all(transaction.connection))
        if left:
            logger.info("%d job(s) that the last run left unfinished are queued again", left)
        self._rounds.start()

    def stop(self) -> None:
        """Place no more jobs; those that run go on. May be called twice."""
        self._rounds.stop()

    def wake(self) -> None:
        """A job was queued."""
        self._rounds.wake()

    def on_free_slot(self) -> None:
        """A worker may have a slot."""
        self._rounds.wake()

    def on_message(self, message: TaskMessage) -> None:
        """Store what a worker reports of a job."""
        match message:
            case JobProgress():
                self._progress(message)
            case TaskEnded():
                self._end(message)
            case _:
                logger.error("job %s: ignoring %s, a message that only streams send", message.task_id, message.type)

    def on_lost(self, task: object, reason: LossReason, is_suspect: bool) -> None:
        """Queue a job again when its worker is gone, or quarantine it when that happened twice."""
        assert isinstance(task, JobTask)
        self._forget(task.task_id)
        with self._log.transaction() as transaction:
            if self._leases.is_elsewhere(transaction.connection, task.task_id):
                return
            self._leases.release(transaction.connection, task.task_id)
            row = store.requeue(transaction.connection, task.task_id, is_suspect)
            if row is not None and row.crashes >= CRASHES_MAX:
                text = f"{row.source_name} brought its worker down {row.crashes} times (last: {reason}); given up"
                logger.error("job %s is quarantined: %s", row.job_id, text)
                self._finish(transaction, row.job_id, "failed", ("source_quarantined", text))
        self._clean(task.task_id)
        self._rounds.wake()

    def is_elsewhere(self, connection: sa.Connection, job_id: str) -> bool:
        """Whether a worker of another server has a job."""
        return self._leases.is_elsewhere(connection, job_id)

    def _place_all(self) -> None:
        self._end_overdue()
        if self._leases.is_shared:
            self._follow()
        while not self._rounds.is_over and self._placer.free_slots("job") > 0 and self._place_next():
            pass

    def _place_next(self) -> bool:
        with self._log.transaction() as transaction:
            row = store.claim(transaction.connection)
            if row is not None and not self._leases.claim(transaction.connection, row.job_id):
                store.requeue(transaction.connection, row.job_id, is_crash=False)
                row = None
        if row is None:
            return False
        with self._lock:
            self._started_s[row.job_id] = self._clock()
        try:
            folder = self._blobs.place(row.job_id)
            source = self._blobs.place(row.job_id, row.source) if row.source_kind == "upload" else row.source
        except StorageFull as error:
            self._refuse(row.job_id, error)
            return True
        options: Values = {**row.options, "name": row.source_name}
        if self._placer.place(JobTask(row.job_id, row.attempts, source, folder, options)):
            self._tell(row.job_id, Progress.model_validate({}).model_dump())
            return True
        self._forget(row.job_id)
        with self._log.transaction() as transaction:
            store.requeue(transaction.connection, row.job_id, is_crash=False)
            self._leases.release(transaction.connection, row.job_id)
        return False

    def _follow(self) -> None:
        """Queue again what servers had that are gone, and call back what is no longer ours or wanted."""
        with self._lock:
            running = list(self._started_s)
        with self._log.transaction() as transaction:
            freed = self._leases.take_over(transaction.connection)
            for job_id in freed:
                store.requeue(transaction.connection, job_id, is_crash=False)
            rows = [(job_id, store.get(transaction.connection, job_id)) for job_id in running]
            held = self._leases.all(transaction.connection)
        for job_id, row in rows:
            if row is None or row.state != "running" or held.get(job_id) != self._leases.replica_id:
                self._placer.withdraw(job_id)
        for job_id in freed:
            self._clean(job_id)

    def _refuse(self, job_id: str, error: StorageFull) -> None:
        self._forget(job_id)
        with self._log.transaction() as transaction:
            self._finish(transaction, job_id, "failed", (error.code, str(error)))
            self._leases.release(transaction.connection, job_id)

    def _end_overdue(self) -> None:
        with self._lock:
            overdue = [job for job, begun in self._started_s.items() if self._clock() - begun > self._duration_max_s]
        for job_id in overdue:
            self._forget(job_id)
            with self._log.transaction() as transaction:
                text = f"not finished after {self._duration_max_s:.0f} s"
                self._finish(transaction, job_id, "failed", ("timeout", text))
            self._placer.withdraw(job_id)

    def _progress(self, message: JobProgress) -> None:
        progress: dict[str, JsonValue] = {
            "frames": message.frames, "percent": message.percent, "fps": message.fps, "eta_s": message.eta_s,
        }  # fmt: skip
        now_s = self._clock()
        if now_s - self._stored_s.get(message.task_id, -1e9) >= _STORE_PROGRESS_S:
            self._stored_s[message.task_id] = now_s
            with self._log.transaction() as transaction:
                store.set_progress(transaction.connection, message.task_id, progress)
        self._tell(message.task_id, progress)

    def _tell(self, job_id: str, progress: Mapping[str, JsonValue]) -> None:
        self._publish(Message("job.progress", {"state": "running", "progress": dict(progress)}, job_id=job_id))

    def _end(self, message: TaskEnded) -> None:
        job_id = message.task_id
        with self._log.transaction() as transaction:
            if self._leases.is_elsewhere(transaction.connection, job_id):
                logger.info("job %s: another server has it now; what our worker says of it is ignored", job_id)
                self._forget(job_id)
                return
            self._leases.release(transaction.connection, job_id)
            if message.outcome == "released":
                store.requeue(transaction.connection, job_id, is_crash=False)
            elif message.outcome == "succeeded":
                self._finish(transaction, job_id, "succeeded", None, message.facts)
            elif message.outcome == "failed":
                self._finish(transaction, job_id, "failed", (message.code, message.message))
        self._forget(job_id)
        self._clean(job_id)

    def _finish(
        self, transaction: Transaction, job_id: str, state: store.JobState, error: tuple[str, str] | None,
        facts: Mapping[str, JsonValue] | None = None,
    ) -> None:  # fmt: skip
        progress = None if facts is None else facts.get("progress")
        summary = None if facts is None else {key: value for key, value in facts.items() if key != "progress"}
        row = store.finish(
            transaction.connection, job_id, state, error, summary, progress if isinstance(progress, dict) else None
        )
        if row is not None:
            announce(transaction, row)

    def _clean(self, job_id: str) -> None:
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, job_id)
            if row is not None and row.state == "cancelled":
                store.remove(transaction.connection, job_id)
        if row is None or row.state == "cancelled":
            self._blobs.remove(job_id)
        elif row.state != "succeeded":
            self._blobs.remove_results(job_id)

    def _forget(self, job_id: str) -> None:
        with self._lock:
            self._started_s.pop(job_id, None)
            self._stored_s.pop(job_id, None)


def announce(transaction: Transaction, row: JobRow) -> None:
    """Tell that a job is over."""
    kind = "job.completed" if row.state == "succeeded" else "job.failed"
    data = JobRead.of(row).model_dump(mode="json")
    transaction.announce(Message(kind, data, job_id=row.job_id, tags=row.tags))
