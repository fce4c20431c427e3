"""The sequences that a recipe learns from and is measured on: sets mapped to its layout, its classes and its parts."""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np

from models.arrays import FloatArray, IntArray
from models.skeleton.layouts import COCO17, Layout, layout_map, require_layout
from models.skeleton.reference.features import LAYOUTS_3D
from pipelines.errors import DatasetInvalid
from pipelines.training.corpus import find_set
from pipelines.training.datasets import Annotation, SkeletonSet, load_set
from pipelines.training.labels import LabelTable, load_labels, taught_label
from pipelines.training.own_sets import own_table
from pipelines.training.recipe import Recipe
from pipelines.training.recipe_sections import DataSection

Part = Literal["train", "validation", "test"]
_SPELLINGS = (("center", "centre"), ("mid_hip", "middle_hip"))
_RATE_HZ = 30.0
"""Frames per second of a set that does not say."""


@dataclass(frozen=True, slots=True)
class SkeletonSequence:
    """One labelled sequence of joints.

    keypoint: (M, T, V, 3) float32: x, y in pixels and score, or x, y, z; (M, T, V, 4) where both x, y, z and score are
              wanted (everyday13 of a 3D set).
    shape_hw: of the picture, where known.
    """

    name: str
    source: str
    group: str
    keypoint: FloatArray
    label: int
    shape_hw: tuple[int, int] | None
    rate_hz: float

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.keypoint.shape[1])


@dataclass(frozen=True, slots=True)
class Sequences:
    """One part of a recipe's data, with the names of its classes."""

    items: tuple[SkeletonSequence, ...]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def label(self) -> IntArray:
        """(n,) labels."""
        return np.array([item.label for item in self.items], np.int64)

    def where(self, rows: Iterable[bool]) -> "Sequences":
        """Some of the sequences."""
        kept = tuple(item for item, row in zip(self.items, rows, strict=True) if row)
        return replace(self, items=kept)


@dataclass(frozen=True, slots=True)
class RunParts:
    """What a run learns from, and what it makes its choices by (None where there is no such part)."""

    train: Sequences
    validation: Sequences | None


def load_parts(recipe: Recipe, folders: Sequence[Path]) -> RunParts:
    """The training and the validation part; raises DatasetInvalid when there is nothing to learn from."""
    data = recipe.data
    train = load_part(recipe, folders, data.train)
    if data.validation:
        validation: Sequences | None = load_part(recipe, folders, data.validation)
    elif data.validation_share:
        held = _held_groups(train.items, data.validation_share)
        if not held:
            raise DatasetInvalid(
                f"{', '.join(data.sets)}: all {len(train)} sequences are of one {data.group or 'sequence'}, so none can"
                " be kept for validation; set data.validation_share = 0"
            )
        validation = train.where(_group_key(item) in held for item in train.items)
        train = train.where(_group_key(item) not in held for item in train.items)
    else:
        validation = None
    train = scarce(train, data.train_share)
    if not len(train):
        raise DatasetInvalid(f"{', '.join(data.sets)}: no sequences to learn from in split {data.train!r}")
    return RunParts(train, validation)


def load_test(recipe: Recipe, folders: Sequence[Path]) -> Sequences:
    """The part that is reported: the test split, or the validation part where the recipe names none."""
    if recipe.data.test:
        return load_part(recipe, folders, recipe.data.test)
    held = load_parts(recipe, folders).validation
    if held is None:
        raise DatasetInvalid("data.test is empty and there is no validation part: nothing can be measured")
    return held


def scarce(sequences: Sequences, share: float) -> Sequences:
    """A share of each class, at least one of each, the same every time and growing with the share."""
    if share >= 1:
        return sequences
    label, order = sequences.label, [zlib.crc32(f"{item.source}/{item.name}".encode()) for item in sequences.items]
    kept = np.zeros(len(sequences), np.bool_)
    for index in np.unique(label):
        rows = sorted(np.flatnonzero(label == index), key=order.__getitem__)
        kept[rows[: max(1, round(share * len(rows)))]] = True
    return sequences.where(kept.tolist())


def load_part(recipe: Recipe, folders: Sequence[Path], split: str) -> Sequences:
    """All labelled sequences of one split of the recipe's sets; raises DatasetInvalid."""
    items: list[SkeletonSequence] = []
    classes: tuple[str, ...] = ()
    for name in recipe.data.sets:
        skeletons = load_set(_find(folders, name))
        meaning = _Meaning.of(skeletons, recipe.data)
        if classes and meaning.classes != classes:
            raise DatasetInvalid(
                f"{name}: its classes are not those of {recipe.data.sets[0]}; use classes = 'everyday'"
            )
        classes = meaning.classes
        items += _read(skeletons, recipe, meaning, split)
    if not items:
        raise DatasetInvalid(f"{', '.join(recipe.data.sets)}: split {split!r} has no labelled sequences")
    return Sequences(tuple(items), classes)


def _find(folders: Sequence[Path], name: str) -> Path:
    return Path(name) if name.endswith((".pkl", ".npz")) else find_set(folders, name)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """Names of the classes, and for each of the set's own labels its index among them, or -1."""

    classes: tuple[str, ...]
    index: tuple[int, ...]

    def of_label(self, label: int) -> int:
        """Index of one of the set's own labels, -1 where it means nothing."""
        return self.index[label] if label >= 0 else -1

    @staticmethod
    def of(skeletons: SkeletonSet, data: DataSection) -> "_Meaning":
        own = skeletons.classes or data.labels or _counted(skeletons, data)
        if data.classes == "own":
            return _Meaning(own, tuple(range(len(own))))
        table = load_labels()
        rows = table.sets.get(skeletons.name) or own_table(skeletons, table.labels)
        return _Meaning(table.labels, tuple(_everyday(table, rows.meaning(name)) for name in own))


