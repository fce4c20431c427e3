"""Routes of rules over time: make, list, look at, change, remove."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from service.deps import provided
from service.events.timed.control import TimedRuleControl
from service.events.timed.schemas import TimedRuleCreate, TimedRuleList, TimedRulePatch, TimedRuleRead
from service.idempotency import IdempotencyKey
from service.responses import problems
from service.security import Operator, Viewer

router = APIRouter(prefix="/v1", tags=["rules over time"])

ControlDep = Annotated[TimedRuleControl, Depends(provided(TimedRuleControl))]
_REFUSED = problems(
    {
        404: "`not_found`: no such stream or rule",
        409: "`idempotency_conflict`: the key was used for another body",
        429: "`at_capacity`: as many rules as a camera may have; `too_many_attempts`; see Retry-After",
    }
)


@router.get("/timed_rules", dependencies=[Viewer])
def list_timed_rules(
    control: ControlDep, stream_id: Annotated[str | None, Query(max_length=64, description="Of this camera.")] = None
) -> TimedRuleList:
    """Every rule over time, and how it stands."""
    return TimedRuleList(items=control.all(stream_id))


@router.post("/timed_rules", dependencies=[Operator], status_code=status.HTTP_201_CREATED, responses=_REFUSED)
def create_timed_rule(
    wanted: TimedRuleCreate, response: Response, control: ControlDep, idempotency_key: IdempotencyKey = None
) -> TimedRuleRead:
    """Add a rule. Its events have its kind as `action`, its name among `rules`, and no clip."""
    rule, is_replay = control.create(wanted, idempotency_key)
    response.headers["Location"] = f"/v1/timed_rules/{rule.rule_id}"
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return control.read(rule)


@router.get("/timed_rules/{rule_id}", dependencies=[Viewer])
def get_timed_rule(rule_id: str, control: ControlDep) -> TimedRuleRead:
    """One rule, and how it stands."""
    return control.read(control.require(rule_id))


@router.patch("/timed_rules/{rule_id}", dependencies=[Operator], responses=_REFUSED)
def change_timed_rule(rule_id: str, patch: TimedRulePatch, control: ControlDep) -> TimedRuleRead:
    """Change a rule, which then counts anew; an event of it that goes on ends."""
    return control.read(control.change(rule_id, patch))


@router.delete("/timed_rules/{rule_id}", dependencies=[Operator], status_code=status.HTTP_204_NO_CONTENT)
def remove_timed_rule(rule_id: str, control: ControlDep) -> None:
    """Remove a rule, if it exists; an event of it that goes on ends."""
    control.remove(rule_id)
