"""What each set's classes mean among the everyday labels: labels.toml beside this module, and actions.toml."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from models.runtime.contract import NONE_LABEL
from pipelines.actions import Action, load_actions
from pipelines.errors import ConfigInvalid

NOT_FALL, FALL_INSIDE, SKIP, FOREIGN = "!fall", "@fall", "", "?"
Apart = Literal["people", "videos", "views", "tracks", "clips"]
"""What is never in both parts of a set's split."""
_TABLE = Path(__file__).with_name("labels.toml")


@dataclass(frozen=True, slots=True)
class SetTable:
    """How training reads one set.

    classes:        class (or `coarse` name) → everyday label, what it is not (`!fall`, `!fall !strike`), `@fall`, or ""
                    and `?` for left out; `?` is like no label, so that the open-set rule is chosen by it.
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
    weight:         its share in a batch, relative to what its size gives it.
    source:         whose recordings they are, where several sets hold the same people; they are left out together.
    apart:          what the train and the test part never share.
    same_person:    groups that are one person.
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
    weight: float = 1.0
    source: str = ""
    apart: Apart = "clips"
    same_person: tuple[tuple[str, ...], ...] = ()
    terms: str = "not stated"

    @property
    def origin(self) -> str:
        """Whose recordings they are; the set's own name where it is the only one."""
        return self.source or self.name

    def person(self, group: str) -> str:
        """The name under which a group is kept on one side: that of the first group of the same person."""
        return next((groups[0] for groups in self.same_person if group in groups), group)

    def meaning(self, name: str) -> str:
        """The everyday label of a class; raises ConfigInvalid when the table does not hold it."""
        if name not in self.classes:
            raise ConfigInvalid(f"labels.toml: set {self.name!r} has no class {name!r}")
        return self.classes[name]


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels in the order of the network's outputs, how they become events, how each set speaks of them.

    words:    what the manifests of videos say → a meaning as in the sets.
    families: name → labels that are easily taken for one another.
    """

    labels: tuple[str, ...]
    actions: Mapping[str, Action]
    sets: Mapping[str, SetTable]
    words: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def index(self, label: str) -> int:
        """Position of a label among the outputs."""
        return self.labels.index(label)

    def denied(self, meaning: str) -> tuple[int, ...]:
        """Positions of the labels that a partial label rules out; none for any other meaning."""
        names = {name for word in denials(meaning) for name in self.families.get(word, (word,))}
        return tuple(index for index, label in enumerate(self.labels) if label in names)

    def is_meaning(self, word: str) -> bool:
        """Whether a set or a segment may say so."""
        known = {*self.labels, *self.families}
        return word in {*self.labels, FALL_INSIDE, SKIP, FOREIGN} or (
            bool(denials(word)) and all(name in known for name in denials(word))
        )

    def same_source(self, names: Iterable[str]) -> tuple[str, ...]:
        """These sets and all that hold recordings of the same people, in the order of the table."""
        origins = {self.require(name).origin for name in names}
        return tuple(name for name, rows in self.sets.items() if rows.origin in origins)

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
        sets = {name: _without_others(rows, labels) for name, rows in self.sets.items()}
        actions = {name: row for name, row in self.actions.items() if name in labels}
        families = {name: tuple(label for label in row if label in labels) for name, row in self.families.items()}
        return replace(
            self, labels=tuple(labels), actions=MappingProxyType(actions), sets=MappingProxyType(sets),
            families=MappingProxyType(families),
        )  # fmt: skip

    def taught_by(self, names: Iterable[str]) -> "LabelTable":
        """The same table with the labels that these sets teach: nothing can be learnt of one that no sequence shows.

        `none` stays, and what training makes itself: falling, lying, and the poses that actions begin or end with.
        """
        rows = [self.require(name) for name in names]
        taught = {label for row in rows for label in row.classes.values()}
        actions = [action for name, action in self.actions.items() if name in taught]
        made = {NONE_LABEL, "fall", "lie"} | {pose for action in actions for pose in (action.begins, action.ends)}
        return self.only([label for label in self.labels if label in taught | made])

    def foreign_only(self) -> "LabelTable":
        """The same table in which sequences that are like no label are all there is, as ones without a label."""
        sets = {
            name: replace(
                rows,
                whole=None,
                classes={key: NOT_FALL if row == FOREIGN else SKIP for key, row in rows.classes.items()},
            )
            for name, rows in self.sets.items()
        }
        return replace(self, sets=MappingProxyType(sets))

    def require(self, name: str) -> SetTable:
        """The table of a set; raises ConfigInvalid."""
        if name not in self.sets:
            raise ConfigInvalid(f"labels.toml: unknown set {name!r}; known sets: {', '.join(self.sets)}")
        return self.sets[name]


def taught_label(meaning: str) -> str | None:
    """The one label that a meaning names; None for what is partial, left out, or cut into several."""
    return None if meaning in {FALL_INSIDE, SKIP, FOREIGN} or denials(meaning) else meaning


def denials(meaning: str) -> tuple[str, ...]:
    """The labels and families that a partial label (`!fall !strike`) rules out; none for any other meaning."""
    words = meaning.split()
    return tuple(word[1:] for word in words) if words and all(word.startswith("!") for word in words) else ()


def _without_others(rows: SetTable, labels: Sequence[str]) -> SetTable:
    """A label that is not among `labels` is like none of them; what is partial or left out stays."""
    classes = {name: _kept(meaning, labels) for name, meaning in rows.classes.items()}
    return replace(rows, classes=classes)


def _kept(meaning: str, labels: Sequence[str]) -> str:
    stays = meaning in {*labels, FALL_INSIDE, SKIP, FOREIGN} or bool(denials(meaning))
    return meaning if stays else FOREIGN


def _numbered(split: str, number: int) -> str:
    return split.replace("split1_", f"split{number}_")


def load_labels(path: Path = _TABLE) -> LabelTable:
    """The labels of actions.toml with the sets of a file; raises ConfigInvalid for a key or a label that is unknown."""
    with path.open("rb") as file:
        raw = tomllib.load(file)
    known = load_actions()
    table = LabelTable(known.labels, known.actions, {}, raw.get("words", {}), known.families)
    sets = {name: _set_table(path, name, row) for name, row in raw["sets"].items()}
    for name, rows in sets.items():
        _require_known(path, f"set {name!r} names", {*rows.classes.values(), rows.whole or SKIP}, table)
    _require_known(path, "words name", set(table.words.values()), table)
    return replace(table, sets=MappingProxyType(sets))


def _set_table(path: Path, name: str, row: dict[str, Any]) -> SetTable:
    lists = {
        "exclude_groups": tuple(row.get("exclude_groups", ())),
        "same_person": tuple(map(tuple, row.get("same_person", ()))),
    }
    try:
        return SetTable(name=name, **row | lists)
    except TypeError as cause:
        raise ConfigInvalid(f"{path.name}: set {name!r}: {cause}") from cause


def _require_known(path: Path, who: str, meanings: Set[str], table: LabelTable) -> None:
    strange = sorted(meaning for meaning in meanings if not table.is_meaning(meaning))
    if strange:
        raise ConfigInvalid(f"{path.name}: {who} {strange}, not among the labels")
