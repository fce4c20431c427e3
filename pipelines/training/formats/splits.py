"""Which sequences a set is trained on and which it is measured on: as given, by subjects or by a share."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.errors import ConfigInvalid
from pipelines.training.skeletons import Annotation

DEFAULT_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How a set is divided.

    kind:     `given` by the list or the folders; `subjects`: those named learn, the others are measured on; `share`:
              so large a part of the groups learns; `auto`: what is given, else a share; `none`: it is not divided.
    """

    kind: str = "auto"
    subjects: frozenset[str] = frozenset()
    share: float = DEFAULT_SHARE
    seed: int = 0


def parse_rule(text: str, seed: int) -> SplitRule:
    """`auto`, `none`, `csv`, `folders`, `subjects:anna,ben` or `share:0.8`; raises ConfigInvalid."""
    kind, _, rest = text.partition(":")
    if kind in ("auto", "none") and not rest:
        return SplitRule(kind, seed=seed)
    if kind in ("csv", "list", "folders", "given") and not rest:
        return SplitRule("given", seed=seed)
    if kind in ("subject", "subjects"):
        names = frozenset(name.strip() for name in rest.split(",") if name.strip())
        if names:
            return SplitRule("subjects", names, seed=seed)
    if kind == "share" and re.fullmatch(r"0?\.\d+", rest) and float(rest) > 0:
        return SplitRule("share", share=float(rest), seed=seed)
    raise ConfigInvalid(
        f"split {text!r}: expected auto, none, csv, folders, subjects:NAME,NAME or share:0.8 (above 0, below 1)"
    )


def divide(
    annotations: Sequence[Annotation],
    rule: SplitRule,
    given: Mapping[str, str],
    official: Mapping[str, tuple[str, ...]],
) -> dict[str, tuple[str, ...]]:
    """Split name → names of sequences; every sequence of one subject, or of one video, is on one side.

    given: name → train, val or test. official: splits of a public set, which stay. Raises ConfigInvalid.
    """
    names = tuple(annotation.name for annotation in annotations)
    if rule.kind == "none" or not any(annotation.label >= 0 for annotation in annotations):
        return dict(official) or {"all": names}
    if rule.kind == "subjects":
        return dict(official) | _by_subjects(annotations, rule.subjects)
    if rule.kind == "given" or (rule.kind == "auto" and given):
        return dict(official) | _as_given(names, given)
    if rule.kind == "auto" and official:
        return dict(official)
    return dict(official) | _by_share(annotations, rule)


def group_of(annotation: Annotation) -> str:
    """Who must not be on both sides: the subject where it is known, else the video, else the sequence alone."""
    for key in ("subject", "person", "video"):
        if annotation.extra.get(key) is not None:
            return f"{key} {annotation.extra[key]}"
    return f"sequence {annotation.name}"


def _as_given(names: Sequence[str], given: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    if not given:
        raise ConfigInvalid("neither a column `split` nor folders called train, val or test say how to divide the set")
    parts = [part for part in ("train", "val", "test") if part in given.values()]
    if "train" not in parts:
        raise ConfigInvalid(f"the list and the folders put nothing into train, only into {', '.join(parts)}")
    found = {part: tuple(name for name in names if given.get(name) == part) for part in parts}
    # Recipes report on `test`: where nothing is called so, that is what the others call `val`.
    return found if "test" in found or "val" not in found else found | {"test": found["val"]}


def _by_subjects(annotations: Sequence[Annotation], subjects: frozenset[str]) -> dict[str, tuple[str, ...]]:
    known = {str(row.extra["subject"]) for row in annotations if row.extra.get("subject") is not None}
    strange = sorted(subjects - known)
    if strange:
        there = ", ".join(sorted(known)) or "none are known (a column `subject` names them)"
        raise ConfigInvalid(f"split names subject {strange[0]!r}; subjects: {there}")
    is_train = {row.name: str(row.extra.get("subject")) in subjects for row in annotations}
    return _two(annotations, is_train)


def _by_share(annotations: Sequence[Annotation], rule: SplitRule) -> dict[str, tuple[str, ...]]:
    """In an order made of seed and group; every class is on both sides where two groups show it."""
    groups: dict[tuple[int, ...], set[str]] = defaultdict(set)
    labels: dict[str, set[int]] = defaultdict(set)
    for row in annotations:
        labels[group_of(row)].add(row.label)
    for group, found in labels.items():
        groups[tuple(sorted(found))].add(group)
    train: set[str] = set()
    for members in groups.values():
        ordered = sorted(members, key=lambda group: hashlib.sha256(f"{rule.seed} {group}".encode()).digest())
        count = round(rule.share * len(ordered))
        train |= set(ordered[: min(max(count, 1), len(ordered) - 1) if len(ordered) > 1 else 1])
    return _two(annotations, {row.name: group_of(row) in train for row in annotations})


def _two(annotations: Sequence[Annotation], is_train: Mapping[str, bool]) -> dict[str, tuple[str, ...]]:
    names = [annotation.name for annotation in annotations]
    return {
        "train": tuple(name for name in names if is_train[name]),
        "test": tuple(name for name in names if not is_train[name]),
    }
