"""What clients send and get about rules over time."""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from models.severity import Severity
from service.events.timed.rules import RuleState, TimedKind, TimedRule
from service.events.timed.watch import Standing
from service.weekly import Week

_WEEK_S = 7 * 86400

Seconds = Annotated[
    float,
    Field(
        strict=True, ge=1, le=_WEEK_S, allow_inf_nan=False,
        description="How long it must be so, in seconds of picture within its hours.",
    ),
]  # fmt: skip
RuleName = Annotated[str, Field(min_length=1, max_length=64, description="What events name as the rule they met.")]
ZoneName = Annotated[str, Field(min_length=1, max_length=64)]
_ZONE = "Include zone of the camera; needed for `lies_outside`: where people may lie. Null: the whole picture."
_HOURS = "Hours of the week, by the camera's `time_zone`, in which it counts; empty: always."


class TimedRuleCreate(BaseModel):
    """Something that goes on for too long, and somebody should know."""

    model_config = ConfigDict(extra="forbid")

    stream_id: str = Field(min_length=1, max_length=64)
    name: RuleName
    kind: TimedKind = Field(
        description="`not_got_up`: somebody lies or sits without standing or walking. `nobody_seen`: there are "
        "pictures and nobody in them. `lies_outside`: somebody lies, and not in `zone`."
    )
    after_s: Seconds
    zone: ZoneName | None = Field(None, description=_ZONE)
    hours: Week = Field(default=[], description=_HOURS)
    severity: Severity = "alarm"
    enabled: StrictBool = True


class TimedRulePatch(BaseModel):
    """What may be changed; the rule then counts anew. Fields that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    name: RuleName | None = None
    after_s: Seconds | None = None
    zone: ZoneName | None = Field(None, description=_ZONE)
    hours: Week | None = Field(None, description=_HOURS)
    severity: Severity | None = None
    enabled: StrictBool | None = None


class TimedRuleRead(BaseModel):
    """A rule, and how it stands."""

    rule_id: str
    stream_id: str
    name: str
    kind: TimedKind
    after_s: float
    zone: str | None
    hours: Week
    severity: Severity
    enabled: bool
    created_at: dt.datetime
    state: RuleState = Field(
        description="`not_known`: no picture came in the last seconds, which is not `nobody`. `zone_missing`: its zone "
        "was removed, and it rests until there is one of this name. `resting`: outside its hours."
    )
    counted_s: float = Field(description="Seconds that it has been so, of `after_s`.")

    @classmethod
    def of(cls, rule: TimedRule, standing: Standing) -> "TimedRuleRead":
        """A rule as clients see it."""
        return cls(
            rule_id=rule.rule_id, stream_id=rule.stream_id, name=rule.name, kind=rule.kind, after_s=rule.after_s,
            zone=rule.zone, hours=list(rule.week), severity=rule.severity, enabled=rule.is_enabled,
            created_at=rule.created_at, state=standing.state, counted_s=standing.counted_s,
        )  # fmt: skip


class TimedRuleList(BaseModel):
    """Rules, the oldest first."""

    items: list[TimedRuleRead]
