import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.training.datasets import load_set, save_set
from pipelines.training.formats import ntu
from pipelines.training.formats.convert import Conversion, convert, find_sources
from pipelines.training.formats.recordings import ReadOptions, RecordedJoints, Recording

NAME = "S001C002P003R001A013"
_TALL = np.stack([np.linspace(-0.2, 0.2, 25), np.linspace(-0.9, 0.9, 25), np.full(25, 3.0)], axis=-1)


def _body(x: float, moves: float = 0.0) -> FloatArray:
    """(25, 3) someone upright at a place."""
    found: FloatArray = (_TALL + np.array([x + moves, 0.0, 0.0])).astype(np.float32)
    return found


def _skeleton(frames: Sequence[Mapping[int, FloatArray]]) -> str:
    """The file of some frames, each with its bodies by tracking id; colour pixels are 100 x + 500, 100 y + 300."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for number, joints in bodies.items():
            lines += [f"7205759403792{number} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [
                f"{x:.6f} {y:.6f} {z:.6f} 250.1 190.2 {100 * x + 500:.4f} {100 * y + 300:.4f} 0.1 0.2 0.3 0.4 2"
                for x, y, z in joints.tolist()
            ]
    return "\n".join(lines) + "\n"


def _read(folder: Path, text: str, reading: ReadOptions | None = None, name: str = NAME) -> RecordedJoints:
    path = folder / f"{name}.skeleton"
    path.write_text(text, "utf-8")
    return ntu.read(Recording(path, name), reading or ReadOptions())


def test_one_body_is_read_with_all_that_its_name_says(tmp_path: Path) -> None:
    frames = [{1: _body(0.1 * index)} for index in range(4)]

    clip = _read(tmp_path, _skeleton(frames))

    assert clip.keypoint.shape == (1, 4, 25, 3)
    np.testing.assert_allclose(clip.keypoint[0, 2], _body(0.2), atol=2e-3)
    assert (clip.layout, clip.rate_hz, clip.shape_hw, clip.label) == ("nturgbd25", 30.0, None, "tear up paper")
    assert dict(clip.extra) == {"subject": 3, "setup": 1, "view": 2}


def test_places_in_the_colour_picture_are_read_where_2d_is_asked_for(tmp_path: Path) -> None:
    clip = _read(tmp_path, _skeleton([{1: _body(0.5)}] * 3), ReadOptions(dim=2))

    np.testing.assert_allclose(clip.keypoint[0, 1, :, 0], 100 * _body(0.5)[:, 0] + 500, atol=1e-3)
    assert clip.shape_hw == (1080, 1920)
    assert (clip.score == 1).all()


def test_a_joint_that_is_nowhere_in_the_colour_picture_has_score_0_in_2d(tmp_path: Path) -> None:
    text = _skeleton([{1: _body(0.5)}] * 2)
    lines = text.split("\n")
    words = lines[5].split()
    lines[5] = " ".join([*words[:5], "-inf", "NaN", *words[7:]])

    clip = _read(tmp_path, "\n".join(lines), ReadOptions(dim=2))

    assert clip.score[0, 0, :3].tolist() == [1, 0, 1]
    assert np.isfinite(clip.keypoint).all()


def test_the_body_that_moves_most_comes_first(tmp_path: Path) -> None:
    frames = [{1: _body(1.0), 2: _body(-1.0, 0.1 * (index % 5))} for index in range(20)]

    clip = _read(tmp_path, _skeleton(frames))

    assert clip.keypoint.shape[:2] == (2, 20)
    assert clip.keypoint[0, :, 0, 0].max() < 0 < clip.keypoint[1, :, 0, 0].min()


def test_a_third_body_fills_the_place_of_one_that_has_gone(tmp_path: Path) -> None:
    first = {index: {1: _body(0.0, 0.2 * (index % 3))} for index in range(40)}
    frames = [
        first[index] | ({2: _body(2.0, 0.1 * (index % 2))} if index < 15 else {3: _body(3.0)} if index >= 20 else {})
        for index in range(40)
    ]

    clip = _read(tmp_path, _skeleton(frames))

    second = clip.keypoint[1, :, 0, 0]
    assert (second[:15] > 1.5).all()
    assert (second[15:20] == 0).all()
    assert (second[20:] > 2.5).all()
    assert clip.score[1, 15:20].max() == 0


def test_short_and_wide_bodies_beside_others_are_noise(tmp_path: Path) -> None:
    table = _TALL[:, [1, 0, 2]].astype(np.float32)
    frames = [
        {1: _body(0.0, 0.05 * (index % 4)), 2: table + np.float32(index % 7)}
        | ({3: _body(9.0, index)} if index < 11 else {})
        for index in range(30)
    ]

    clip = _read(tmp_path, _skeleton(frames))

    assert clip.keypoint.shape == (1, 30, 25, 3)
    assert np.abs(clip.keypoint[..., 0]).max() < 1


def test_frames_that_show_nobody_are_left_out_and_who_is_there_first_comes_first(tmp_path: Path) -> None:
    frames: list[dict[int, FloatArray]] = [{}, {}]
    frames += [{1: _body(0.0)} for _ in range(12)]
    frames += [{}] + [{1: _body(0.0), 2: _body(1.0, 0.3 * (index % 2))} for index in range(14)]

    clip = _read(tmp_path, _skeleton(frames))

    assert clip.keypoint.shape[:2] == (2, 26)
    assert clip.score[0].min() == 1
    assert clip.score[1, :12].max() == 0


def _with_x(lines: Sequence[str], word: str) -> list[str]:
    """The same lines with another x of the third joint."""
    return [*lines[:6], f"{word} {lines[6].split(' ', 1)[1]}", *lines[7:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:20], r"line 21: the file ends here"),
        (lambda lines: ["x", *lines[1:]], r"line 1: 'x' is not a whole number"),
        (lambda lines: ["99999999", *lines[1:]], r"line 1: 99999999 is out of range"),
        (lambda lines: ["5", *lines[1:]], r"the file ends here, more was announced"),
        (lambda lines: ["1", *lines[1:]], r"line 30: more follows than the frames"),
        (lambda lines: [*lines[:3], "24", *lines[4:]], r"line 4: 24 joints, expected 25"),
        (lambda lines: _with_x(lines, "nan"), r"line 7: nan is not a finite"),
        (lambda lines: _with_x(lines, "1e30"), r"line 7: 1e\+30 is no coordinate"),
        (lambda lines: _with_x(lines, "1.#QNAN"), r"line 7: '1\.#QNAN' is not a number"),
        (lambda lines: [*lines[:6], "1 2 3", *lines[7:]], r"line 7: 3 values of a joint, expected 12"),
        (lambda lines: [*lines[:6], lines[6][:-1] + "9", *lines[7:]], r"line 7: 9 is out of range, expected 0 to 2"),
        (lambda lines: ["0"], r"line 1: 0 is out of range"),
        (lambda lines: ["1", "0"], r"no frame shows a body"),
        (lambda lines: [""], r"line 1: the file ends here"),
    ],
    ids=["truncated", "text", "huge count", "too few frames", "too many", "24 joints", "nan", "huge", "windows nan",
         "short line", "odd state", "no frames", "nobody", "empty"],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, change: object, message: str) -> None:
    assert callable(change)
    lines = _skeleton([{1: _body(0.0)}] * 2).rstrip("\n").split("\n")

    with pytest.raises(DatasetInvalid, match=message):
        _read(tmp_path, "\n".join(change(lines)))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=5), st.integers(0, 3000))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(_skeleton([{1: _body(0.0), 2: _body(1.0)}] * 2).encode())
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path / f"{NAME}.skeleton"
    path.write_bytes(content[: len(content) - cut])

    with contextlib.suppress(DatasetInvalid):
        ntu.read(Recording(path, NAME), ReadOptions())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("S001C002P005R002A008", "missing or incomplete, by the authors' list"),
        ("walk", "expected a name as"),
        ("S001C002P003R001A121", "action 121, expected 1 to 120"),
    ],
)
def test_a_sample_that_is_not_to_be_used_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(DatasetInvalid, match=message):
        _read(tmp_path, _skeleton([{1: _body(0.0)}] * 2), name=name)


def test_the_authors_list_of_missing_skeletons_is_whole() -> None:
    actions = [int(name[-3:]) for name in ntu.missing()]

    assert (len(actions), sum(action <= 60 for action in actions)) == (535, 302)
    assert len(ntu.names()) == 120


def test_official_splits_are_those_of_the_papers() -> None:
    names = ["S001C001P001R001A001", "S002C002P003R001A002", "S003C003P002R001A003"]

    assert ntu.splits(names) == {
        "xsub_train": (names[0], names[2]), "xsub_val": (names[1],), "xview_train": (names[1], names[2]),
        "xview_val": (names[0],),
    }  # fmt: skip
    later = ntu.splits([*names, "S018C001P041R001A120"])
    assert later["xset_train"] == (names[1], "S018C001P041R001A120")
    assert later["xsub_val"] == (names[1], "S018C001P041R001A120")
    assert later["ntu60_xview_val"] == (names[0],)
    assert len(ntu.TRAIN_SUBJECTS) == 53
    assert sum(subject <= 40 for subject in ntu.TRAIN_SUBJECTS) == 20


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_becomes_a_set_with_what_is_damaged_left_out(tmp_path: Path, suffix: str, workers: int) -> None:
    for name in ("S001C001P001R001A001", "S002C002P003R001A002", "S001C002P005R002A008", "S003C003P002R001A003"):
        (tmp_path / f"{name}.skeleton").write_text(_skeleton([{1: _body(0.0, 0.1 * index)} for index in range(3)]))
    (tmp_path / "S003C003P002R001A003.skeleton").write_text("12\n")
    refused: list[str] = []

    made = convert(
        "ntu", find_sources("ntu", [tmp_path]), Conversion("ntu60", workers=workers),
        on_refused=lambda name, _: refused.append(name),
    )  # fmt: skip
    save_set(made, tmp_path / f"ntu60{suffix}")
    found = load_set(tmp_path / f"ntu60{suffix}")

    assert refused == ["S001C002P005R002A008", "S003C003P002R001A003"]
    assert [(row.name, row.label) for row in found.annotations] == [
        ("S001C001P001R001A001", 0),
        ("S002C002P003R001A002", 1),
    ]
    assert (len(found.classes), found.layout, found.dim, found.rate_hz) == (60, "nturgbd25", 3, 30.0)
    assert found.splits["xview_val"] == ("S001C001P001R001A001",)
    np.testing.assert_array_equal(found.annotations[1].keypoint, made.annotations[1].keypoint)
    assert found.to_coco17 is not None
    assert found.to_coco17[5] == 4
