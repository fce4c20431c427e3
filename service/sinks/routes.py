"""Routes of webhooks: create, list, get, update, delete, test, and the outcome of their deliveries."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from service.deps import provided
from service.idempotency import IdempotencyKey
from service.responses import problems
from service.security import Admin, Viewer
from service.sinks.control import SinkControl
from service.sinks.schemas import (
    DeliveryPage,
    Outcome,
    TestResult,
    WebhookCreate,
    WebhookCreated,
    WebhookList,
    WebhookPatch,
    WebhookRead,
)
from service.sinks.store import WebhookRow

router = APIRouter(prefix="/v1", tags=["webhooks"])

SinkControlDep = Annotated[SinkControl, Depends(provided(SinkControl))]
_PROBLEMS = problems(
    {
        409: "`idempotency_conflict`: the key was used for another body",
        429: "`at_capacity`: as many webhooks as the settings allow; `too_many_attempts`; see Retry-After",
    }
)


@router.get("/webhooks", dependencies=[Viewer])
def list_webhooks(control: SinkControlDep) -> WebhookList:
    """Every webhook."""
    return WebhookList(items=[_read(row, control) for row in control.all()])


@router.post("/webhooks", dependencies=[Admin], status_code=status.HTTP_201_CREATED, responses=_PROBLEMS)
def create_webhook(
    wanted: WebhookCreate, response: Response, control: SinkControlDep, idempotency_key: IdempotencyKey = None
) -> WebhookCreated:
    """Add a webhook; its signing secret is only in this answer, and in a repeat's with the same idempotency key."""
    row, is_replay = control.create(wanted, idempotency_key)
    response.headers["Location"] = f"/v1/webhooks/{row.webhook_id}"
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return WebhookCreated.with_secret(row)


@router.get("/webhooks/{webhook_id}", dependencies=[Viewer])
def get_webhook(webhook_id: str, control: SinkControlDep) -> WebhookRead:
    """One webhook."""
    return _read(control.require(webhook_id), control)


@router.patch("/webhooks/{webhook_id}", dependencies=[Admin])
def change_webhook(webhook_id: str, patch: WebhookPatch, control: SinkControlDep) -> WebhookRead:
    """Change a webhook, which keeps its position in the log."""
    return _read(control.change(webhook_id, patch), control)


@router.delete("/webhooks/{webhook_id}", dependencies=[Admin], status_code=status.HTTP_204_NO_CONTENT)
def remove_webhook(webhook_id: str, control: SinkControlDep) -> None:
    """Remove a webhook, if it exists."""
    control.remove(webhook_id)


@router.get("/webhooks/{webhook_id}/deliveries", dependencies=[Viewer])
def list_deliveries(
    webhook_id: str,
    control: SinkControlDep,
    outcome: Outcome | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DeliveryPage:
    """What became of each message, the newest first; `?outcome=dead` lists the dead letters."""
    return DeliveryPage.ask(partial(control.deliveries, webhook_id, outcome), cursor, limit)


@router.post("/webhooks/{webhook_id}/test", dependencies=[Admin])
def test_webhook(webhook_id: str, control: SinkControlDep) -> TestResult:
    """Send one signed test message now and return what the receiver answered."""
    return TestResult.of(control.test(webhook_id))


def _read(row: WebhookRow, control: SinkControl) -> WebhookRead:
    return WebhookRead.of(row, control.pending().get(row.webhook_id, 0))
