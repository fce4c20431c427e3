"""Prepared tracks through the action chain that serves: what the product would have said of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from models.arrays import AnyArray
from models.runtime.action import ActionModel
from pipelines.errors import DatasetInvalid
from pipelines.stream.actions.chain import ActionChain
from pipelines.stream.build import build_actions
from pipelines.stream.config import PipelineConfig
from pipelines.training.datasets import Annotation
from pipelines.types import ActionScores, Event, Poses


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """One event as it stood. at_s: media time at which that became known."""

    at_s: float
    event: Event


@dataclass(frozen=True, slots=True)
class Replay:
    """What was said of one track.

    scores: the model's answer to each window, before smoothing. events: every change of an event. flips: how often
    what is shown of the person was replaced by another action.
    """

    scores: tuple[ActionScores, ...]
    events: tuple[TimedEvent, ...]
    flips: int = 0

    def confirmed(self, action: str) -> list[TimedEvent]:
        """The moments at which an event of this action was confirmed, first mention only."""
        first: dict[str, TimedEvent] = {}
        for item in self.events:
            if item.event.action == action and item.event.state in ("confirmed", "ended"):
                first.setdefault(item.event.event_id, item)
        return list(first.values())


def replay(annotation: Annotation, model: ActionModel, config: PipelineConfig) -> Replay:
    """Run one prepared track through the stages that serve, frame by frame."""
    return _run(annotation, build_actions(model, config, annotation.name))


def _run(annotation: Annotation, chain: ActionChain) -> Replay:
    scores: list[ActionScores] = []
    events: list[TimedEvent] = []
    time_s = 0.0
    for poses in _iter_poses(annotation):
        time_s = poses.time_s
        actions = chain(poses)
        scores += actions.raw
        events += [TimedEvent(time_s, event) for event in actions.events]
    events += [TimedEvent(time_s, event) for event in chain.finish()]
    return Replay(tuple(scores), tuple(events), chain.label_flips)


def times_of(annotation: Annotation) -> AnyArray:
    """(T,) seconds of the frames of a prepared track; raises DatasetInvalid for one not made from video."""
    times = annotation.extra.get("time_s")
    if times is None:
        raise DatasetInvalid(f"{annotation.name}: no `time_s`; only sets made by `actogram prepare` can be replayed")
    return np.asarray(cast("AnyArray", times), np.float64)


def _iter_poses(annotation: Annotation) -> Iterator[Poses]:
    keypoints = np.concatenate([annotation.keypoint[0], annotation.score[0][..., None]], axis=-1)
    height, width = annotation.shape_hw or (480, 640)
    nobody = (np.zeros(0, np.int64), np.zeros((0, keypoints.shape[1], 3), np.float32), np.zeros((0, 4), np.float32))
    for index, time_s in enumerate(times_of(annotation)):
        joints = keypoints[index]
        seen = joints[:, 2] > 0
        ids, points, boxes = nobody
        if seen.any():
            low, high = joints[seen, :2].min(axis=0), joints[seen, :2].max(axis=0)
            ids, points = np.array([1]), joints[None].astype(np.float32)
            boxes = np.concatenate([low, high])[None].astype(np.float32)
        score = np.ones(len(ids), np.float32)
        yield Poses(index, float(time_s), (width, height), ids, points, boxes, score, (None,) * len(ids))
