"""What clients say of how a webhook or a destination wants to be told."""

from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from models.severity import Severity
from service.sinks.manners import WISH_NAMES, Wishes
from service.weekly import TimeZone, Week

_DAY_S = 86400
_NULLABLE = frozenset({"streams", "actions", "min_severity", "time_zone", "escalate_after_s"})
Patterns = Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=50)]
_Patience = Annotated[float, Field(strict=True, ge=1, le=_DAY_S, allow_inf_nan=False)]
_QUIET = "Hours of the week in which nothing is sent; what happens then is not sent later either."
_ZONE = "Of the quiet hours and of times in texts; null: UTC."
_ESCALATE = (
    "Seconds. Given: told only that an action began, and only when nobody has acknowledged the event after so long. "
    "Null: told at once."
)
_SEVERITY = "How urgent an action must be; null: any."


class WishesCreate(BaseModel):
    """Which messages, and when."""

    model_config = ConfigDict(extra="forbid")

    messages: Patterns = Field(
        default=["action.started", "action.ended"], description="Families (action) or types (action.started)."
    )
    streams: Patterns | None = Field(None, description="Patterns of stream ids; null: all.")
    actions: Patterns | None = Field(None, description="Actions to tell of; null: all.")
    only_rules: StrictBool = Field(False, description="Tell actions only when they met a rule of their stream.")
    min_severity: Severity | None = Field(None, description=_SEVERITY)
    quiet_hours: Week = Field(default=[], description=_QUIET)
    quiet_for_alarms: StrictBool = Field(False, description="Hold alarms back in quiet hours, too.")
    time_zone: TimeZone | None = Field(None, description=_ZONE)
    escalate_after_s: _Patience | None = Field(None, description=_ESCALATE)
    enabled: StrictBool = True


class WishesPatch(BaseModel):
    """The same, to be changed; fields that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    messages: Patterns | None = None
    streams: Patterns | None = None
    actions: Patterns | None = None
    only_rules: StrictBool | None = None
    min_severity: Severity | None = Field(None, description=_SEVERITY)
    quiet_hours: Week | None = Field(None, description=_QUIET)
    quiet_for_alarms: StrictBool | None = None
    time_zone: TimeZone | None = Field(None, description=_ZONE)
    escalate_after_s: _Patience | None = Field(None, description=_ESCALATE)
    enabled: StrictBool | None = None


class WishesRead(BaseModel):
    """The same, as it is."""

    messages: list[str]
    streams: list[str] | None
    actions: list[str] | None
    only_rules: bool
    min_severity: Severity | None = Field(description=_SEVERITY)
    quiet_hours: Week = Field(description=_QUIET)
    quiet_for_alarms: bool
    time_zone: str | None = Field(description=_ZONE)
    escalate_after_s: float | None = Field(description=_ESCALATE)
    enabled: bool


def wishes_of(wanted: WishesCreate) -> Wishes:
    """What a client wishes."""
    return Wishes(
        wanted.messages, wanted.streams, wanted.actions, wanted.only_rules, wanted.min_severity,
        tuple(wanted.quiet_hours), wanted.quiet_for_alarms, wanted.time_zone, wanted.escalate_after_s,
    )  # fmt: skip


def changed_wishes(known: Wishes, patch: WishesPatch) -> Wishes:
    """Wishes after a patch; null is a value only where a field knows it."""
    given = {name: getattr(patch, name) for name in patch.model_fields_set.intersection(WISH_NAMES)}
    return replace(known, **{name: value for name, value in given.items() if value is not None or name in _NULLABLE})


def shown_wishes(wishes: Wishes, *, is_enabled: bool) -> WishesRead:
    """Wishes as clients see them."""
    return WishesRead.model_validate({**{name: getattr(wishes, name) for name in WISH_NAMES}, "enabled": is_enabled})
