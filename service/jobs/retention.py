"""Which jobs are forgotten: finished ones that are too old, too many or too large, and what a killed server left."""

import datetime as dt
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service import idempotency
from service.blobs import BlobFolder, FolderSize
from service.database import Database, now
from service.errors import BlobsUnavailable, StorageFull
from service.jobs import store
from service.replicas.leases import Leases

logger = logging.getLogger(__name__)

_CANCELLED_MAX = 100_000
_ORPHAN_AGE = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What is kept at most of finished jobs; beyond it the oldest go first."""

    age: dt.timedelta
    num_jobs: int
    blob_bytes: int


class JobRetention:
    """Removes jobs with their folders and their idempotency keys."""

    def __init__(self, database: Database, blobs: BlobFolder, limits: JobLimits, leases: Leases | None = None) -> None:
        self._database = database
        self._blobs = blobs
        self._limits = limits
        self._leases = leases or Leases("job")

    def remove_orphans(self) -> None:
        """Remove cancelled jobs, and folders without a job: what a killed server left. Before anything runs."""
        self.remove_cancelled()
        if self._leases.is_shared or not self._blobs.is_local:
            return  # others may be making some; what stays is removed by a sweep once it is old
        with self._database.read() as connection:
            known = store.all_ids(connection)
        try:
            orphans = [found for found in self._blobs.iter_jobs() if found not in known]
        except BlobsUnavailable as error:
            logger.warning("folders without a job are looked for later: %s", error)
            return
        for job_id in orphans:
            logger.info("removing the folder %s: no job has this id", job_id)
            self._blobs.remove(job_id)

    def remove_cancelled(self) -> None:
        """Remove cancelled jobs that no worker has any more. Before anything runs."""
        with self._database.write() as connection:
            held = self._leases.all(connection)
            for row in store.page(connection, "cancelled", None, _CANCELLED_MAX):
                if row.job_id not in held:
                    store.remove(connection, row.job_id)

    def sweep(self) -> int:
        """Remove the finished jobs that are beyond the limits; returns how many."""
        sizes = self._blobs.sizes()
        self._remove_old_orphans(sizes)
        gone = list(self._iter_expired(sizes))
        for job_id in gone:
            try:
                self._forget(job_id)
            except StorageFull:
                # Files go without any room, and make the room that the database needs.
                self._blobs.remove(job_id)
                self._forget(job_id)
            self._blobs.remove(job_id)
        with self._database.write() as connection:
            idempotency.forget(connection, store.SCOPE)
        return len(gone)

    def _forget(self, job_id: str) -> None:
        with self._database.write() as connection:
            store.remove(connection, job_id)

    def _remove_old_orphans(self, sizes: Mapping[str, FolderSize]) -> None:
        """Folders without a job, which nobody can be making any more: what a store did not remove in its time."""
        old = {job_id for job_id, found in sizes.items() if now() - found.newest > _ORPHAN_AGE}
        with self._database.read() as connection:
            left = old - store.all_ids(connection) if old else set()
        for job_id in sorted(left):
            self._blobs.remove(job_id)

    def _iter_expired(self, sizes: Mapping[str, FolderSize]) -> Iterator[str]:
        with self._database.read() as connection:
            finished = list(store.iter_finished(connection))
        total_bytes = 0
        for index, (job_id, finished_at) in enumerate(finished):
            total_bytes += sizes[job_id].size_bytes if job_id in sizes else 0
            is_old = now() - finished_at > self._limits.age
            if is_old or index >= self._limits.num_jobs or total_bytes > self._limits.blob_bytes:
                yield job_id
