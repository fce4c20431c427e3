"""What each set's classes mean among the everyday labels: labels.toml beside this module, and actions.toml."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from models.runtime.contract import NONE_LABEL
from pipelines.actions import Action, load_actions
from pipelines.errors import ConfigInvalid

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
    stands_first:   gestures begin with a pose of standing still.
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
    stands_first: bool = False
    optional: bool = False
    terms: str = "not stated"

    def meaning(self, name: str) -> str:
        """The everyday label of a class; raises ConfigInvalid when the table does not hold it."""
        if name not in self.classes:
            raise ConfigInvalid(f"labels.toml: set {self.name!r} has no class {name!r}")
        return self.classes[name]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels in the order of the network's outputs, how they become events, how each set speaks of them."""

    labels: tuple[str, ...]
    actions: Mapping[str, Action]
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

    def only(self, labels: Sequence[str]) -> "LabelTable":
        """The same table with these labels alone, in their order; sequences that show another one are left out.

        A network keeps the labels that it was trained with when the table grows. Raises ConfigInvalid for a label that
        the table does not hold.
        """
        unknown = [label for label in labels if label not in self.labels]
        if unknown:
            raise ConfigInvalid(f"actions.toml: unknown label {unknown[0]!r}; known labels: {', '.join(self.labels)}")
        kept = {*labels, NOT_FALL, FALL_INSIDE}
        sets = {name: _without_others(rows, kept) for name, rows in self.sets.items()}
        actions = {name: row for name, row in self.actions.items() if name in kept}
        return LabelTable(tuple(labels), MappingProxyType(actions), MappingProxyType(sets))

    def taught_by(self, names: Iterable[str]) -> "LabelTable":
        """The same table with the labels that these sets teach: nothing can be learnt of one that no sequence shows.

        `none` stays, and what training makes itself: falling, lying, and the poses that actions begin or end with.
        """
        rows = [self.require(name) for name in names]
        taught = {label for row in rows for label in row.classes.values()}
        actions = [action for name, action in self.actions.items() if name in taught]
        made = {NONE_LABEL, "fall", "lie"} | {pose for action in actions for pose in (action.begins, action.ends)}
        return self.only([label for label in self.labels if label in taught | made])

    def require(self, name: str) -> SetTable:
        """The table of a set; raises ConfigInvalid."""
        if name not in self.sets:
            raise ConfigInvalid(f"labels.toml: unknown set {name!r}; known sets: {', '.join(self.sets)}")
        return self.sets[name]


def _without_others(rows: SetTable, kept: Set[str]) -> SetTable:
    classes = {name: label if label in kept else SKIP for name, label in rows.classes.items()}
    return replace(rows, classes=classes, whole=rows.whole if rows.whole in kept else None)


def _numbered(split: str, number: int) -> str:
    return split.replace("split1_", f"split{number}_")


def load_labels(path: Path = _TABLE) -> LabelTable:
    """The labels of actions.toml with the sets of a file; raises ConfigInvalid for a key or a label that is unknown."""
    with path.open("rb") as file:
        raw = tomllib.load(file)
    known = load_actions()
    sets = {}
    for name, row in raw["sets"].items():
        try:
            table = SetTable(name=name, **row | {"exclude_groups": tuple(row.get("exclude_groups", ()))})
        except TypeError as cause:
            raise ConfigInvalid(f"{path.name}: set {name!r}: {cause}") from cause
        unknown = {*table.classes.values(), table.whole or SKIP} - {*known.labels, NOT_FALL, FALL_INSIDE, SKIP}
        if unknown:
            raise ConfigInvalid(f"{path.name}: set {name!r} names {sorted(unknown)}, not among the labels")
        sets[name] = table
    return LabelTable(known.labels, known.actions, MappingProxyType(sets))
