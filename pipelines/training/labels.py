"""What each set's classes mean among the everyday labels, read from labels.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from models.severity import Severity
from pipelines.errors import ConfigInvalid

NONE = "none"
NOT_FALL, FALL_INSIDE, SKIP = "!fall", "@fall", ""
_TABLE = Path(__file__).with_name("labels.toml")


@dataclass(frozen=True, slots=True)
class SetTable:
    """How training reads one set.

    classes:        class (or `coarse` name) → everyday label, `!fall`, `@fall` or "" for left out.
    train, test:    names of the official splits.
    group:          the field that tells people or videos apart; None where the set has no such field.
    whole:          meaning of sequences with a label per frame; None where they are not used.
    exclude_groups: never used for training.
    rate_hz:        overrides the file's rate; None keeps it.
    visible:        scores from here on count as seen.
    motion:         False where the numbers hold no path of the body.
    coarse:         the meaning hangs on the field `coarse` instead of on the class.
    optional:       made by the user (`actogram prepare`): a run that names no sets takes it where it is there.
    terms:          what the set's owners allow.
    """

    name: str
    classes: Mapping[str, str]
    train: str = "train"
    test: str = "test"
    group: str | None = None
    whole: str | None = None
    exclude_groups: tuple[str, ...] = ()
    rate_hz: float | None = None
    visible: float = 0.3
    motion: bool = True
    coarse: bool = False
    optional: bool = False
    terms: str = "not stated"

    def meaning(self, name: str) -> str:
        """The everyday label of a class; raises ConfigInvalid when the table does not hold it."""
        if name not in self.classes:
            raise ConfigInvalid(f"labels.toml: set {self.name!r} has no class {name!r}")
        return self.classes[name]


@dataclass(frozen=True, slots=True)
class ActionTable:
    """How one action becomes an event; `precision` is what its threshold is chosen for, 0..1."""

    severity: Severity
    min_duration_s: float
    merge_gap_s: float
    precision: float


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels in the order of the network's outputs, how they become events, how each set speaks of them."""

    labels: tuple[str, ...]
    actions: Mapping[str, ActionTable]
    sets: Mapping[str, SetTable]

    def index(self, label: str) -> int:
        """Position of a label among the outputs."""
        return self.labels.index(label)

    def with_split(self, number: int) -> "LabelTable":
        """The same table with another of the numbered splits, for sets that have several (`split1_train`, ...)."""
        sets = {
            name: replace(rows, train=_numbered(rows.train, number), test=_numbered(rows.test, number))
            for name, rows in self.sets.items()
        }
        return replace(self, sets=MappingProxyType(sets))

    def require(self, name: str) -> SetTable:
        """The table of a set; raises ConfigInvalid."""
        if name not in self.sets:
            raise ConfigInvalid(f"labels.toml: no set {name!r}; there are {', '.join(self.sets)}")
        return self.sets[name]


def _numbered(split: str, number: int) -> str:
    return split.replace("split1_", f"split{number}_")


def load_labels(path: Path = _TABLE) -> LabelTable:
    """Read a label table; raises ConfigInvalid for an unknown key or a label that is not declared."""
    with path.open("rb") as file:
        raw = tomllib.load(file)
    labels = tuple(raw["labels"])
    sets = {}
    for name, row in raw["sets"].items():
        try:
            table = SetTable(name=name, **row | {"exclude_groups": tuple(row.get("exclude_groups", ()))})
        except TypeError as cause:
            raise ConfigInvalid(f"{path.name}: set {name!r}: {cause}") from cause
        unknown = {*table.classes.values(), table.whole or SKIP} - {*labels, NOT_FALL, FALL_INSIDE, SKIP}
        if unknown:
            raise ConfigInvalid(f"{path.name}: set {name!r} names {sorted(unknown)}, not among the labels")
        sets[name] = table
    return LabelTable(labels, MappingProxyType(_actions(raw["actions"], labels, path)), MappingProxyType(sets))


def _actions(raw: Mapping[str, dict[str, Any]], labels: tuple[str, ...], path: Path) -> dict[str, ActionTable]:
    strange = set(raw) ^ (set(labels) - {NONE})
    if strange:
        raise ConfigInvalid(f"{path.name}: [actions] and labels disagree on {sorted(strange)}")
    try:
        return {name: ActionTable(**row) for name, row in raw.items()}
    except TypeError as cause:
        raise ConfigInvalid(f"{path.name}: [actions]: {cause}") from cause
