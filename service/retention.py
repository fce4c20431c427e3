"""Removes what is old or too much: finished jobs, their blobs, idempotency keys, and the log's oldest rows."""

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service import idempotency
from service.blobs import BlobFolder
from service.database import Database, now
from service.event_log import EventLog
from service.jobs import store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept at most."""

    age: dt.timedelta
    num_jobs: int
    blob_bytes: int
    log_rows: int


class Janitor:
    """Sweeps once at the start and then every `period_s` seconds.

    also: what other slices sweep at the same time.
    """

    def __init__(
        self, database: Database, log: EventLog, blobs: BlobFolder, keep: Keep, also: Callable[[], None] = lambda: None,
        period_s: float = 60.0,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._blobs = blobs
        self._keep = keep
        self._also = also
        self._period_s = period_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; may be called twice."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def sweep_orphans(self) -> None:
        """Remove folders without a row and cancelled rows: what a killed server left. Before anything runs."""
        with self._database.write() as connection:
            for row in store.page(connection, "cancelled", None, 100_000):
                store.remove(connection, row.job_id)
            known = store.all_ids(connection)
        for job_id in [found for found in self._blobs.iter_jobs() if found not in known]:
            logger.info("removing the folder of job %s, which no row knows", job_id)
            self._blobs.remove(job_id)

    def sweep(self) -> int:
        """Remove what is too old or too much; returns how many jobs went."""
        gone = list(self._iter_expired())
        for job_id in gone:
            with self._database.write() as connection:
                store.remove(connection, job_id)
            self._blobs.remove(job_id)
        with self._database.write() as connection:
            for scope in ("jobs", "webhooks"):
                idempotency.forget(connection, scope)
        self._log.forget(self._keep.log_rows)
        return len(gone)

    def _iter_expired(self) -> Iterator[str]:
        with self._database.read() as connection:
            finished = list(store.iter_finished(connection))
        total_bytes = 0
        for index, (job_id, finished_at) in enumerate(finished):
            total_bytes += self._blobs.size_bytes(job_id)
            is_old = now() - finished_at > self._keep.age
            if is_old or index >= self._keep.num_jobs or total_bytes > self._keep.blob_bytes:
                yield job_id

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                gone = self.sweep()
                self._also()
                if gone:
                    logger.info("%d old job(s) removed", gone)
            except Exception:
                # The thread's edge: a database that is away for a moment must not end it.
                logger.exception("nothing swept; trying again")
            self._over.wait(self._period_s)
