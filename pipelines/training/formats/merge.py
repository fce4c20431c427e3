"""Sets that exist become one: checked, without what cannot be used, cut down to some classes or splits."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.datasets import load_set
from pipelines.training.formats.description import SetDescription
from pipelines.training.formats.listing import SPLITS, Refused
from pipelines.training.formats.splits import SplitRule, divide
from pipelines.training.skeletons import Annotation, SkeletonSet

_SUFFIXES = (".npz", ".pkl")


def find_sets(inputs: Sequence[Path]) -> list[Path]:
    """The `.pkl` and `.npz` files among files and folders, each once; raises DatasetInvalid when there is none."""
    found: dict[Path, Path] = {}
    for path in inputs:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        found |= {file.absolute(): file for file in inside if file.suffix in _SUFFIXES and file.is_file()}
    if not found:
        raise DatasetInvalid(f"no .pkl or .npz among {', '.join(map(str, inputs))}")
    return list(found.values())


def read_sets(
    paths: Sequence[Path],
    said: SetDescription,
    on_done: Callable[[Path], None],
    on_refused: Refused,
) -> list[SkeletonSet]:
    """The sets that can be read, without the sequences that cannot be used; one file alone must be readable."""
    sets = []
    for path in paths:
        on_done(path)
        try:
            sets.append(load_set(path, said=said, on_refused=on_refused))
        except DatasetInvalid as cause:
            if len(paths) == 1:
                raise
            on_refused(path.name, str(cause))
    if not sets:
        raise DatasetInvalid(f"none of the {len(paths)} files can be used")
    return sets


def merge(sets: Sequence[SkeletonSet], name: str) -> SkeletonSet:
    """One set of several with the same joints: classes by their names, sequences by their own where they differ.

    A file without splits of its own is a split where its name says so: `train.pkl`, `mine_val.pkl`.
    Raises DatasetInvalid.
    """
    sets = [_with_split_of_name(item) if len(sets) > 1 else item for item in sets]
    first = next((item for item in sets if item.annotations), sets[0])
    for item in sets:
        if item.annotations and (item.num_joints, item.dim) != (first.num_joints, first.dim):
            raise DatasetInvalid(
                f"{item.name} has {item.num_joints} joints in {item.dim}D, {first.name} {first.num_joints} in "
                f"{first.dim}D; prepare them apart"
            )
    classes = tuple(dict.fromkeys(label for item in sets for label in item.classes))
    uses = [annotation.name for item in sets for annotation in item.annotations]
    clashing = {used for used, count in Counter(uses).items() if count > 1}
    annotations: list[Annotation] = []
    splits: dict[str, list[str]] = {}
    for item in sets:
        called = {row.name: f"{item.name}/{row.name}" if row.name in clashing else row.name for row in item.annotations}
        annotations += [
            replace(row, name=called[row.name], label=classes.index(item.classes[row.label]) if row.label >= 0 else -1)
            for row in item.annotations
        ]
        for split, names in item.splits.items():
            splits.setdefault(split, []).extend(called[each] for each in names)
    notes = tuple(dict.fromkeys(note for item in sets for note in item.notes))
    return replace(
        first, name=name, classes=classes, splits={key: tuple(value) for key, value in splits.items()},
        annotations=tuple(annotations), notes=notes,
    )  # fmt: skip


def _with_split_of_name(skeletons: SkeletonSet) -> SkeletonSet:
    words = skeletons.name.lower().replace("-", "_").split("_")
    split = next((SPLITS[word] for word in reversed(words) if word in SPLITS), None)
    if set(skeletons.splits) != {"all"} or split is None:
        return skeletons
    return replace(skeletons, splits={split: skeletons.splits["all"]})


def subset(skeletons: SkeletonSet, classes: Sequence[str], splits: Sequence[str]) -> SkeletonSet:
    """Only the sequences of some classes and of some splits; nothing named keeps all. Raises ConfigInvalid."""
    for word, known, named in (("class", skeletons.classes, classes), ("split", tuple(skeletons.splits), splits)):
        strange = [name for name in named if name not in known]
        if strange:
            raise ConfigInvalid(f"no {word} {strange[0]!r} in {skeletons.name}; there are {', '.join(known)}")
    kept_splits = {key: names for key, names in skeletons.splits.items() if not splits or key in splits}
    inside = {name for names in kept_splits.values() for name in names} if splits else None
    order = list(classes) or list(skeletons.classes)
    labels = {skeletons.classes.index(name): index for index, name in enumerate(order)}
    rows = [
        replace(row, label=labels.get(row.label, -1))
        for row in skeletons.annotations
        if (inside is None or row.name in inside) and (not classes or row.label in labels)
    ]
    names = {row.name for row in rows}
    return replace(
        skeletons, classes=tuple(order), annotations=tuple(rows),
        splits={key: tuple(name for name in value if name in names) for key, value in kept_splits.items()},
    )  # fmt: skip


def divided(skeletons: SkeletonSet, rule: SplitRule) -> SkeletonSet:
    """The set with splits to train with: its own where it has them, else made by the rule."""
    own = {key: names for key, names in skeletons.splits.items() if key != "all"}
    return replace(skeletons, splits=divide(skeletons.annotations, rule, {}, own))
