"""What can be done with jobs: make, look at, list, remove."""

import logging
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from pipelines.addresses.policy import AddressPolicy
from pipelines.addresses.redact import redact
from service import idempotency
from service.blobs import BlobFolder, source_name
from service.database import Database
from service.errors import AtCapacity, NotFound, NotReady
from service.event_log import EventLog
from service.jobs import store
from service.jobs.dispatch import JobDispatcher, Placer, announce
from service.jobs.schemas import JobCreate, JobOptions
from service.jobs.store import JobRow, JobState
from service.jobs.upload import Upload

logger = logging.getLogger(__name__)

_SCOPE = "jobs"
_ID = re.compile(r"job_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Created:
    """A job that was asked for; `is_replay` when an earlier request had made it."""

    row: JobRow
    is_replay: bool


class JobControl:
    """Jobs as the routes see them.

    require_model: raises ModelUnknown for a name that is no action model.
    queued_max: jobs that may wait.
    """

    def __init__(
        self, database: Database, log: EventLog, blobs: BlobFolder, policy: AddressPolicy, dispatcher: JobDispatcher,
        placer: Placer, require_model: Callable[[str], object], queued_max: int,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._blobs = blobs
        self._policy = policy
        self._dispatcher = dispatcher
        self._placer = placer
        self._require_model = require_model
        self._queued_max = queued_max

    def new_id(self) -> str:
        """An id for a new job, later ones sort after earlier ones; raises AtCapacity, StorageFull."""
        with self._database.read() as connection:
            waiting = store.count(connection).get("queued", 0)
        if waiting >= self._queued_max:
            raise AtCapacity(f"{waiting} jobs wait, {self._queued_max} may", retry_after_s=60)
        self._blobs.require_room()
        return f"job_{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"

    def create_upload(
        self, job_id: str, upload: Upload, options: JobOptions, tags: dict[str, str], key: str | None
    ) -> Created:
        """Queue an uploaded video. Takes the file over, also when it raises.

        Raises IdempotencyConflict, ModelUnknown, StorageFull.
        """
        try:
            self._check(options)
            fingerprint = _fingerprint(upload.sha256, options, tags)
            earlier = self._earlier(key, fingerprint)
            if earlier is not None:
                return earlier
            path = self._blobs.adopt(job_id, upload.path, source_name(upload.name))
        finally:
            upload.path.unlink(missing_ok=True)
        row = JobRow(job_id, "upload", path.name, upload.name, upload.size_bytes, _options(options), tags)
        created = None
        try:
            created = self._insert(row, key, fingerprint)
        finally:
            if created is None or created.row.job_id != job_id:
                self._blobs.remove(job_id)
        return created

    def create_source(self, body: JobCreate, key: str | None) -> Created:
        """Queue a video that is fetched; raises SourceForbidden, IdempotencyConflict, ModelUnknown."""
        self._check(body)
        self._policy.require(body.source.uri)
        fingerprint = _fingerprint(body.source.uri, body, body.tags)
        earlier = self._earlier(key, fingerprint)
        if earlier is not None:
            return earlier
        shown = redact(body.source.uri)
        row = JobRow(self.new_id(), "uri", body.source.uri, shown, None, _options(body), dict(body.tags))
        return self._insert(row, key, fingerprint)

    def require(self, job_id: str) -> JobRow:
        """A job; raises NotFound."""
        with self._database.read() as connection:
            row = store.get(connection, job_id) if _ID.fullmatch(job_id) else None
        if row is None:
            raise NotFound(f"no job {job_id[:64]!r}")
        return row

    def page(self, state: JobState | None, before_id: str | None, limit: int) -> Sequence[JobRow]:
        """Jobs, the newest first."""
        with self._database.read() as connection:
            return store.page(connection, state, before_id, limit)

    def remove(self, job_id: str) -> None:
        """Cancel and remove; harmless when there is none. A running job goes once its worker has let go."""
        is_running = False
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, job_id)
            if row is None:
                return
            is_running = row.state == "running"
            over = store.finish(transaction.connection, job_id, "cancelled", ("cancelled", "cancelled by a client"))
            if over is not None:
                announce(transaction, over)
            if not is_running:
                store.remove(transaction.connection, job_id)
        if is_running and self._placer.withdraw(job_id):
            return
        self._drop(job_id)

    def require_file(self, row: JobRow, name: str) -> Path:
        """A result of a job; raises NotReady with the reason, NotFound when it was not asked for."""
        if row.state == "failed":
            raise NotReady(f"job {row.job_id} failed: {row.error_message}", row.error_code or "failed")
        if row.state != "succeeded":
            raise NotReady(f"job {row.job_id} is {row.state}; its results come when it has succeeded")
        path = self._blobs.job(row.job_id) / name
        if not path.is_file():
            raise NotFound(f"job {row.job_id} has no {name}; it is made only when the job asks for it")
        return path

    def require_source(self, row: JobRow) -> Path:
        """The video of a job; raises NotFound, NotReady."""
        if row.source_kind == "upload":
            path = self._blobs.job(row.job_id) / row.source
        elif row.source.lower().startswith("file:"):
            path = self._policy.require_file(row.source)
        else:
            fetched = sorted(self._blobs.job(row.job_id).glob("source.*"))
            if not fetched:
                raise NotReady(f"the source of job {row.job_id} is not fetched yet")
            path = fetched[0]
        if not path.is_file():
            raise NotFound(f"the source of job {row.job_id} is gone")
        return path

    def _check(self, options: JobOptions) -> None:
        if options.model is not None:
            self._require_model(options.model)

    def _earlier(self, key: str | None, fingerprint: str) -> Created | None:
        if key is None:
            return None
        with self._database.read() as connection:
            return _find_made(connection, key, fingerprint)

    def _insert(self, row: JobRow, key: str | None, fingerprint: str) -> Created:
        with self._log.transaction() as transaction:
            # Again, now that nobody else writes: two requests with one key may have come together.
            earlier = None if key is None else _find_made(transaction.connection, key, fingerprint)
            if earlier is not None:
                return earlier
            store.insert(transaction.connection, row)
            if key is not None:
                idempotency.remember(transaction.connection, _SCOPE, key, fingerprint, row.job_id)
        self._dispatcher.wake()
        return Created(row, is_replay=False)

    def _drop(self, job_id: str) -> None:
        with self._log.transaction() as transaction:
            store.remove(transaction.connection, job_id)
        self._blobs.remove(job_id)


def _find_made(connection: sa.Connection, key: str, fingerprint: str) -> Created | None:
    job_id = idempotency.find_made(connection, _SCOPE, key, fingerprint)
    row = None if job_id is None else store.get(connection, job_id)
    return None if row is None else Created(row, is_replay=True)


def _options(options: JobOptions) -> dict[str, str | bool | None]:
    return {"model": options.model, "video": options.video}


def _fingerprint(content: str, options: JobOptions, tags: dict[str, str]) -> str:
    tagged = (f"{k}={v}" for k, v in sorted(tags.items()))
    return idempotency.fingerprint(content, str(options.model), str(options.video), *tagged)
