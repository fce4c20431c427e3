"""An evaluation on prepared tracks of video: right windows, and falls confirmed in time, by the stages that serve.

What a window shows is read off the track itself: a fall from onset to ground (12 and 88 % of the way of shoulders and
hips from standing to lying), bending by how far the shoulders came down. Windows between two truths are not judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.arrays import AnyArray
from models.runtime.action import ActionModel
from pipelines.stream.config import PipelineConfig
from pipelines.training.datasets import Annotation
from pipelines.training.replay import Replay, replay, times_of
from pipelines.training.transforms import TORSO, fill, find_fall

Story = Literal["fall", "pick_up"]
_SHOULDERS = TORSO[:2]


@dataclass(frozen=True, slots=True)
class Subject:
    """One track and what it shows: one label throughout, or a story that is read off the joints."""

    annotation: Annotation
    label: str


@dataclass(frozen=True, slots=True)
class FallTimes:
    """Media seconds at which a person began to fall and reached the ground."""

    onset_s: float
    ground_s: float


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """One judged window: what it shows, and the label that the model gave it."""

    track: str
    end_s: float
    truth: str
    label: str


def fall_times(annotation: Annotation) -> FallTimes | None:
    """When the person of a prepared track fell; None where nobody did."""
    times = times_of(annotation)
    joints = fill(annotation.keypoint[0], np.asarray(annotation.score[0] > 0))
    rate_hz = (len(times) - 1) / (times[-1] - times[0])
    fall = find_fall(joints, float(rate_hz))
    return None if fall is None else FallTimes(float(times[fall.onset]), float(times[fall.ground]))


def bent_times(annotation: Annotation) -> tuple[float, float] | None:
    """From when to when the shoulders were half way down or more; None where they never came down by half a torso."""
    times = times_of(annotation)
    joints = fill(annotation.keypoint[0], np.asarray(annotation.score[0] > 0))
    height = joints[:, _SHOULDERS, 1].mean(axis=1)
    top = np.quantile(height, 0.2)
    torso = np.median(np.abs(joints[:, TORSO[2:], 1].mean(axis=1) - height))
    if height.max() - top < 0.5 * torso:
        return None
    bent = np.flatnonzero(height > top + 0.5 * (height.max() - top))
    return float(times[bent[0]]), float(times[bent[-1]])


def truth_of(subject: Subject, window_s: float) -> "list[tuple[float, float, str]]":
    """(earliest end, latest end, label) of the windows that show something for certain."""
    times = times_of(subject.annotation)
    if subject.label == "fall":
        found = fall_times(subject.annotation)
        if found is None:
            return []
        return [
            (-np.inf, found.onset_s, "stand"),
            (found.ground_s, min(found.onset_s, found.ground_s - 0.5) + window_s, "fall"),
            (found.ground_s + window_s, np.inf, "lie"),
        ]
    if subject.label == "pick_up":
        bent = bent_times(subject.annotation)
        if bent is None:
            return []
        middle = sum(bent) / 2
        return [
            (-np.inf, bent[0] - 0.5, "stand"),
            (max(middle + 0.5, bent[1]), middle + window_s - 0.3, "pick_up"),
            (bent[1] + 0.7 + window_s, np.inf, "stand"),
        ]
    return [(-np.inf, float(times[-1]) + window_s, subject.label)]


def windows(subject: Subject, replayed: Replay, model: ActionModel) -> list[WindowAnswer]:
    """The judged windows of a track, each with the strongest label before smoothing."""
    spans = truth_of(subject, model.contract.window_s)
    answers = []
    for item in replayed.scores:
        if item.status in ("warming_up", "not_assessable"):
            continue
        for low, high, truth in spans:
            if low <= item.time_s <= high:
                label = model.labels[int(item.probabilities.argmax())]
                answers.append(WindowAnswer(subject.annotation.name, item.time_s, truth, label))
    return answers


@dataclass(frozen=True, slots=True)
class FallEvaluation:
    """Falls of one video. delay_s: confirmation after the ground, None where it never came; invented: other alarms."""

    video: str
    delay_s: float | None
    invented: tuple[float, ...]


def evaluate_falls(
    video: str, tracks: Sequence[Annotation], fall: FallTimes | None, model: ActionModel, config: PipelineConfig
) -> FallEvaluation:
    """Every confirmed fall of a video's tracks, counted as the one that happened or as invented.

    One that is confirmed from the onset to 3 s after the ground is the one that happened, the earliest counts.
    """
    moments = sorted(item.at_s for track in tracks for item in replay(track, model, config).confirmed("fall"))
    if fall is None:
        return FallEvaluation(video, None, tuple(moments))
    true = [at_s for at_s in moments if fall.onset_s <= at_s <= fall.ground_s + 3.0]
    invented = tuple(at_s for at_s in moments if at_s not in true)
    return FallEvaluation(video, true[0] - fall.ground_s if true else None, invented)


def share_right(answers: Sequence[WindowAnswer]) -> float:
    """Share of the windows labelled right, 0..1; nan without any."""
    right: AnyArray = np.array([item.truth == item.label for item in answers])
    return float(right.mean()) if len(right) else float("nan")
