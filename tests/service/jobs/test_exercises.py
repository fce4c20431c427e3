"""Exercises of a job are counted from the joints in its results, as the command counts them."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.exercises.repetitions import count_repetitions
from service.errors import NotReady
from service.jobs.exercises import read_exercises
from tests.pipelines.exercises.test_repetitions import noisy, squats
from tests.service.conftest import Running

SIZE_WH = (640, 480)


def write(folder: Path, layout: str = "coco17") -> tuple[Path, Path]:
    """Results of somebody with the track 7, shown as person 1, who squats three times."""
    time_s, points = squats()
    points = noisy(points, 1.0)
    shares = points / np.array([*SIZE_WH, 1], np.float32)
    lines: list[dict[str, object]] = [{"type": "source", "layout": layout, "frame_size": list(SIZE_WH)}]
    for at_s, person in zip(time_s.tolist(), shares.round(4).tolist(), strict=True):
        lines.append({"type": "frame", "media_time_s": at_s, "persons": [{"track_id": 7, "keypoints": person}]})
    lines.append({"type": "summary", "persons": "not a list"})
    results, timeline = folder / "results.jsonl", folder / "timeline.json"
    results.write_text("".join(json.dumps(line) + "\n" for line in lines))
    timeline.write_text(json.dumps({"tracks": [{"track_id": 7, "number": 1}]}))
    return results, timeline


def test_squats_are_counted_from_the_results(tmp_path: Path) -> None:
    found = read_exercises(*write(tmp_path), "squat")

    (person,) = found.people
    expected = count_repetitions("squat", squats()[0], noisy(squats()[1], 1.0), "coco17")
    assert (person.track_id, person.number, person.count) == (7, 1, 3)
    assert [one.turn_s for one in person.repetitions] == pytest.approx(
        [one.turn_s for one in expected.repetitions], abs=0.1
    )
    assert len(person.curve) == len(person.time_s) == len(person.angles["left_knee"])


def test_results_without_a_known_layout_are_not_counted(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="'hands99'"):
        read_exercises(*write(tmp_path, "hands99"), "squat")


def test_exercise_that_is_not_known_is_refused(service: Running) -> None:
    job_id = service.create("script ok")
    service.wait(job_id)

    refused = service.http.get(f"/v1/jobs/{job_id}/exercises?exercise=flying")
    missing = service.http.get("/v1/jobs/nope/exercises?exercise=squat")

    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
