"""The read-only paths: layouts, models, actions."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from models.errors import ModelUnknown
from service.catalog.library import ActionRead, LayoutRead, Library, ModelRead, ModelSummary, ProfileRead
from service.deps import provided
from service.errors import NotFound
from service.responses import problems
from service.security import Viewer

router = APIRouter(prefix="/v1", dependencies=[Viewer])

LibraryDep = Annotated[Library, Depends(provided(Library))]


class Layouts(BaseModel):
    """Every joint layout."""

    items: Sequence[LayoutRead]


class Models(BaseModel):
    """Every network."""

    items: Sequence[ModelSummary]
    profiles: Sequence[ProfileRead] = Field(description="Choices of a detector and a pose estimator that have a name.")


class Actions(BaseModel):
    """A label set."""

    items: Sequence[ActionRead]


@router.get("/layouts", tags=["catalog"], summary="Joint layouts")
def list_layouts(library: LibraryDep) -> Layouts:
    """Names and connections of the joints in `keypoints`."""
    return Layouts(items=library.layouts())


@router.get("/models", tags=["catalog"], summary="Networks")
def list_models(library: LibraryDep) -> Models:
    """Detectors, pose estimators and action models."""
    return Models(items=library.summaries(), profiles=library.profiles())


@router.get("/models/{model_id}", tags=["catalog"], summary="One network")
def get_model(model_id: str, library: LibraryDep) -> ModelRead:
    """Card, contract, labels, measurements and licence."""
    try:
        return library.describe(model_id)
    except ModelUnknown as error:
        raise NotFound(str(error)) from error


@router.get(
    "/actions", tags=["catalog"], summary="Actions",
    responses=problems({422: "`model_unknown`, `layout_not_served`, `invalid_request`"}),
)  # fmt: skip
def list_actions(
    library: LibraryDep,
    model: Annotated[str | None, Query(max_length=128, description="Action model; the default when left out.")] = None,
) -> Actions:
    """The labels, how reliably each is recognised, and when each becomes an event."""
    return Actions(items=library.actions(model))
