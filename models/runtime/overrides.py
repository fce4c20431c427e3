"""What one camera wants otherwise than its action model: when an action becomes an event, and how urgent it is."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from models.runtime.contract import ActionRule
from models.severity import Severity


class ActionOverride(BaseModel):
    """What replaces parts of one action's rule; null keeps the model's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float | None = Field(
        default=None, ge=0, le=1,
        description="Smoothed probability at which an event begins; the one at which it ends changes in proportion.",
    )  # fmt: skip
    min_duration_s: float | None = Field(
        default=None, ge=0, le=3600, description="Seconds that it must last before it is confirmed."
    )
    severity: Severity | None = Field(default=None, description="How urgent it is at this camera.")

    def applied_to(self, rule: ActionRule) -> ActionRule:
        """The rule as this camera wants it."""
        wanted = self.model_dump(exclude_none=True)
        if self.threshold is not None:
            share = rule.offset_threshold / rule.threshold if rule.threshold else 1.0
            wanted["offset_threshold"] = min(1.0, self.threshold * share)
        return rule.model_copy(update=wanted)


def overridden(rules: Mapping[str, ActionRule], overrides: Mapping[str, ActionOverride]) -> dict[str, ActionRule]:
    """Every rule as the camera wants it; what the model does not know is left out, because models change."""
    return {name: overrides[name].applied_to(rule) if name in overrides else rule for name, rule in rules.items()}


def judging_rules(rules: Mapping[str, ActionRule], overrides: Mapping[str, ActionOverride]) -> dict[str, ActionRule]:
    """The same, with the model's own severities: they also say which actions exclude each other.

    Somebody who wants to be told of sitting as an alarm must not thereby let a person sit and stand at once.
    """
    return {
        name: rule.model_copy(update={"severity": rules[name].severity})
        for name, rule in overridden(rules, overrides).items()
    }
