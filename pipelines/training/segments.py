"""What is seen in which part of a video, written down by somebody who looked; prepared tracks are cut by it."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, cast

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from models.arrays import AnyArray
from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.config import Section
from pipelines.training.datasets import Annotation, SkeletonSet
from pipelines.training.labels import SKIP, load_labels

EVERYDAY = "everyday"
"""The segments of the public clips that the everyday recipe can learn from."""
_EVERYDAY_FILE = Path(__file__).with_name("segments.toml")
# Other sets hold one action of a few seconds per sequence: a long stretch counts as often as it is long.
_PIECE_S = 4.0
LEAST_S = 0.7
"""Shorter stretches are not used."""
# Who comes back after longer may be somebody else.
_LOST_S = 0.5
_MARGIN = 0.1

# Who stands behind is smaller than those whom a clip is about.
_NEAR_SHARE = 0.6

Side = Literal["left", "right", "not-left", "not-right"]
"""Of the people who are seen when the segment begins: the one at an end, or everyone else."""
_Share = Annotated[float, Field(ge=0, le=1)]


class VideoSegment(Section):
    """A stretch of a video in which one person, or everyone in the picture, does one thing."""

    who: str = Field(pattern=r"^[a-z0-9-]+$", description="Whom it shows; people are never on both sides of a choice.")
    shows: str = Field(description="A label, `!fall` (no fall, whatever else) or `@fall` (a fall somewhere inside).")
    from_s: float = Field(ge=0, description="Media time, seconds.")
    to_s: float = Field(description="Media time, seconds.")
    at: tuple[_Share, _Share] | None = Field(
        default=None, description="A point on the person half way through, shares of width and height; none: everyone."
    )
    side: Side | None = Field(default=None, description="Who of those seen at the clip's start; none: everyone.")

    @model_validator(mode="after")
    def _ordered(self) -> "VideoSegment":
        if self.to_s - self.from_s < LEAST_S:
            raise ValueError(f"from_s to to_s is {self.to_s - self.from_s:.2f} s, expected {LEAST_S} s or more")
        return self


class VideoSegments(Section):
    """What is seen in one video. terms: what its owner allows, for the card of a model that learns from it."""

    terms: str = "not stated"
    segments: tuple[VideoSegment, ...]


SegmentTable = Mapping[str, VideoSegments]
"""Name of a video without its ending, or its path below the folder that was given → what is seen in it."""


def load_segments(name: str) -> SegmentTable:
    """The segments of a TOML file, those of the public clips (`everyday`), or what a manifest (.json) says.

    Raises ConfigInvalid.
    """
    if name.endswith(".json"):
        from pipelines.training.manifest import load_manifest, manifest_segments

        return manifest_segments(load_manifest(Path(name)), load_labels())
    path = _EVERYDAY_FILE if name == EVERYDAY else Path(name)
    try:
        table = TypeAdapter(dict[str, VideoSegments]).validate_python(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigInvalid(f"{path.name}: {where}: {first['msg']} (got {first.get('input')!r})") from cause
    except (OSError, ValueError) as cause:
        raise ConfigInvalid(f"{path}: {cause}") from cause
    labels = load_labels()
    said = {segment.shows for video in table.values() for segment in video.segments}
    strange = sorted(word for word in said if word == SKIP or not labels.is_meaning(word))
    if strange:
        raise ConfigInvalid(
            f"{path.name}: shows {strange}, expected `@fall`, `?`, what it is not (`!fall !strike`), or one of "
            f"{', '.join(labels.labels)}"
        )
    return table


def cut_segments(skeletons: SkeletonSet, table: SegmentTable) -> SkeletonSet:
    """The pieces of prepared tracks that show something known: class, person, and the terms of every video used.

    All of it is for learning: `train` names every piece and `test` none.
    """
    classes = tuple(sorted({segment.shows for video in table.values() for segment in video.segments}))
    pieces = [
        piece
        for video, rows in table.items()
        for segment in rows.segments
        for track in _shown(_tracks(skeletons, video), segment)
        for piece in _pieces(track, segment, classes.index(segment.shows))
    ]
    videos = sorted({str(piece.extra["video"]) for piece in pieces})
    return replace(
        skeletons,
        classes=classes,
        splits={"train": tuple(piece.name for piece in pieces), "test": ()},
        annotations=tuple(pieces),
        meta=dict(skeletons.meta) | {"terms": {video: _rows(table, video).terms for video in videos}},
    )


def find_segments(table: SegmentTable, video: str) -> VideoSegments | None:
    """What is seen in a video: by its path, else by its own name; None where the table does not name it."""
    return table.get(video) or table.get(video.rsplit("/", 1)[-1])


def _rows(table: SegmentTable, video: str) -> VideoSegments:
    found = find_segments(table, video)
    assert found is not None
    return found


def _tracks(skeletons: SkeletonSet, video: str) -> list[Annotation]:
    """Everyone in a video. Raises DatasetInvalid where several videos have the name by which the table knows it."""
    names = {str(item.extra["video"]) for item in skeletons.annotations}
    matching = sorted(name for name in names if video in (name, name.rsplit("/", 1)[-1]))
    if video not in matching and len(matching) > 1:
        raise DatasetInvalid(f"segments of {video!r}: {' and '.join(matching)} are called so; name them by their paths")
    chosen = video if video in matching else next(iter(matching), None)
    return [item for item in skeletons.annotations if item.extra["video"] == chosen]


def _times(track: Annotation) -> AnyArray:
    return np.asarray(cast("AnyArray", track.extra["time_s"]), np.float64)


def _shown(tracks: list[Annotation], segment: VideoSegment) -> list[Annotation]:
    """Everyone, or the one whose body covers the segment's point half way through, or those on one side."""
    if segment.side is not None:
        return on_side(tracks, segment.side)
    if segment.at is None:
        return tracks
    found = [(far, index) for index, track in enumerate(tracks) if (far := _distance(track, segment)) is not None]
    return [tracks[min(found)[1]]] if found else []


