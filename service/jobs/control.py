"""What can be done with jobs: create, get, list, delete."""

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
from service.blob_store import RemoteBlob
from service.blobs import BlobFolder, source_name
from service.database import Database
from service.errors import AtCapacity, NotFound, NoThumbnail, NotReady, StorageFull
from service.event_log import EventLog
from service.idempotency import RepeatablePost, fingerprint
from service.jobs import store
from service.jobs.dispatch import JobDispatcher, Placer, announce
from service.jobs.schemas import JobCreate, JobOptions
from service.jobs.store import JobRow, JobState
from service.jobs.upload import Upload

logger = logging.getLogger(__name__)

_ID = re.compile(r"job_[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Created:
    """The job that a request made; `is_replay` when an earlier request with the same key had made it."""

    row: JobRow
    is_replay: bool


class JobControl:
    """Jobs as the routes see them.

    require_networks: raises ModelUnknown for names that are no networks of their kind.
    queued_max: jobs that may wait.
    """

    def __init__(
        self, database: Database, log: EventLog, blobs: BlobFolder, policy: AddressPolicy, dispatcher: JobDispatcher,
        placer: Placer, require_networks: Callable[[JobOptions], None], queued_max: int,
    ) -> None:  # fmt: skip
        self._database = database
        self._log = log
        self._blobs = blobs
        self._policy = policy
        self._dispatcher = dispatcher
        self._placer = placer
        self._require_networks = require_networks
        self._queued_max = queued_max

    def new_id(self) -> str:
        """An id for a new job; ids sort by time. Raises AtCapacity, StorageFull."""
        with self._database.read() as connection:
            waiting = store.count(connection).get("queued", 0)
        if waiting >= self._queued_max:
            raise AtCapacity(f"{waiting} jobs are waiting, at most {self._queued_max} may", retry_after_s=60)
        self._blobs.require_disk_space()
        return f"job_{time.time_ns() // 1000:014x}{secrets.token_hex(5)}"

    def create_upload(
        self, job_id: str, upload: Upload, options: JobOptions, tags: dict[str, str], key: str | None
    ) -> Created:
        """Queue an uploaded video. Takes ownership of the file, even when it raises.

        Raises IdempotencyConflict, ModelUnknown, StorageFull, BlobsUnavailable.
        """
        try:
            self._check(options)
            post = _post(key, upload.sha256, options, tags)
            earlier = self._earlier(post)
            if earlier is not None:
                return earlier
            source = source_name(upload.name)
            self._blobs.adopt(job_id, upload.path, source)
        finally:
            upload.path.unlink(missing_ok=True)
        row = JobRow(job_id, "upload", source, upload.name, upload.size_bytes, _options(options), tags)
        created = None
        try:
            created = self._insert(row, post)
        finally:
            if created is None or created.row.job_id != job_id:
                self._blobs.remove(job_id)
        return created

    def create_source(self, body: JobCreate, key: str | None) -> Created:
        """Queue a video that the worker downloads; raises SourceForbidden, IdempotencyConflict, ModelUnknown."""
        self._check(body)
        self._policy.require(body.source.uri)
        post = _post(key, body.source.uri, body, body.tags)
        earlier = self._earlier(post)
        if earlier is not None:
            return earlier
        shown = redact(body.source.uri)
        row = JobRow(self.new_id(), "uri", body.source.uri, shown, None, _options(body), dict(body.tags))
        return self._insert(row, post)

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
        """Cancel and remove a job; harmless when there is none. A running one goes once its worker has let go of it.

        Raises StorageFull when the database has no room even for that, and no file of the job makes any.
        """
        try:
            self._remove(job_id)
        except StorageFull:
            with self._database.read() as connection:
                row = store.get(connection, job_id)
            if row is None or row.state not in store.FINISHED:
                raise
            # Files go without any room, and make the room that the database needs.
            self._blobs.remove(job_id)
            self._remove(job_id)

    def _remove(self, job_id: str) -> None:
        is_running = is_elsewhere = False
        with self._log.transaction() as transaction:
            row = store.get(transaction.connection, job_id)
            if row is None:
                return
            is_running = row.state == "running"
            is_elsewhere = self._dispatcher.is_elsewhere(transaction.connection, job_id)
            over = store.finish(transaction.connection, job_id, "cancelled", ("cancelled", "cancelled by a client"))
            if over is not None:
                announce(transaction, over)
            if not is_running:
                store.remove(transaction.connection, job_id)
        # The server whose worker has it calls it back, and removes it once the worker has let go of it.
        if is_running and (is_elsewhere or self._placer.withdraw(job_id)):
            return
        self._drop(job_id)

    def require_file(self, row: JobRow, name: str) -> Path | RemoteBlob:
        """A result file of a job; raises NotReady with the reason, NotFound when the job was not asked to make it."""
        if row.state == "failed":
            raise NotReady(f"job {row.job_id} failed: {row.error_message}", row.error_code or "failed")
        if row.state != "succeeded":
            raise NotReady(f"job {row.job_id} is {row.state}; it has results once it has succeeded")
        found = self._blobs.get(row.job_id, name)
        if found is None:
            raise NotFound(f"job {row.job_id} has no {name}; it is made only when the job asks for it")
        return found

    def require_thumbnail(self, row: JobRow) -> Path | RemoteBlob:
        """The small picture of a job that has succeeded; raises NoThumbnail."""
        found = self._blobs.get(row.job_id, "thumbnail.jpg") if row.state == "succeeded" else None
        if found is None:
            raise NoThumbnail(f"job {row.job_id} is {row.state} and has no picture; one is made when it succeeds")
        return found

    def require_source(self, row: JobRow) -> Path | RemoteBlob:
        """The video of a job; raises NotFound, NotReady."""
        if row.source_kind == "uri" and row.source.lower().startswith("file:"):
            path = self._policy.require_file(row.source)
            found: Path | RemoteBlob | None = path if path.is_file() else None
        else:
            found = self._blobs.get(row.job_id, row.source if row.source_kind == "upload" else self._fetched(row))
        if found is None:
            raise NotFound(f"the source of job {row.job_id} no longer exists")
        return found

    def _fetched(self, row: JobRow) -> str:
        """The name of the video that a worker downloaded; raises NotReady."""
        fetched = sorted(name for name in self._blobs.names(row.job_id) if name.startswith("source."))
        if not fetched:
            raise NotReady(f"the source of job {row.job_id} is not downloaded yet")
        return fetched[0]

    def _check(self, options: JobOptions) -> None:
        self._require_networks(options)

    def _earlier(self, post: RepeatablePost) -> Created | None:
        with self._database.read() as connection:
            return _find_made(connection, post)

    def _insert(self, row: JobRow, post: RepeatablePost) -> Created:
        with self._log.transaction() as transaction:
            # Checked again now that nobody else writes: two requests with the same key may arrive at once.
            earlier = _find_made(transaction.connection, post)
            if earlier is not None:
                return earlier
            store.insert(transaction.connection, row)
            post.remember(transaction.connection, row.job_id)
        self._dispatcher.wake()
        return Created(row, is_replay=False)

    def _drop(self, job_id: str) -> None:
        with self._log.transaction() as transaction:
            store.remove(transaction.connection, job_id)
        self._blobs.remove(job_id)


def _find_made(connection: sa.Connection, post: RepeatablePost) -> Created | None:
    job_id = post.find_made(connection)
    row = None if job_id is None else store.get(connection, job_id)
    return None if row is None else Created(row, is_replay=True)


def _options(options: JobOptions) -> dict[str, str | bool | None]:
    return {"model": options.model, "video": options.video, **_people(options), **_blur(options)}


def _post(key: str | None, content: str, options: JobOptions, tags: dict[str, str]) -> RepeatablePost:
    tagged = [f"{name}={value}" for name, value in sorted(tags.items())]
    named = [f"{place}: {name}" for place, name in _people(options).items()]
    whole = (content, str(options.model), str(options.video), *tagged, *named, *_blur(options))
    return RepeatablePost(store.SCOPE, key, fingerprint(*whole))


def _blur(options: JobOptions) -> dict[str, bool]:
    """Only where it is wanted: a key that was used before it could be asked for stays the same."""
    return {"blur_faces": True} if options.blur_faces else {}


def _people(options: JobOptions) -> dict[str, str]:
    """The detector and the pose estimator, where they are named."""
    named = {"detector": options.detector, "pose": options.pose}
    return {place: name for place, name in named.items() if name is not None}
