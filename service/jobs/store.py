"""The rows of jobs."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa
from pydantic import JsonValue

from service import idempotency
from service.database import UtcTime, metadata, now
from service.sealed import SealedText

JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
SCOPE = "jobs"
"""Of their idempotency keys."""
FINISHED: tuple[JobState, ...] = ("succeeded", "failed", "cancelled")

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("job_id", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("started_at", UtcTime),
    sa.Column("finished_at", UtcTime, index=True),
    sa.Column("source_kind", sa.String(8), nullable=False),
    sa.Column("source", SealedText, nullable=False),
    sa.Column("source_name", sa.Text, nullable=False),
    sa.Column("source_bytes", sa.BigInteger),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("progress", sa.JSON, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("crashes", sa.Integer, nullable=False),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_message", sa.Text),
    sa.Column("summary", sa.JSON, nullable=False),
)


@dataclass(frozen=True, slots=True)
class JobRow:
    """One job as it is stored.

    source: the file's name in the job's folder, or the URI with its credentials.
    source_name: what people see; credentials are gone from it.
    crashes: how often its worker died of it, perhaps.
    """

    job_id: str
    source_kind: Literal["upload", "uri"]
    source: str = field(repr=False)
    source_name: str
    source_bytes: int | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    state: JobState = "queued"
    created_at: dt.datetime = field(default_factory=now)
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    progress: Mapping[str, JsonValue] = field(default_factory=dict)
    attempts: int = 0
    crashes: int = 0
    error_code: str | None = None
    error_message: str | None = None
    summary: Mapping[str, JsonValue] = field(default_factory=dict)


def insert(connection: sa.Connection, row: JobRow) -> None:
    """Store a new job."""
    values = {column.name: getattr(row, column.name) for column in jobs.columns}
    connection.execute(sa.insert(jobs).values(values))


def get(connection: sa.Connection, job_id: str) -> JobRow | None:
    """A job, or None."""
    row = connection.execute(sa.select(jobs).where(jobs.c.job_id == job_id)).mappings().one_or_none()
    return None if row is None else JobRow(**row)


def page(connection: sa.Connection, state: JobState | None, before_id: str | None, limit: int) -> Sequence[JobRow]:
    """At most `limit` jobs, the newest first, older than `before_id`."""
    query = sa.select(jobs).order_by(jobs.c.job_id.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if before_id is not None:
        query = query.where(jobs.c.job_id < before_id)
    return [JobRow(**row) for row in connection.execute(query).mappings()]


def count(connection: sa.Connection) -> dict[str, int]:
    """State → how many."""
    rows = connection.execute(sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state))
    return {str(state): int(number) for state, number in rows}


def claim(connection: sa.Connection) -> JobRow | None:
    """Mark the oldest queued job as running and return it; None when none is waiting."""
    oldest = sa.select(sa.func.min(jobs.c.job_id)).where(jobs.c.state == "queued").scalar_subquery()
    taken = (
        sa.update(jobs)
        .where(jobs.c.job_id == oldest, jobs.c.state == "queued")
        .values(state="running", attempts=jobs.c.attempts + 1, started_at=now(), progress={})
        .returning(jobs)
    )
    row = connection.execute(taken).mappings().one_or_none()
    return None if row is None else JobRow(**row)


def requeue(connection: sa.Connection, job_id: str, is_crash: bool) -> JobRow | None:
    """Queue a running job again; None when it is not running. `is_crash` counts against it."""
    changed = (
        sa.update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state == "running")
        .values(state="queued", crashes=jobs.c.crashes + int(is_crash), started_at=None)
        .returning(jobs)
    )
    row = connection.execute(changed).mappings().one_or_none()
    return None if row is None else JobRow(**row)


def requeue_all(connection: sa.Connection, spared: Collection[str] = ()) -> int:
    """Queue every running job again, as a new server does with those of an earlier one; returns how many.

    spared: jobs that other servers have now.
    """
    left = connection.execute(sa.select(jobs.c.job_id).where(jobs.c.state == "running")).scalars().all()
    return sum(requeue(connection, job_id, is_crash=False) is not None for job_id in left if job_id not in spared)


def finish(
    connection: sa.Connection, job_id: str, state: JobState, error: tuple[str, str] | None = None,
    summary: Mapping[str, JsonValue] | None = None, progress: Mapping[str, JsonValue] | None = None,
) -> JobRow | None:  # fmt: skip
    """End a queued or running job; None when there is no such job."""
    code, message = error or (None, None)
    values: dict[str, object] = {"state": state, "finished_at": now(), "error_code": code, "error_message": message}
    if summary is not None:
        values["summary"] = dict(summary)
    if progress is not None:
        values["progress"] = dict(progress)
    changed = (
        sa.update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.state.in_(("queued", "running")))
        .values(values)
        .returning(jobs)
    )
    row = connection.execute(changed).mappings().one_or_none()
    return None if row is None else JobRow(**row)


def set_progress(connection: sa.Connection, job_id: str, progress: Mapping[str, JsonValue]) -> None:
    """Store how far a running job has come."""
    connection.execute(
        sa.update(jobs).where(jobs.c.job_id == job_id, jobs.c.state == "running").values(progress=dict(progress))
    )


def remove(connection: sa.Connection, job_id: str) -> None:
    """Remove a job and its idempotency keys; harmless when there is none."""
    idempotency.release(connection, SCOPE, job_id)
    connection.execute(sa.delete(jobs).where(jobs.c.job_id == job_id))


def iter_finished(connection: sa.Connection) -> Iterator[tuple[str, dt.datetime]]:
    """Ids and ends of the finished jobs, the newest end first."""
    query = (
        sa.select(jobs.c.job_id, jobs.c.finished_at)
        .where(jobs.c.state.in_(FINISHED), jobs.c.finished_at.is_not(None))
        .order_by(jobs.c.finished_at.desc())
    )
    yield from ((row.job_id, row.finished_at) for row in connection.execute(query))


def all_ids(connection: sa.Connection) -> set[str]:
    """Every job's id."""
    return set(connection.execute(sa.select(jobs.c.job_id)).scalars())
