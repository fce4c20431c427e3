import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DatasetInvalid
from pipelines.training.formats import openpose
from pipelines.training.formats.convert import Conversion, convert, find_sources, from_lists
from pipelines.training.formats.recordings import ReadOptions, Recording


def _person(x: float, num_joints: int = 25, who: int = -1, score: float = 0.8) -> dict[str, object]:
    values = [value for joint in range(num_joints) for value in (x + joint, 10.0 * joint, score)]
    return {"person_id": [who], "pose_keypoints_2d": values, "face_keypoints_2d": []}


def _write(
    folder: Path, frames: Sequence[Sequence[dict[str, object]]], prefix: str = "clip", first: int = 0
) -> Recording:
    folder.mkdir(parents=True, exist_ok=True)
    for index, people in enumerate(frames, first):
        name = f"{prefix}_{index:012d}_keypoints.json"
        (folder / name).write_text(json.dumps({"version": 1.3, "people": people}))
    return Recording(folder, "clip", prefix)


@pytest.mark.parametrize(("num_joints", "layout"), [(25, "openpose25"), (18, "openpose18")])
def test_a_folder_is_one_recording_with_a_hole_where_nobody_was_seen(
    tmp_path: Path, num_joints: int, layout: str
) -> None:
    source = _write(tmp_path, [[_person(100, num_joints)], [], [_person(104, num_joints)]], first=7)

    clip = openpose.read(source, ReadOptions(rate_hz=25.0, shape_hw=(480, 640)))

    assert clip.keypoint.shape == (1, 3, num_joints, 2)
    assert clip.keypoint[0, :, 1].tolist() == [[101, 10], [0, 0], [105, 10]]
    np.testing.assert_allclose(clip.score[0, :, 0], [0.8, 0, 0.8])
    assert (clip.layout, clip.rate_hz, clip.shape_hw) == (layout, 25.0, (480, 640))


def test_people_without_identities_are_followed_by_where_they_were(tmp_path: Path) -> None:
    frames = [[_person(100 + index), _person(900 - index)][:: 1 if index % 2 else -1] for index in range(6)]

    clip = openpose.read(_write(tmp_path, frames), ReadOptions())

    starts = sorted(clip.keypoint[:, :, 0, 0].tolist())
    assert starts == [[100, 101, 102, 103, 104, 105], [900, 899, 898, 897, 896, 895]]


def test_identities_of_the_file_are_kept_where_everyone_has_one(tmp_path: Path) -> None:
    frames = [[_person(100, who=1), _person(900, who=2)], [_person(110, who=2), _person(890, who=1)]]

    clip = openpose.read(_write(tmp_path, frames), ReadOptions())

    assert sorted(clip.keypoint[:, :, 0, 0].tolist()) == [[100, 890], [900, 110]]


def test_those_who_were_seen_longest_are_kept(tmp_path: Path) -> None:
    frames = [[_person(100), *([_person(500, score=0.9)] if index < 2 else []), _person(900)] for index in range(5)]

    clip = openpose.read(_write(tmp_path, frames), ReadOptions(num_persons=2))

    assert sorted(clip.keypoint[:, 0, 0, 0].tolist()) == [100, 900]


def test_recordings_are_told_apart_by_folder_and_by_prefix(tmp_path: Path) -> None:
    _write(tmp_path / "walk" / "one", [[_person(1)]], prefix="one")
    _write(tmp_path / "walk" / "two", [[_person(1)]], prefix="")
    _write(tmp_path / "fall", [[_person(1)]], prefix="a")
    _write(tmp_path / "fall", [[_person(1)]], prefix="b_c")

    made = convert("openpose", from_lists(find_sources("openpose", [tmp_path]), "", by_folder=True), Conversion("op"))

    assert [(row.name, made.classes[row.label]) for row in made.annotations] == [
        ("fall/a", "fall"), ("fall/b_c", "fall"), ("walk/one", "walk"), ("walk/two", "walk"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("person", "message"),
    [
        ({"pose_keypoints_2d": [1.0] * 45}, "45 numbers, expected 75"),
        ({"pose_keypoints_2d": []}, "0 numbers, expected 75"),
        ({"pose_keypoints_2d": [float("inf")] * 75}, "inf is not a finite number"),
        ({"pose_keypoints_2d": ["a"] * 75}, "'a' is not a number"),
        ({"pose_keypoints_2d": [1.0, 1.0, -0.5] * 25}, "a score of -0.5"),
        ({"face_keypoints_2d": []}, "'pose_keypoints_2d' is missing"),
        ([1], "expected an object"),
        (_person(1, 18), "differ in the number of joints"),
        ({**_person(1), "person_id": ["x"]}, "person_id: 'x' is not a whole number"),
    ],
    ids=["45", "none", "inf", "text", "negative score", "no body", "a list", "other joints", "odd id"],
)
def test_a_damaged_frame_refuses_its_recording_by_name(tmp_path: Path, person: dict[str, object], message: str) -> None:
    source = _write(tmp_path, [[_person(1)], [person]])

    with pytest.raises(DatasetInvalid, match=message):
        openpose.read(source, ReadOptions())


def test_a_frame_that_was_cut_off_is_named(tmp_path: Path) -> None:
    source = _write(tmp_path, [[_person(1)]] * 3)
    path = tmp_path / "clip_000000000002_keypoints.json"
    path.write_text(path.read_text()[:50])

    with pytest.raises(DatasetInvalid, match=r"clip_000000000002_keypoints\.json: line 1: not JSON"):
        openpose.read(source, ReadOptions())


def test_a_recording_that_shows_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match="no frame shows anybody"):
        openpose.read(_write(tmp_path, [[], []]), ReadOptions())
