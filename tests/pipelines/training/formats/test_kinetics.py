import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import DatasetInvalid
from pipelines.training.formats import kinetics
from pipelines.training.formats.convert import Conversion, convert, find_sources, from_lists
from pipelines.training.formats.recordings import ReadOptions, Recording


def _person(x: float, score: float) -> dict[str, object]:
    return {"pose": [x, 0.5] * 18, "score": [score] * 18}


def _clip(*people: list[dict[str, object]], label: str = "clapping") -> dict[str, object]:
    rows = [{"frame_index": index + 1, "skeleton": skeletons} for index, skeletons in enumerate(people)]
    return {"data": rows, "label": label, "label_index": 3}


def _source(folder: Path, value: object, name: str = "a") -> Recording:
    path = folder / f"{name}.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return Recording(path, name)


def test_a_clip_is_read_in_pixels_with_the_best_people_of_each_frame_first(tmp_path: Path) -> None:
    clip = kinetics.read(
        _source(tmp_path, _clip([_person(0.2, 0.3), _person(0.4, 0.9), _person(0.6, 0.5)], [], [_person(0.8, 0.7)])),
        ReadOptions(),
    )

    assert clip.keypoint.shape == (2, 3, 18, 2)
    np.testing.assert_allclose(clip.keypoint[:, 0, 0], [[0.4 * 340, 128], [0.6 * 340, 128]], rtol=1e-6)
    np.testing.assert_allclose(clip.score[:, :, 0], [[0.9, 0, 0.7], [0.5, 0, 0]])
    assert (clip.layout, clip.rate_hz, clip.shape_hw, clip.label) == ("openpose18", 30.0, (256, 340), "clapping")


def test_a_joint_of_score_0_lies_at_0(tmp_path: Path) -> None:
    person = _person(0.4, 0.9)
    person["score"] = [0.0, *[0.9] * 17]

    clip = kinetics.read(_source(tmp_path, _clip([person])), ReadOptions())

    assert clip.keypoint[0, 0, 0].tolist() == [0, 0]


def test_frames_that_the_file_leaves_out_show_nobody(tmp_path: Path) -> None:
    rows = [{"frame_index": index, "skeleton": [_person(0.1, 1.0)]} for index in (3, 6)]

    clip = kinetics.read(_source(tmp_path, {"data": rows, "label": "x"}), ReadOptions())

    assert clip.score[0, :, 0].tolist() == [1, 0, 0, 1]


def test_label_files_and_folders_say_class_and_split(tmp_path: Path) -> None:
    for part in ("train", "val"):
        folder = tmp_path / f"kinetics_{part}"
        folder.mkdir()
        _source(folder, _clip([_person(0.2, 0.5)], label=""), f"clip_{part}")
        table = {f"clip_{part}": {"has_skeleton": True, "label": f"label of {part}", "label_index": 0}}
        (tmp_path / f"kinetics_{part}_label.json").write_text(json.dumps(table))

    sources = from_lists(find_sources("kinetics", [tmp_path]), "")
    made = convert("kinetics", sources, Conversion("k400"))

    assert made.classes == ("label of train", "label of val")
    held = ("kinetics_val/clip_val",)
    assert dict(made.splits) == {"train": ("kinetics_train/clip_train",), "val": held, "test": held}


_GOOD = _clip([_person(0.2, 0.5)])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (json.dumps(_GOOD)[:-30], r"a\.json: line 1: not JSON"),
        ("", r"a\.json: line 1: not JSON"),
        ("[" * 100_000, "not JSON"),
        ([1], "expected an object with 'data'"),
        ({"label": "x"}, "'data' is missing"),
        ({"data": {}}, "expected a list"),
        ({"data": []}, "no frame shows a skeleton"),
        (_clip([], []), "no frame shows a skeleton"),
        ({"data": [{"skeleton": []}]}, "frame 0: 'frame_index' is missing"),
        ({"data": [{"frame_index": 10**30, "skeleton": []}]}, "out of range"),
        ({"data": [{"frame_index": "a", "skeleton": []}]}, "not a whole number"),
        ({"data": [{"frame_index": 1, "skeleton": [_person(0.1, 1.0)]}] * 2}, "frame_index 1 occurs twice"),
        ({"data": [{"frame_index": index, "skeleton": [_person(0.1, 1.0)]} for index in (1, 10**8)]}, "at most 100000"),
        (_clip([{"pose": [0.1] * 34, "score": [1] * 17}]), r"frame 0 \(frame_index 1\): 34 coordinates and 17 scores"),
        (_clip([{"pose": [0.1] * 36}]), "'score' is missing"),
        (_clip([_person(float("nan"), 1.0)]), "nan is not a finite number"),
        (_clip([{"pose": [None] * 36, "score": [1] * 18}]), "None is not a number"),
        (_clip([_person(1e30, 1.0)]), "no coordinate"),
        ({**_GOOD, "label": 5}, "label is 5, expected a name"),
    ],
    ids=["truncated", "empty", "deep", "a list", "no data", "data no list", "no frames", "nobody", "no index",
         "huge index", "index text", "twice", "too long", "17 joints", "no score", "nan", "null", "huge", "label"],
)  # fmt: skip
def test_a_damaged_clip_is_refused_with_its_place(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(DatasetInvalid, match=message):
        kinetics.read(_source(tmp_path, value), ReadOptions())


def test_a_clip_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"data": [],\n"label": "caf\xe9"}')

    with pytest.raises(DatasetInvalid, match=r"a\.json: line 2: not UTF-8 text"):
        kinetics.read(Recording(tmp_path / "a.json", "a"), ReadOptions())


_KEYS = ("data", "skeleton", "pose", "score", "frame_index")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_JSON)
def test_any_json_is_read_or_refused_and_nothing_else(tmp_path: Path, value: object) -> None:
    with contextlib.suppress(DatasetInvalid):
        kinetics.read(_source(tmp_path, {"data": [value, {"frame_index": 1, "skeleton": value}]}), ReadOptions())
