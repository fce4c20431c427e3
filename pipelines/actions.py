"""What the product knows of each action label, read once from actions.toml: colour, urgency, use in training."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.runtime.contract import NONE_LABEL
from models.severity import Severity
from pipelines.errors import ConfigInvalid

_TABLE = Path(__file__).with_name("actions.toml")
_COLOUR = r"^#[0-9a-f]{6}$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Action(_Part):
    """One label; actions.toml says what each field is for."""

    colour: str = Field(pattern=_COLOUR)
    severity: Severity
    min_duration_s: float = Field(ge=0)
    merge_gap_s: float = Field(ge=0)
    precision: float = Field(ge=0, le=1)
    begins: str | None = None
    ends: str | None = None
    may_tip: bool = False
    travels: bool = False


class ActionTable(_Part):
    """All labels in the order of the everyday model's outputs, and the colours of people who have none."""

    neutral: str = Field(pattern=_COLOUR)
    unknown: str = Field(pattern=_COLOUR)
    actions: Mapping[str, Action]
    families: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The actions, then `none`."""
        return (*self.actions, NONE_LABEL)

    @property
    def colours(self) -> Mapping[str, str]:
        """Action or `unknown` → colour, #rrggbb."""
        named = {name: action.colour for name, action in self.actions.items()}
        return MappingProxyType(named | {"unknown": self.unknown})

    @model_validator(mode="after")
    def _poses_are_labels(self) -> "ActionTable":
        for name, action in self.actions.items():
            for pose in (action.begins, action.ends):
                if pose is not None and pose not in self.actions:
                    raise ValueError(f"{name} begins or ends with {pose!r}, which is not one of the actions")
        return self

    @model_validator(mode="after")
    def _members_are_labels(self) -> "ActionTable":
        for name, members in self.families.items():
            strange = sorted(set(members) - set(self.actions))
            if strange or name in self.labels:
                raise ValueError(f"family {name!r}: {strange[0] if strange else name!r} is not one of the actions")
        return self


@cache
def load_actions(path: Path = _TABLE) -> ActionTable:
    """The table of a file; raises ConfigInvalid for a missing or unknown key, or a value that is not allowed."""
    try:
        return ActionTable.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigInvalid(f"{path.name}: {where}: {first['msg']} (got {first.get('input')!r})") from cause
    except (OSError, ValueError) as cause:
        raise ConfigInvalid(f"{path}: {cause}") from cause
