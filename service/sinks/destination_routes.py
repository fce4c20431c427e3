"""Routes of destinations: mailboxes, chats and browsers that are told of events in words."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from service.deps import provided
from service.idempotency import IdempotencyKey
from service.responses import problems
from service.security import Admin, Operator, Viewer
from service.sinks.destination_schemas import (
    DestinationCreate,
    DestinationList,
    DestinationPatch,
    DestinationRead,
    PushKeyRead,
    PushSubscriptionCreate,
)
from service.sinks.destination_store import DestinationRow
from service.sinks.destinations import DestinationControl
from service.sinks.schemas import DeliveryPage, Outcome, TestResult

router = APIRouter(prefix="/v1", tags=["destinations"])

ControlDep = Annotated[DestinationControl, Depends(provided(DestinationControl))]
_MISSING = {409: "`extra_missing`: a package that it needs is not installed; `idempotency_conflict`"}
_ROOM = {429: "`at_capacity`: as many destinations as the settings allow; `too_many_attempts`; see Retry-After"}


@router.get("/destinations", dependencies=[Viewer])
def list_destinations(control: ControlDep) -> DestinationList:
    """Every mailbox, chat and browser that is told of events."""
    return DestinationList(items=[_read(row, control) for row in control.all()])


@router.post(
    "/destinations", dependencies=[Admin], status_code=status.HTTP_201_CREATED,
    responses=problems({**_MISSING, **_ROOM}),
)  # fmt: skip
def create_destination(
    wanted: DestinationCreate, response: Response, control: ControlDep, idempotency_key: IdempotencyKey = None
) -> DestinationRead:
    """Add a destination by its Apprise address, which is never shown again."""
    row, is_replay = control.create(wanted, idempotency_key)
    response.headers["Location"] = f"/v1/destinations/{row.destination_id}"
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return _read(row, control)


@router.get("/destinations/{destination_id}", dependencies=[Viewer])
def get_destination(destination_id: str, control: ControlDep) -> DestinationRead:
    """One destination."""
    return _read(control.require(destination_id), control)


@router.patch("/destinations/{destination_id}", dependencies=[Admin], responses=problems(_MISSING))
def change_destination(destination_id: str, patch: DestinationPatch, control: ControlDep) -> DestinationRead:
    """Change a destination, which keeps its position in the log."""
    return _read(control.change(destination_id, patch), control)


@router.delete("/destinations/{destination_id}", dependencies=[Admin], status_code=status.HTTP_204_NO_CONTENT)
def remove_destination(destination_id: str, control: ControlDep) -> None:
    """Remove a destination, if it exists."""
    control.remove(destination_id)


@router.get("/destinations/{destination_id}/deliveries", dependencies=[Viewer])
def list_destination_deliveries(
    destination_id: str,
    control: ControlDep,
    outcome: Outcome | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DeliveryPage:
    """What became of each message, the newest first: also that it fell into quiet hours, or was acknowledged before."""
    return DeliveryPage.ask(partial(control.deliveries, destination_id, outcome), cursor, limit)


@router.post("/destinations/{destination_id}/test", dependencies=[Admin], responses=problems(_MISSING))
def test_destination(destination_id: str, control: ControlDep) -> TestResult:
    """Send one test message now, whatever the hour, and return what became of it."""
    return TestResult.of(control.test(destination_id))


@router.get("/push_key", dependencies=[Viewer], responses=problems(_MISSING))
def get_push_key(control: ControlDep) -> PushKeyRead:
    """What a browser subscribes with; made at the first use."""
    return PushKeyRead(public_key=control.push_key().public)


@router.post(
    "/push_subscriptions", dependencies=[Operator], status_code=status.HTTP_201_CREATED,
    responses=problems({**_MISSING, **_ROOM}),
)  # fmt: skip
def subscribe_push(wanted: PushSubscriptionCreate, response: Response, control: ControlDep) -> DestinationRead:
    """Tell this browser, also while the page is closed; it becomes a destination. Once more: changes what it wants."""
    row = control.subscribe(wanted)
    response.headers["Location"] = f"/v1/destinations/{row.destination_id}"
    return _read(row, control)


@router.delete("/push_subscriptions/{destination_id}", dependencies=[Operator], status_code=status.HTTP_204_NO_CONTENT)
def unsubscribe_push(destination_id: str, control: ControlDep) -> None:
    """Tell this browser no longer; 404 for what is no browser."""
    control.require_browser(destination_id)
    control.remove(destination_id)


@router.post("/push_subscriptions/{destination_id}/test", dependencies=[Operator], responses=problems(_MISSING))
def test_push(destination_id: str, control: ControlDep) -> TestResult:
    """Send this browser one test message now."""
    control.require_browser(destination_id)
    return TestResult.of(control.test(destination_id))


def _read(row: DestinationRow, control: DestinationControl) -> DestinationRead:
    return DestinationRead.of(row, control.pending(row.destination_id))
