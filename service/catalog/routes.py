"""The paths that only read: layouts, models, actions, capacity."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from models.errors import ModelUnknown
from service.catalog.library import ActionRead, LayoutRead, Library, ModelRead, ModelSummary
from service.deps import provided
from service.errors import NotFound, Problem
from service.security import Viewer
from service.workers.supervisor import Supervisor

router = APIRouter(prefix="/v1", dependencies=[Viewer])

LibraryDep = Annotated[Library, Depends(provided(Library))]
SupervisorDep = Annotated[Supervisor, Depends(provided(Supervisor))]


class Layouts(BaseModel):
    """Every joint layout."""

    items: Sequence[LayoutRead]


class Models(BaseModel):
    """Every network."""

    items: Sequence[ModelSummary]


class Actions(BaseModel):
    """A label set."""

    items: Sequence[ActionRead]


class Room(BaseModel):
    """Slots of one kind of work."""

    slots: int = Field(description="How many run at once when every worker is ready.")
    free: int = Field(description="How many could begin now.")
    reason: str = Field(description="What sets the limit.")


class Capacity(BaseModel):
    """How much fits."""

    workers: int
    workers_ready: int
    jobs: Room


@router.get("/layouts", tags=["catalog"], summary="Joint layouts")
def list_layouts(library: LibraryDep) -> Layouts:
    """Names and bones of the joints behind `keypoints`."""
    return Layouts(items=library.layouts())


@router.get("/models", tags=["catalog"], summary="Networks")
def list_models(library: LibraryDep) -> Models:
    """Detectors, pose estimators and action models."""
    return Models(items=library.summaries())


@router.get("/models/{model_id}", tags=["catalog"], summary="One network", responses={404: {"model": Problem}})
def get_model(model_id: str, library: LibraryDep) -> ModelRead:
    """Card, contract, labels, what was measured, licence."""
    try:
        return library.describe(model_id)
    except ModelUnknown as error:
        raise NotFound(str(error)) from error


@router.get("/actions", tags=["catalog"], summary="Actions")
def list_actions(
    library: LibraryDep,
    model: Annotated[str | None, Query(max_length=128, description="Action model; left out: the default one.")] = None,
) -> Actions:
    """The labels, how well each is known, and when each becomes an event."""
    return Actions(items=library.actions(model))


@router.get("/capacity", tags=["service"], summary="How much fits")
def get_capacity(supervisor: SupervisorDep) -> Capacity:
    """Free slots, and why no more."""
    health = supervisor.health()
    ready = sum(worker.state == "ready" for worker in health)
    slots, free = supervisor.slots("job"), supervisor.room("job")
    reason = f"{len(health)} worker(s), one job each"
    if ready < len(health):
        reason += f"; {len(health) - ready} not ready"
    return Capacity(workers=len(health), workers_ready=ready, jobs=Room(slots=slots, free=free, reason=reason))
