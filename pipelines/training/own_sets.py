"""How training reads a set of a user's own: its splits, and what its classes are among the everyday labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pipelines.actions import load_actions
from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.corpus import find_set
from pipelines.training.datasets import load_set
from pipelines.training.labels import LabelTable, SetTable, load_labels
from pipelines.training.skeletons import SkeletonSet


def train_and_test(skeletons: SkeletonSet) -> tuple[str, str]:
    """The splits to learn from and to measure on: as the set's description says, else `train` and `test` or `val`,
    else the first pair such as `xsub_train` and `xsub_val`. Raises DatasetInvalid where there is no such pair.
    """
    said, splits = skeletons.description, skeletons.splits
    for part, split in (("train", said.train), ("test", said.test)):
        if split is not None and split not in splits:
            raise DatasetInvalid(f"{skeletons.name}: {part} = {split!r}, but its splits are {', '.join(splits)}")
    train = said.train or (
        "train" if "train" in splits else next((key for key in splits if key.endswith("_train")), None)
    )
    if train is not None:
        stem = train.removesuffix("train")
        test = said.test or next((f"{stem}{part}" for part in ("test", "val") if f"{stem}{part}" in splits), None)
        if test is not None:
            return train, test
    raise DatasetInvalid(
        f"{skeletons.name}: no pair of splits to train and to test with among {', '.join(splits) or 'none'}; "
        "`actogram prepare SET --split share:0.8 --out NEW` makes them"
    )


def own_table(skeletons: SkeletonSet, labels: Sequence[str]) -> SetTable:
    """How training with the everyday labels reads the set: by the `[everyday]` table of its description, and where
    that is silent by classes that are called as a label. Raises ConfigInvalid for classes that are neither.
    """
    said = skeletons.description
    is_meaning = load_labels().is_meaning
    table = {name: said.everyday.get(name, name) for name in skeletons.classes}
    strange = [name for name, meaning in table.items() if not is_meaning(meaning)]
    if strange:
        raise ConfigInvalid(
            f"{skeletons.name}: class {strange[0]!r} is no everyday label; say in [everyday] of "
            f'{skeletons.name}.labels.toml which of {", ".join(labels)} it is, or "" to leave it out'
        )
    train, test = train_and_test(skeletons)
    return SetTable(
        skeletons.name, MappingProxyType(table), train, test, group=said.group or _group(skeletons),
        visible=said.visible, terms=said.terms or str(skeletons.meta.get("terms", "not stated")),
    )  # fmt: skip


def with_own_sets(table: LabelTable, names: Sequence[str], folders: Sequence[Path]) -> LabelTable:
    """The table with a row for each named set that it does not know, or that says itself what it is.

    Raises DatasetInvalid or ConfigInvalid where such a set cannot be read so.
    """
    sets = dict(table.sets)
    for name in names:
        known = sets.get(name)
        if known is not None and not known.optional:
            continue
        skeletons = load_set(find_set(folders, name))
        if known is None or _is_own(skeletons, known):
            sets[name] = own_table(skeletons, load_actions().labels)
    # A network may know fewer labels than there are: sequences that show the others are left out.
    return replace(table, sets=MappingProxyType(sets)).only(table.labels)


def _is_own(skeletons: SkeletonSet, known: SetTable) -> bool:
    """Whether a set only bears the name of one that the table knows."""
    return bool(skeletons.description.model_fields_set) or not set(skeletons.classes) <= set(known.classes)


def _group(skeletons: SkeletonSet) -> str | None:
    """The field by which a person or a video stays on one side; the first that every sequence has."""
    for key in ("subject", "person", "video"):
        if skeletons.annotations and all(row.extra.get(key) is not None for row in skeletons.annotations):
            return key
    return None
