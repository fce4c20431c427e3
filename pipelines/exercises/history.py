"""Keeps everybody's joints of a whole video, and counts their exercises at its end."""

from collections.abc import Mapping, Sequence

import numpy as np

from models.arrays import FloatArray
from pipelines.exercises.repetitions import Repetitions, count_repetitions
from pipelines.exercises.signals import ExerciseName
from pipelines.types import Poses


class JointHistory:
    """Joints by person, about 200 bytes a person and frame."""

    def __init__(self) -> None:
        self._rows: dict[int, list[tuple[float, FloatArray]]] = {}
        self._layout = "coco17"

    def add(self, poses: Poses) -> None:
        """Keep everybody of a frame; frames come in the order of their times."""
        self._layout = poses.layout
        for track_id, keypoints in zip(poses.track_id.tolist(), poses.keypoints, strict=True):
            self._rows.setdefault(track_id, []).append((poses.time_s, keypoints))

    def count(self, exercises: Sequence[ExerciseName]) -> Mapping[int, tuple[Repetitions, ...]]:
        """Track → what is counted of each exercise."""
        return {track_id: self._count(rows, exercises) for track_id, rows in self._rows.items()} if exercises else {}

    def _count(
        self, rows: list[tuple[float, FloatArray]], exercises: Sequence[ExerciseName]
    ) -> tuple[Repetitions, ...]:
        time_s: FloatArray = np.array([at_s for at_s, _ in rows])
        keypoints = np.stack([points for _, points in rows])
        return tuple(count_repetitions(name, time_s, keypoints, self._layout) for name in exercises)
