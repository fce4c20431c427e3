"""GET, POST, PATCH and DELETE of saved views."""

from typing import Annotated

from fastapi import APIRouter, Depends, status

from service.deps import provided
from service.responses import problems
from service.security import Principal, Viewer, authenticate
from service.views.control import ViewControl
from service.views.schemas import ViewCreate, ViewList, ViewPatch, ViewRead
from service.views.store import ViewRow

router = APIRouter(prefix="/v1/views", tags=["views"])

ViewControlDep = Annotated[ViewControl, Depends(provided(ViewControl))]
PrincipalDep = Annotated[Principal, Depends(authenticate)]
_FULL = problems({409: "`too_many_views`: a key may keep a hundred"})


@router.get("", dependencies=[Viewer])
def list_views(control: ViewControlDep, principal: PrincipalDep) -> ViewList:
    """What this key has saved and what others share, by name."""
    return ViewList(items=[_read(row, principal) for row in control.list(principal)])


@router.post("", dependencies=[Viewer], status_code=status.HTTP_201_CREATED, responses=_FULL)
def create_view(wanted: ViewCreate, control: ViewControlDep, principal: PrincipalDep) -> ViewRead:
    """Save what a page asks for under a name; every role may."""
    return _read(control.create(principal, wanted), principal)


@router.patch("/{view_id}", dependencies=[Viewer])
def update_view(view_id: str, patch: ViewPatch, control: ViewControlDep, principal: PrincipalDep) -> ViewRead:
    """Rename, share or save anew; only with the key that saved it, or as an admin."""
    return _read(control.update(principal, view_id, patch), principal)


@router.delete("/{view_id}", dependencies=[Viewer], status_code=status.HTTP_204_NO_CONTENT)
def delete_view(view_id: str, control: ViewControlDep, principal: PrincipalDep) -> None:
    """Remove it; only with the key that saved it, or as an admin."""
    control.delete(principal, view_id)


def _read(row: ViewRow, who: Principal) -> ViewRead:
    return ViewRead(
        view_id=row.view_id, name=row.name, page=row.page, query=dict(row.query), shared=row.is_shared,
        is_mine=row.owner == who.key_id, created_at=row.created_at,
    )  # fmt: skip
