"""Whether the service lives and is ready: /healthz asks the workers, /readyz waits until they are warm."""

from typing import Annotated, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.requests import Request

from service.database import Database
from service.deps import provided
from service.errors import ServiceError
from service.security import principal_of
from service.settings import Settings
from service.supervision.supervisor import Supervisor
from service.supervision.types import WorkerHealth, WorkerState
from service.telemetry import Metrics

router = APIRouter(tags=["service"])

_SILENT_S = 10.0

SupervisorDep = Annotated[Supervisor, Depends(provided(Supervisor))]
DatabaseDep = Annotated[Database, Depends(provided(Database))]
MetricsDep = Annotated[Metrics, Depends(provided(Metrics))]
SettingsDep = Annotated[Settings, Depends(provided(Settings))]


class WorkerRead(BaseModel):
    """One worker."""

    name: str
    pid: int | None = Field(description="Its process; null while none runs.")
    state: WorkerState
    restarts: int
    tasks: dict[str, int] = Field(description="Kind of work → how many run.")
    beat_age_s: float | None = Field(description="Seconds since it last gave a sign of life.")
    memory_bytes: int
    error: str | None = Field(description="Code of why it cannot start.")

    @classmethod
    def of(cls, health: WorkerHealth) -> "WorkerRead":
        """A worker as everyone may see it."""
        return cls(
            name=health.name, pid=health.pid, state=health.state, restarts=health.restarts, tasks=dict(health.tasks),
            beat_age_s=health.beat_age_s, memory_bytes=health.rss_bytes,
            error=health.error[0] if health.error else None,
        )  # fmt: skip


class HealthRead(BaseModel):
    """How the service is."""

    status: Literal["ok", "degraded", "failed"]
    database: Literal["ok", "failed"]
    workers: list[WorkerRead]


class ReadyRead(BaseModel):
    """Whether work would begin at once."""

    ready: bool
    reason: str


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Is it alive", responses={503: {"model": HealthRead}})
def healthz(response: Response, supervisor: SupervisorDep, database: DatabaseDep) -> HealthRead:
    """503 when the database is away or no worker gives a sign of life; `degraded` when some do not."""
    workers = supervisor.health()
    alive = sum(w.beat_age_s is not None and w.beat_age_s < _SILENT_S for w in workers)
    has_database = _asks(database)
    status: Literal["ok", "degraded", "failed"] = "ok" if alive == len(workers) else "degraded"
    if alive == 0 or not has_database:
        status = "failed"
        response.status_code = 503
    return HealthRead(
        status=status, database="ok" if has_database else "failed", workers=[WorkerRead.of(w) for w in workers]
    )


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Is it ready", responses={503: {"model": ReadyRead}})
def readyz(response: Response, supervisor: SupervisorDep) -> ReadyRead:
    """200 once a worker has loaded its networks and run every batch size once."""
    if supervisor.is_ready():
        return ReadyRead(ready=True, reason="warm")
    response.status_code = 503
    errors = {w.error[0]: w.error[1] for w in supervisor.health() if w.error}
    why = "; ".join(f"{code}: {text}" for code, text in errors.items()) or "the workers are loading their networks"
    return ReadyRead(ready=False, reason=why)


@router.get("/metrics", response_class=PlainTextResponse, summary="Metrics for Prometheus")
def metrics(request: Request, found: MetricsDep, settings: SettingsDep) -> Response:
    """Needs a key once keys exist, unless ACTOGRAM_METRICS_PUBLIC is set."""
    if not settings.metrics_public:
        principal_of(request)
    return Response(found.render(), media_type=CONTENT_TYPE_LATEST)


def _asks(database: Database) -> bool:
    try:
        with database.read() as connection:
            return bool(connection.execute(sa.text("SELECT 1")).scalar_one() == 1)
    except (sa.exc.SQLAlchemyError, ServiceError):
        return False