def _everyday(table: LabelTable, meaning: str) -> int:
    label = taught_label(meaning)
    return -1 if label is None else table.index(label)


def _counted(skeletons: SkeletonSet, data: DataSection) -> tuple[str, ...]:
    most = max((annotation.label for annotation in skeletons.annotations), default=-1) + 1
    return tuple(f"class_{index}" for index in range(data.num_classes or most))


def _read(skeletons: SkeletonSet, recipe: Recipe, meaning: _Meaning, split: str) -> list[SkeletonSequence]:
    if split not in skeletons.splits:
        raise DatasetInvalid(f"{skeletons.name}: no split {split!r}; its splits are {', '.join(skeletons.splits)}")
    layout = require_layout(recipe.input.layout)
    joints = joint_map(skeletons, layout)
    wanted = set(skeletons.splits[split])
    return [
        _sequence(skeletons, annotation, recipe, joints, meaning.of_label(annotation.label))
        for annotation in skeletons.annotations
        if annotation.name in wanted and _is_used(skeletons, annotation, meaning, recipe)
    ]


def _is_used(skeletons: SkeletonSet, annotation: Annotation, meaning: _Meaning, recipe: Recipe) -> bool:
    """Whether a sequence has frames and a class, which pretraining does without."""
    if annotation.label >= len(meaning.index):
        raise DatasetInvalid(
            f"{skeletons.name}: {annotation.name} has label {annotation.label}, there are {len(meaning.index)} classes"
        )
    has_frames = annotation.keypoint.shape[1] > 0 and annotation.keypoint.shape[0] > 0
    return has_frames and (recipe.loss.name == "masked_joints" or meaning.of_label(annotation.label) >= 0)


def joint_map(skeletons: SkeletonSet, layout: Layout) -> tuple[int | None, ...]:
    """For each joint of a layout its index in the set: by the names of joints, else by number, else by COCO's.

    Raises DatasetInvalid where the set has too little of the layout.
    """
    V = skeletons.annotations[0].keypoint.shape[2] if skeletons.annotations else len(layout)
    names = skeletons.meta.get("joints")
    if isinstance(names, (list, tuple)) and len(names) == V:
        found = layout_map(_named([str(name) for name in names]), layout)
    elif len(layout) == V:
        found = tuple(range(V))
    elif skeletons.to_coco17 is not None:
        found = tuple(None if index is None else skeletons.to_coco17[index] for index in layout_map(COCO17, layout))
    else:
        raise DatasetInvalid(
            f"{skeletons.name}: {V} joints without names or `to_coco17` cannot be mapped to the {len(layout)} of "
            f"layout {layout.name}"
        )
    missing = [joint for joint, index in zip(layout.joints, found, strict=True) if index is None]
    if 2 * len(missing) > len(layout):
        raise DatasetInvalid(
            f"{skeletons.name}: lacks {len(missing)} of the {len(layout)} joints of {layout.name}: {', '.join(missing)}"
        )
    return found


def _named(names: Sequence[str]) -> Layout:
    for theirs, ours in _SPELLINGS:
        names = [name.lower().replace(theirs, ours) for name in names]
    return Layout("set", tuple(names), tuple(0 for _ in names))


def _sequence(
    skeletons: SkeletonSet, annotation: Annotation, recipe: Recipe, joints: Sequence[int | None], label: int
) -> SkeletonSequence:
    group = annotation.extra.get(recipe.data.group, annotation.name) if recipe.data.group else annotation.name
    rate = cast("float | None", annotation.extra.get("rate_hz"))
    return SkeletonSequence(
        annotation.name, skeletons.name, str(group), _mapped(skeletons, annotation, recipe, joints), label,
        annotation.shape_hw, float(rate or skeletons.rate_hz or _RATE_HZ),
    )  # fmt: skip


def _mapped(skeletons: SkeletonSet, annotation: Annotation, recipe: Recipe, joints: Sequence[int | None]) -> FloatArray:
    """(M, T, V, 3) in the recipe's layout; a joint that the set lacks is 0 throughout."""
    D, is_3d = annotation.keypoint.shape[-1], recipe.input.layout in LAYOUTS_3D
    takes_both = recipe.input.features == "everyday13"
    if not takes_both and (D == 3) != is_3d:
        raise DatasetInvalid(
            f"{skeletons.name}: its joints are {D}D, layout {recipe.input.layout} with features "
            f"{recipe.input.features} needs {3 if is_3d else 2}D"
        )
    M, T = annotation.keypoint.shape[:2]
    found = np.zeros((M, T, len(joints), 3 if D == 2 or not takes_both else 4), np.float32)
    target = [index for index, source in enumerate(joints) if source is not None]
    source = [index for index in joints if index is not None]
    found[:, :, target, :D] = annotation.keypoint[:, :, source]
    if not is_3d:
        found[:, :, target, -1] = annotation.score[:, :, source]
        # A joint at the very corner is one that nobody saw.
        found[..., -1] *= (found[..., :2] != 0).any(axis=-1)
    return found


def _held_groups(items: Sequence[SkeletonSequence], share: float) -> set[str]:
    """The people or videos kept for choices: the same every time, together as near to the share as whole groups come.

    At least one, unless there is only one: two sets of the same people need not agree on who it is.
    """
    sizes = Counter(_group_key(item) for item in items)
    wanted, count, held = share * len(items), 0, set[str]()
    for key in sorted(sizes, key=lambda key: (zlib.crc32(key.encode()), key))[: len(sizes) - 1]:
        if not held or abs(count + sizes[key] - wanted) < abs(count - wanted):
            held.add(key)
            count += sizes[key]
    return held


def _group_key(item: SkeletonSequence) -> str:
    return f"{item.source}/{item.group}"
