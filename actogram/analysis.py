"""A whole video: who was there, what they did when, and their joints as arrays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from actogram.loading import Choice, require_networks
from models.arrays import FloatArray
from pipelines.exercises.angles import joint_angles
from pipelines.exercises.repetitions import Repetitions, count_repetitions
from pipelines.exercises.signals import ExerciseName
from pipelines.results import ActionSpan, Header, JsonObject, PersonTimeline, RunStats, Summary, summary_object
from pipelines.stream.analyze import FILE_RATE_HZ, Run, Sink
from pipelines.stream.analyze import analyze as run_analysis
from pipelines.stream.build import Networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.interpolate import ENOUGH_HZ
from pipelines.stream.sinks import VideoSink
from pipelines.stream.sources import FileSource
from pipelines.types import Event, FrameResult

if TYPE_CHECKING:
    import pandas

    from actogram.supervision import SupervisionFrame

COLUMNS = ("track_id", "action", "start_s", "end_s", "duration_s", "score")


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One person's joints over time.

    time_s:    (T,) float64, media seconds of the frames in which the person was seen.
    keypoints: (T, V, 3) float32, x and y in pixels of the video and score 0..1, in the order of `layout`.
    action:    (T,) what the timeline says of each frame; None where it names nothing.
    xyxy:      (T, 4) float32, the person's box in pixels.
    score:     (T,) float32, 0..1, how sure it is that this is a person.
    """

    time_s: FloatArray
    keypoints: FloatArray
    action: tuple[str | None, ...]
    layout: str
    xyxy: FloatArray = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    score: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class Analysis:
    """What was found in a video.

    people: in order of appearance, each with their actions in order of time. size_wh: pixels. stats: what it took.
    """

    source: str
    duration_s: float
    size_wh: tuple[int, int]
    labels: tuple[str, ...]
    people: tuple[PersonTimeline, ...]
    stats: RunStats
    _summary: Summary = field(repr=False)
    _skeletons: "dict[int, Skeleton]" = field(repr=False, default_factory=dict)

    @property
    def actions(self) -> tuple[tuple[int, ActionSpan], ...]:
        """Everybody's actions with the person's number, by onset."""
        every = [(person.track_id, one) for person in self.people for one in person.actions]
        return tuple(sorted(every, key=lambda item: (item[1].start_s, item[0])))

    def skeleton(self, track_id: int) -> Skeleton:
        """One person's joints. Raises KeyError for somebody who is not there, or where `skeletons=False` was asked."""
        return self._skeletons[track_id]

    def angles(self, track_id: int) -> Mapping[str, FloatArray]:
        """One person's joint angles: name → (T,) degrees at the seconds of their skeleton.

        NaN where joints were not seen. Raises KeyError as `skeleton` does.
        """
        known = self.skeleton(track_id)
        return joint_angles(known.keypoints, known.layout)

    def repetitions(self, exercise: ExerciseName) -> Mapping[int, Repetitions]:
        """Person → what they did of an exercise: "squat", "sit_to_stand", "arm_raise", "jump"."""
        return {
            track_id: count_repetitions(exercise, one.time_s, one.keypoints, one.layout)
            for track_id, one in self._skeletons.items()
        }

    def to_supervision(self) -> "Iterator[SupervisionFrame]":
        """Every frame in which somebody is, as values of the package `supervision`, which must be installed."""
        from actogram.supervision import frames_of

        return frames_of(self.labels, self._skeletons)

    def to_dict(self) -> JsonObject:
        """The JSON object of docs/results.md."""
        return summary_object(self._summary)

    def to_pandas(self) -> "pandas.DataFrame":
        """A row per action, with the columns track_id, action, start_s, end_s, duration_s, score. Needs pandas."""
        import pandas as pd

        rows = [
            (track_id, one.action, one.start_s, one.end_s, one.end_s - one.start_s, one.score)
            for track_id, one in self.actions
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def analyze(
    video: str | Path,
    *,
    choice: Choice | Networks | None = None,
    skeletons: bool = True,
    annotated: str | Path | None = None,
    every_frame: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Analysis:
    """Who does what, when, in a video file.

    choice: which networks, or loaded ones; the default ones where left out. skeletons: keep everybody's joints, 200
    bytes a person and frame. annotated: write a video with everybody drawn to this file. every_frame: run the networks
    on every frame, not on 14 a second with joints interpolated between. on_progress: gets percent now and then.
    Raises SourceError for a file that is no readable video, and ModelError where networks cannot be had.
    """
    path = Path(video)

    def tell(frames: int, percent: float | None, fps: float, eta_s: float | None) -> None:  # noqa: ARG001
        if on_progress is not None and percent is not None:
            on_progress(percent)

    keeper = _Keeper()
    sinks: list[Sink] = [keeper] if skeletons else []
    if annotated is not None:
        sinks.append(VideoSink(Path(annotated)))
    with FileSource(path, rate_hz=FILE_RATE_HZ) as source:
        networks = require_networks(choice)
        run = Run(path.name, on_progress=tell, enough_hz=None if every_frame else ENOUGH_HZ)
        summary = run_analysis(source, networks, PipelineConfig(), sinks, run)
    header = summary.header
    return Analysis(
        header.source, summary.duration_s, header.size_wh, header.labels, summary.tracks, summary.stats, summary,
        keeper.skeletons(header.layout),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Row:
    """One person in one frame."""

    time_s: float
    keypoints: FloatArray
    xyxy: FloatArray
    score: float
    action: str | None


class _Keeper:
    """A sink that keeps joints."""

    wants_pictures = False

    def __init__(self) -> None:
        self._rows: dict[int, list[_Row]] = {}

    def open(self, header: Header) -> None:
        """Nothing to begin."""

    def write(self, result: FrameResult) -> None:
        """Keep everybody of a frame."""
        poses = result.poses
        for row, (track_id, state) in enumerate(zip(poses.track_id.tolist(), result.states, strict=True)):
            own = _Row(
                result.frame.time_s, poses.keypoints[row], poses.xyxy[row], float(poses.score[row]), state.action
            )
            self._rows.setdefault(track_id, []).append(own)

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        """Nothing to end."""

    def abort(self) -> None:
        """Nothing was written."""

    def skeletons(self, layout: str) -> dict[int, Skeleton]:
        """Everybody's joints as arrays."""
        return {track_id: _skeleton(rows, layout) for track_id, rows in self._rows.items()}


def _skeleton(rows: "Sequence[_Row]", layout: str) -> Skeleton:
    return Skeleton(
        np.array([row.time_s for row in rows], np.float64),
        np.stack([row.keypoints for row in rows]).astype(np.float32),
        tuple(row.action for row in rows),
        layout,
        np.stack([row.xyxy for row in rows]).astype(np.float32),
        np.array([row.score for row in rows], np.float32),
    )
