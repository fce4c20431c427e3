"""What the manifest beside a folder of videos says is seen in them, as segments that prepared tracks are cut by.

A manifest is a JSON list; of each video it gives `file`, `label`, `licence` and, where known, `actor` (which of two
people acts: the one who is at the left or right when the clip begins), `segments_s` (names and seconds) and who it is
(`person`, `scene` or `room`). What its words mean stands in labels.toml under [words].
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.errors import ConfigInvalid
from pipelines.training.labels import FALL_INSIDE, SKIP, LabelTable
from pipelines.training.segments import LEAST_S, Side, VideoSegment, VideoSegments

OTHER = "other"
"""The word for the one of two people who does not act."""
_BEFORE_FALL_S = 1.0
"""People begin to lose balance before the second that a manifest calls the fall's first."""
_SIT_DOWN_S = 2.0
"""How long sitting down takes: a segment of sitting in a clip that shows it holds both."""


class ManifestRow(BaseModel):
    """What is said of one video; other keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    file: str
    label: str
    seconds: float = Field(gt=0)
    accept: tuple[str, ...] = ()
    licence: str = "not stated"
    actor: Literal["left", "right"] | None = None
    segments_s: tuple[tuple[str, str], ...] = ()
    person: str = ""
    scene: str = ""

    @property
    def name(self) -> str:
        """The video without its ending."""
        return Path(self.file).stem

    @property
    def who(self) -> str:
        """Whom it shows: the person, else the scene, else the sequence that its name tells, else the clip."""
        sequence = re.search(r"^(.+?)_.*(seq\d+)", self.name)
        found = self.person or self.scene or (f"{sequence[1]}-{sequence[2]}" if sequence else self.name)
        return re.sub(r"[^a-z0-9]+", "-", found.lower()).strip("-")


def load_manifest(path: Path) -> tuple[ManifestRow, ...]:
    """The rows that say what they show; raises ConfigInvalid."""
    try:
        raw = json.loads(path.read_text("utf-8"))
        return tuple(ManifestRow.model_validate(row) for row in raw if "label" in row)
    except (ValidationError, ValueError, OSError, TypeError) as cause:
        raise ConfigInvalid(f"{path}: is no manifest of videos: {str(cause).splitlines()[0]}") from cause


def manifest_segments(rows: Sequence[ManifestRow], table: LabelTable) -> dict[str, VideoSegments]:
    """Name of a video → what is seen in it; raises ConfigInvalid for a word that labels.toml does not know."""
    found = {row.name: VideoSegments(terms=row.licence, segments=tuple(_segments(row, table.words))) for row in rows}
    return {name: video for name, video in found.items() if video.segments}


def _segments(row: ManifestRow, words: Mapping[str, str]) -> Iterator[VideoSegment]:
    timed = list(_timed(row, words))
    label = _meaning(row, row.label, words)
    if label not in {shows for shows, _, _ in timed}:
        # A label without a time of its own is what is seen before the first named segment, or all along.
        end_s = min((from_s for _, from_s, _ in timed), default=row.seconds)
        timed.append((label, 0.0, end_s if end_s > LEAST_S else row.seconds))
    for shows, from_s, to_s in timed:
        if shows == SKIP or to_s - from_s < LEAST_S:
            continue
        yield VideoSegment(who=row.who, shows=shows, from_s=from_s, to_s=to_s, side=row.actor)
        if row.actor is not None:
            rest: Side = "not-left" if row.actor == "left" else "not-right"
            shown = _meaning(row, OTHER, words)
            yield VideoSegment(who=row.who, shows=shown, from_s=from_s, to_s=to_s, side=rest)


def _timed(row: ManifestRow, words: Mapping[str, str]) -> Iterator[tuple[str, float, float]]:
    """(meaning, first, last second) of the named segments; their times read `0 to 0.3; 1.5 to 2.2`."""
    for word, times in row.segments_s:
        shows = _meaning(row, word, words)
        for part in times.split(";"):
            from_s, to_s = (float(value) for value in part.split(" to "))
            if shows == FALL_INSIDE:
                from_s, to_s = max(from_s - _BEFORE_FALL_S, 0.0), row.seconds
            elif shows == "sitting" and row.label == "sit_down":
                yield "sit_down", max(from_s - 0.5, 0.0), from_s + _SIT_DOWN_S
                from_s += _SIT_DOWN_S
            if shows != SKIP:
                yield shows, from_s, min(to_s, row.seconds)


def _meaning(row: ManifestRow, word: str, words: Mapping[str, str]) -> str:
    if word not in words:
        raise ConfigInvalid(f"labels.toml: [words] lacks {word!r}, which the manifest says of {row.file}")
    return words[word]
