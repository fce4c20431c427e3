"""What is seen in the videos of an examination: which actions when, by whom, and what may be said besides.

Two forms are read: a TOML file as tests/bench/first_path.toml, and the manifest.json beside a folder of videos.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigInvalid
from pipelines.training.labels import FALL_INSIDE, LabelTable, taught_label
from pipelines.training.manifest import ManifestRow, load_manifest, manifest_segments
from pipelines.training.segments import Side

LATE_S = 1.5
"""An event may be confirmed so long after what it shows has ended."""
LATE_FALL_S = 3.0
"""The same after a body reached the ground."""
ALWAYS = frozenset({"stand", "walk"})
"""What anyone in a clip with several people does besides."""
AFTER_FALL = frozenset({"lie"})


@dataclass(frozen=True, slots=True)
class Expected:
    """Something that is seen: one of `actions`, from `from_s` to `to_s`, by whoever stands at `side`; None: anyone.

    ground_s: when a falling body reached the ground; its confirmation is timed from there.
    """

    actions: tuple[str, ...]
    from_s: float
    to_s: float
    side: Side | None = None
    ground_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClipTruth:
    """One video. allowed: what may be said besides, by whoever acts; of the others only ALWAYS."""

    expected: tuple[Expected, ...]
    allowed: frozenset[str]
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of videos, by name; a name of a TOML file holds for all that begin with it, the longest counts.

    besides: end of a name → what somebody else does in such videos, and may be said.
    """

    exact: Mapping[str, ClipTruth] = field(default_factory=dict)
    groups: Mapping[str, ClipTruth] = field(default_factory=dict)
    besides: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, name: str) -> ClipTruth | None:
        """Of one video, by its name without folder and ending; None where nothing is known of it."""
        if name in self.exact:
            return self.exact[name]
        fitting = [group for group in self.groups if name.startswith(group)]
        if not fitting:
            return None
        found = self.groups[max(fitting, key=len)]
        more = [actions for end, actions in self.besides.items() if name.endswith(end)]
        return replace(found, allowed=found.allowed.union(*more))


def load_truth(paths: Sequence[Path], table: LabelTable) -> Truth:
    """What all these files say; raises ConfigInvalid for one that is neither form."""
    exact: dict[str, ClipTruth] = {}
    groups: dict[str, ClipTruth] = {}
    besides: dict[str, frozenset[str]] = {}
    for path in paths:
        if path.suffix == ".json":
            exact |= {row.name: _of_row(row, table) for row in load_manifest(path)}
        else:
            said, others = _of_toml(path)
            groups, besides = groups | said, besides | others
    return Truth(exact, groups, besides)


def _of_toml(path: Path) -> tuple[dict[str, ClipTruth], dict[str, frozenset[str]]]:
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
        others = {end: frozenset(actions) for end, actions in raw.get("bystanders", {}).items()}
        return {name: _of_group(row) for name, row in raw["clips"].items()}, others
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as cause:
        raise ConfigInvalid(f"{path}: says of no clip what is seen in it: {cause!r}") from cause


def _of_group(row: Mapping[str, Any]) -> ClipTruth:
    falls = [
        Expected(("fall",), onset, ground + LATE_FALL_S - LATE_S, None, ground)
        for onset, ground in row.get("falls", ())
    ]
    named = [(action,) for action in row.get("expected", ()) if action != "fall"]
    named += [tuple(row["any_of"])] if row.get("any_of") else []
    expected = [*falls, *(Expected(actions, 0.0, float("inf")) for actions in named)]
    allowed = {action for item in expected for action in item.actions} | set(row.get("allowed", ()))
    return ClipTruth(tuple(expected), frozenset(allowed | (AFTER_FALL if falls else set())))


def _of_row(row: ManifestRow, table: LabelTable) -> ClipTruth:
    """A strike somewhere in the clip by the one who acts; timed segments; any of `accept` for a fight."""
    found = manifest_segments([row], table).get(row.name)
    segments = found.segments if found is not None else ()
    expected = []
    for item in segments:
        label = "fall" if item.shows == FALL_INSIDE else taught_label(item.shows)
        if label is not None and (label != "fall" or row.label == "fall"):
            expected.append(Expected((label,), item.from_s, item.to_s, item.side))
    if not expected and row.label == "fight":
        expected.append(Expected(row.accept, 0.0, row.seconds))
    said = {action for item in expected for action in item.actions}
    allowed = said | set(row.accept) | (ALWAYS if row.actor or row.label not in table.labels else set())
    return ClipTruth(tuple(expected), frozenset(allowed | (AFTER_FALL if "fall" in said else set())), row.actor)
