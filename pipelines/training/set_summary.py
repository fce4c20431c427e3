"""What is in a set: sequences, classes, splits, people, frames, rate, and what looks wrong about it."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pipelines.training.formats.splits import group_of
from pipelines.training.skeletons import Annotation, SkeletonSet

_ACROSS = re.compile(r"x(view|set)_train$")
"""Splits by cameras or rooms, in which people are on both sides."""
_METRES_MOST = 4.0
_NAMED = 3
_UNSEEN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class SetSummary:
    """What a set holds.

    classes: name → number of sequences. splits: name → number of sequences. frames: least, median and most of a
    sequence. persons: people per sequence → number of sequences. rate_hz, layout: None where not known.
    problems: what looks wrong or was taken for granted, one sentence each.
    """

    name: str
    sequences: int
    unlabelled: int
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    persons: Mapping[int, int]
    frames: tuple[int, int, int]
    joints: int | None
    dim: int | None
    layout: str | None
    rate_hz: float | None
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The same as JSON values."""
        return asdict(self)


def summarize(skeletons: SkeletonSet) -> SetSummary:
    """Look through a whole set."""
    rows = skeletons.annotations
    lengths = [row.keypoint.shape[1] for row in rows]
    labels = Counter(row.label for row in rows)
    return SetSummary(
        name=skeletons.name,
        sequences=len(rows),
        unlabelled=labels[-1],
        classes={name: labels[index] for index, name in enumerate(skeletons.classes)},
        splits={name: len(items) for name, items in skeletons.splits.items()},
        persons=dict(sorted(Counter(row.keypoint.shape[0] for row in rows).items())),
        frames=(min(lengths), int(np.median(lengths)), max(lengths)) if lengths else (0, 0, 0),
        joints=skeletons.num_joints,
        dim=skeletons.dim,
        layout=skeletons.layout,
        rate_hz=skeletons.rate_hz,
        problems=(*skeletons.notes, *_problems(skeletons)),
    )


def as_text(summary: SetSummary) -> str:
    """The summary as lines for a terminal."""
    least, median, most = summary.frames
    persons = ", ".join(f"{count} with {number}" for number, count in summary.persons.items())
    rate = f"{summary.rate_hz:g} frames per second" if summary.rate_hz else "rate unknown"
    lines = [
        f"{summary.name}: {summary.sequences} sequences, {summary.unlabelled} of them without a label",
        f"joints    {summary.joints} in {summary.dim}D, layout {summary.layout or 'unknown'}, {rate}",
        f"frames    {least} to {most}, median {median}",
        f"people    {persons or 'none'}",
        f"classes   {len(summary.classes)}",
        *(f"          {count:6d}  {name}" for name, count in summary.classes.items()),
        f"splits    {len(summary.splits)}",
        *(f"          {count:6d}  {name}" for name, count in summary.splits.items()),
        f"problems  {len(summary.problems) or 'none found'}",
        *(f"          - {problem}" for problem in summary.problems),
    ]
    return "\n".join(lines)


def _problems(skeletons: SkeletonSet) -> Iterator[str]:
    yield from _of_description(skeletons)
    yield from _of_splits(skeletons)
    yield from _of_sequences(skeletons.annotations)
    yield from _of_scale(skeletons)


def _of_description(skeletons: SkeletonSet) -> Iterator[str]:
    if not skeletons.annotations:
        yield "there are no sequences"
        return
    if skeletons.layout is None and skeletons.to_coco17 is None:
        yield f"which of its {skeletons.num_joints} joints is which is not known: say it by `layout` or `to_coco17`"
    if skeletons.rate_hz is None and not all(row.extra.get("rate_hz") for row in skeletons.annotations):
        yield "frames per second are not known: say them by `fps`"
    if skeletons.dim == 2 and any(
        row.shape_hw is None and np.abs(row.keypoint).max() > 2 for row in skeletons.annotations
    ):
        yield "the size of the pictures is not known (img_shape), by which 2D joints are normalised"
    used = {row.label for row in skeletons.annotations}
    empty = [name for index, name in enumerate(skeletons.classes) if index not in used]
    if empty and skeletons.classes != ("unlabelled",):
        yield f"{len(empty)} classes have no sequence: {_first(empty)}"


