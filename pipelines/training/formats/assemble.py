"""Sequences with the names of their labels become a set: classes, splits, rate, and names that are all different."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.skeleton.layouts import COCO17, layout_map, require_layout
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.description import SetDescription
from pipelines.training.formats.recordings import Recording
from pipelines.training.formats.splits import SplitRule, divide
from pipelines.training.skeletons import Annotation, SkeletonSet


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sequence (its own label counts for nothing) with what is known of it; None where nothing is."""

    annotation: Annotation
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class SetPlan:
    """What holds for a set as a whole.

    classes, splits: official ones; empty where there are none. rule: how it is divided otherwise.
    """

    name: str
    layout: str
    rule: SplitRule
    said: SetDescription = field(default_factory=SetDescription)
    classes: tuple[str, ...] = ()
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    meta: Mapping[str, object] = field(default_factory=dict)


def assemble(items: Sequence[Labelled], plan: SetPlan) -> SkeletonSet:
    """The set. Raises DatasetInvalid for a label not among its classes, ConfigInvalid for an impossible split."""
    names = [item.label for item in items if item.label is not None]
    classes = plan.said.classes or plan.classes or _classes(names)
    annotations = [replace(item.annotation, label=_index(item, classes)) for item in items]
    given = {item.annotation.name: item.split for item in items if item.split is not None}
    rates = [float(str(row.extra["rate_hz"])) for row in annotations if row.extra.get("rate_hz")]
    meta = (
        dict(plan.meta)
        | {"joints": list(require_layout(plan.layout).joints)}
        | ({"terms": plan.said.terms} if plan.said.terms else {})
    )
    return SkeletonSet(
        name=plan.name,
        classes=classes,
        splits=divide(annotations, plan.rule, given, plan.splits),
        annotations=tuple(annotations),
        to_coco17=layout_map(require_layout(plan.layout), COCO17),
        rate_hz=plan.said.fps or (round(float(np.median(rates)), 3) if rates else None),
        meta=meta,
        layout=plan.layout,
    )


def distinct(sources: Sequence[Recording]) -> list[Recording]:
    """The same recordings; those of one name are told apart by their endings, else by the folders above."""
    names = {(source.path.absolute(), source.prefix): source.name for source in sources}
    for depth in range(max((len(path.parts) for path, _ in names), default=0) + 1):
        uses = Counter(names.values())
        clashing = {key: name for key, name in names.items() if uses[name] > 1}
        if not clashing:
            break
        names |= {(path, prefix): _longer(path, prefix, name, depth) for (path, prefix), name in clashing.items()}
    return [replace(source, name=names[source.path.absolute(), source.prefix]) for source in sources]


def named_apart(items: Sequence[Labelled]) -> list[Labelled]:
    """The same sequences; of those of one name, the second and later ones get a number."""
    names = _numbered([item.annotation.name for item in items])
    return [
        replace(item, annotation=replace(item.annotation, name=name)) for item, name in zip(items, names, strict=True)
    ]


def _numbered(names: Sequence[str]) -> list[str]:
    uses: Counter[str] = Counter()
    taken, found = set(names), []
    for name in names:
        uses[name] += 1
        fresh, number = name, uses[name]
        while number > 1 and fresh in taken:
            fresh, number = f"{name}~{number}", number + 1
        taken.add(fresh)
        found.append(fresh)
    return found


def _longer(path: Path, prefix: str, name: str, depth: int) -> str:
    if depth == 0:
        return name if prefix or not path.suffix else f"{name}{path.suffix}"
    folders = path.parts[-(name.count("/") + 2) : -(name.count("/") + 1)]
    return "/".join((*(part for part in folders if part != path.anchor), name))


def _classes(labels: Sequence[str]) -> tuple[str, ...]:
    """The names in order; whole numbers, as PYSKL's lists have them, are indexes of classes without names."""
    if labels and all(label.isdecimal() and len(label) < 6 for label in labels):
        return tuple(f"class_{index}" for index in range(max(map(int, labels)) + 1))
    return tuple(sorted(set(labels))) or ("unlabelled",)


def _index(item: Labelled, classes: Sequence[str]) -> int:
    label = item.label
    if label is None:
        return -1
    if label in classes:
        return classes.index(label)
    if label.isdecimal() and len(label) < 6 and int(label) < len(classes):
        return int(label)
    raise DatasetInvalid(
        f"{item.annotation.name}: label {label!r} is not among the {len(classes)} classes {', '.join(classes[:8])}, ..."
    )
