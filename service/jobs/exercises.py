"""Exercises of one job's people, counted from the joints in its results when somebody asks."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, JsonValue

from models.arrays import FloatArray
from models.skeleton.layouts import LAYOUTS
from pipelines.exercises.angles import joint_angles
from pipelines.exercises.repetitions import Repetitions, count_repetitions
from pipelines.exercises.signals import ExerciseName
from service.blob_store import RemoteBlob, lines, pieces
from service.errors import NotReady

_POINTS_MAX = 2000


class RepetitionRead(BaseModel):
    """One repetition, media seconds."""

    start_s: float
    turn_s: float = Field(description="When it was at its lowest, or its highest.")
    end_s: float
    swing: float = Field(description="How far it went, in the unit of the curve.")


class PersonExercise(BaseModel):
    """What one person did of the exercise."""

    track_id: int
    number: int = Field(description="The number under which the person is shown.")
    status: str = Field(description="`assessed` or `not_assessable`.")
    reason: str | None = Field(description="Why not: `joints_unseen`, `low_fps`, `too_short`.")
    count: int | None = Field(description="Repetitions; null where they cannot be told.")
    repetitions: list[RepetitionRead]
    time_s: list[float] = Field(description=f"Of the points of the curve and the angles; at most {_POINTS_MAX}.")
    curve: list[float | None] = Field(description="What goes up and down, in lengths of the body; null: not seen.")
    angles: dict[str, list[float | None]] = Field(
        description="Angle of a joint → degrees, in the plane of the picture."
    )


class ExercisesRead(BaseModel):
    """One exercise, counted for everybody in a video."""

    exercise: ExerciseName
    people: list[PersonExercise]


def read_exercises(results: Path | RemoteBlob, timeline: Path | RemoteBlob, exercise: ExerciseName) -> ExercisesRead:
    """Count from a job's files; raises NotReady for results that an earlier version wrote without joints."""
    numbers = {
        int(track["track_id"]): int(track.get("number", track["track_id"]))
        for track in json.loads(b"".join(pieces(timeline))).get("tracks", [])
    }
    layout, people = _joints(results)
    if layout not in LAYOUTS:
        raise NotReady(f"the results hold joints of the layout {layout[:64]!r}, which is not known here")
    found = [
        _person(
            track_id, numbers.get(track_id, track_id), count_repetitions(exercise, *arrays, layout), arrays[1], layout
        )
        for track_id, arrays in sorted(people.items())
    ]
    return ExercisesRead(exercise=exercise, people=sorted(found, key=lambda one: one.number))


def _joints(results: Path | RemoteBlob) -> tuple[str, Mapping[int, tuple[FloatArray, FloatArray]]]:
    """The layout, and person → (T,) seconds and (T, V, 3) pixels and score."""
    layout, size_wh = "", (1.0, 1.0)
    rows: dict[int, list[tuple[float, FloatArray]]] = {}
    for line in _lines(results):
        if line.get("type") == "source":
            layout, size_wh = str(line.get("layout", "")), _size(line.get("frame_size"))
        persons = line.get("persons")
        for person in persons if line.get("type") == "frame" and isinstance(persons, list) else ():
            assert isinstance(person, dict)
            points = np.array(person["keypoints"], np.float32)
            points[:, :2] *= np.array(size_wh, np.float32)
            rows.setdefault(int(str(person["track_id"])), []).append((float(str(line["media_time_s"])), points))
    return layout, {
        track_id: (np.array([at_s for at_s, _ in own]), np.stack([points for _, points in own]))
        for track_id, own in rows.items()
    }


def _lines(results: Path | RemoteBlob) -> Iterator[dict[str, JsonValue]]:
    for text in lines(results):
        if '"source"' in text or '"persons"' in text:
            line: dict[str, JsonValue] = json.loads(text)
            yield line


def _size(found: JsonValue) -> tuple[float, float]:
    assert isinstance(found, list)
    return float(str(found[0])), float(str(found[1]))


def _person(track_id: int, number: int, found: Repetitions, keypoints: FloatArray, layout: str) -> PersonExercise:
    step = -(-len(found.time_s) // _POINTS_MAX) or 1
    angles = joint_angles(keypoints[::step], layout)
    return PersonExercise(
        track_id=track_id, number=number, status=found.status, reason=found.reason, count=found.count,
        repetitions=[
            RepetitionRead(start_s=one.start_s, turn_s=one.turn_s, end_s=one.end_s, swing=one.swing)
            for one in found.repetitions
        ],
        time_s=np.round(found.time_s[::step], 3).tolist(), curve=_plain(found.curve[::step], 3),
        angles={name: _plain(values, 1) for name, values in angles.items()},
    )  # fmt: skip


def _plain(values: FloatArray, digits: int) -> list[float | None]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]