def _of_splits(skeletons: SkeletonSet) -> Iterator[str]:
    rows = {row.name: row for row in skeletons.annotations}
    for train, names in skeletons.splits.items():
        stem = train.removesuffix("train")
        if stem == train:
            continue
        for other in (f"{stem}{part}" for part in ("val", "test")):
            yield from _of_pair(rows, train, names, other, skeletons.splits.get(other, ()))
    yield from (f"the split {name} is empty" for name, items in skeletons.splits.items() if not items)
    if not any(name.endswith("train") for name in skeletons.splits):
        yield "no split to train with"


def _of_pair(
    rows: Mapping[str, Annotation], train: str, learnt: Sequence[str], test: str, measured: Sequence[str]
) -> Iterator[str]:
    both = sorted(set(learnt) & set(measured))
    if both:
        yield f"{len(both)} sequences are in {train} and in {test}: {_first(both)}"
    groups = {group_of(rows[name]) for name in learnt} & {group_of(rows[name]) for name in measured}
    if groups and not both and not _ACROSS.search(train):
        yield f"{len(groups)} people or videos are in {train} and in {test}: {_first(sorted(groups))}"
    unlearnt = {rows[name].label for name in measured} - {rows[name].label for name in learnt} - {-1}
    if unlearnt and measured:
        yield f"{len(unlearnt)} classes are in {test} and not in {train}"


def _of_sequences(rows: Sequence[Annotation]) -> Iterator[str]:
    seen: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        seen[hashlib.sha256(row.keypoint.tobytes()).hexdigest()].append(row.name)
    same = [names[1] for names in seen.values() if len(names) > 1]
    if same:
        yield f"{len(same)} sequences are there more than once: {_first(same)}"
    tests = (
        ("have a single frame", [row.name for row in rows if row.keypoint.shape[1] < 2]),
        ("never move", [row.name for row in rows if row.keypoint.shape[1] > 1 and not np.ptp(row.keypoint, 1).any()]),
        ("show nobody", [row.name for row in rows if not (row.score > 0).any()]),
        (
            "show their first person in less than half of the frames",
            [row.name for row in rows if 0 < (row.score[0] > 0).any(axis=-1).mean() < _UNSEEN_SHARE],
        ),
        (
            "have scores outside 0 to 1",
            [row.name for row in rows if row.score.min() < 0 or row.score.max() > 1],
        ),
        ("lie outside their picture", [row.name for row in rows if _is_outside(row)]),
    )
    yield from (f"{len(names)} sequences {what}: {_first(names)}" for what, names in tests if names)


def _is_outside(row: Annotation) -> bool:
    """Whether most seen joints lie outside the picture, or all in a corner of it as shares of the picture would."""
    seen = row.keypoint[row.score > 0]
    if row.shape_hw is None or row.keypoint.shape[-1] != 2 or not len(seen):
        return False
    height, width = row.shape_hw
    inside = (seen >= -1).all(axis=-1) & (seen[:, 0] <= width) & (seen[:, 1] <= height)
    return bool(inside.mean() < 0.5 or (np.abs(seen).max() <= 1.5 and min(height, width) > 8))


def _of_scale(skeletons: SkeletonSet) -> Iterator[str]:
    """A body of 3D sets spans one to two metres."""
    if skeletons.dim != 3:
        return
    spans = [
        float(np.ptp(row.keypoint[0, frame, row.score[0, frame] > 0], axis=0).max())
        for row in skeletons.annotations
        for frame in [row.keypoint.shape[1] // 2]
        if (row.score[0, frame] > 0).any()
    ]
    if spans and not 0.3 <= float(np.median(spans)) <= _METRES_MOST:
        yield f"bodies span {np.median(spans):.3g} units, which are no metres (`prepare --scale` puts BVH files right)"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