def on_side(tracks: Sequence[Annotation], side: Side) -> list[Annotation]:
    """The leftmost or the rightmost of those near the camera when the first of them comes into sight, or the others."""
    start_s = min((float(_times(track)[0]) for track in tracks), default=0.0)
    there = [track for track in tracks if _times(track)[0] <= start_s + LEAST_S]
    most = max((_height(track) for track in there), default=0.0)
    near = sorted((track for track in there if _height(track) >= _NEAR_SHARE * most), key=_first_x)
    if not near:
        return []
    actor = near[0] if side.endswith("left") else near[-1]
    return [track for track in near if (track is actor) != side.startswith("not")]


def _first_x(track: Annotation) -> float:
    """Where the middle of the body is at first, pixels."""
    seen = track.score[0] > 0
    first = int(seen.any(axis=-1).argmax())
    return float(track.keypoint[0, first, seen[first], 0].mean())


def _height(track: Annotation) -> float:
    """The usual height of a body's joints, pixels."""
    seen = (track.score[0] > 0).any(axis=-1)
    return float(np.median(np.ptp(track.keypoint[0, seen][..., 1], axis=1))) if seen.any() else 0.0


def _distance(track: Annotation, segment: VideoSegment) -> float | None:
    """From the middle of the person's box to the point, pixels; None where the box does not cover it then."""
    middle_s, times = (segment.from_s + segment.to_s) / 2, _times(track)
    frame = int(np.abs(times - middle_s).argmin())
    seen = track.score[0, frame] > 0
    if abs(times[frame] - middle_s) > LEAST_S / 2 or not seen.any() or segment.at is None or track.shape_hw is None:
        return None
    joints = track.keypoint[0, frame, seen]
    low, high = joints.min(axis=0), joints.max(axis=0)
    margin = _MARGIN * (high - low)
    point = np.array(segment.at) * track.shape_hw[::-1]
    if (point < low - margin).any() or (point > high + margin).any():
        return None
    return float(np.linalg.norm((low + high) / 2 - point))


def _pieces(track: Annotation, segment: VideoSegment, label: int) -> Iterator[Annotation]:
    """The segment's part of a track, cut where the person was lost for a while; long stretches in several."""
    times = _times(track)
    inside = (times >= segment.from_s) & (times <= segment.to_s) & (track.score[0] > 0).any(axis=-1)
    frames = np.flatnonzero(inside)
    for run in np.split(frames, np.flatnonzero(np.diff(times[frames]) > _LOST_S) + 1):
        if not len(run) or times[run[-1]] - times[run[0]] < LEAST_S:
            continue
        count = max(1, round((times[run[-1]] - times[run[0]]) / _PIECE_S))
        for part in np.array_split(np.arange(run[0], run[-1] + 1), count):
            yield Annotation(
                f"{track.name}@{times[part[0]]:.2f}",
                label,
                track.keypoint[:, part],
                track.score[:, part],
                track.shape_hw,
                dict(track.extra) | {"time_s": times[part].astype(np.float32), "person": segment.who},
            )
