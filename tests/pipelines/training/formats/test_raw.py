"""PYSKL's and MMAction2's dictionaries: what is completed, what is left out, and what is refused."""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.arrays import AnyArray
from pipelines.errors import DatasetInvalid
from pipelines.training.datasets import SkeletonSet, load_set, save_set
from pipelines.training.formats.description import describe_options
from pipelines.training.set_summary import summarize

Row = dict[str, object]


def _row(index: int, keypoint: AnyArray | None = None, **more: object) -> Row:
    """An annotation as PYSKL publishes them: COCO joints in pixels of 1920 x 1080."""
    if keypoint is None:
        keypoint = np.random.default_rng(index).uniform(200, 800, (1, 6, 17, 2)).astype(np.float16)
    shape = {"img_shape": (1080, 1920), "original_shape": (1080, 1920)}
    return (
        {"frame_dir": f"v{index}", "label": index % 2, "total_frames": keypoint.shape[1], "keypoint": keypoint}
        | shape
        | more
    )


def _load(folder: Path, raw: object, **options: object) -> SkeletonSet:
    path = folder / "mine.pkl"
    path.write_bytes(pickle.dumps(raw))
    return load_set(path, said=describe_options(**options))


def _whole(rows: list[Row], **more: object) -> dict[str, object]:
    return {"split": {"train": [str(row["frame_dir"]) for row in rows]}, "annotations": rows} | more


def test_a_file_as_pyskl_publishes_them_gets_names_of_classes_and_a_layout(tmp_path: Path) -> None:
    found = _load(tmp_path, _whole([_row(0), _row(1)]))

    assert (found.classes, found.layout, found.dim) == (("class_0", "class_1"), "coco17", 2)
    assert found.to_coco17 == tuple(range(17))
    assert (found.annotations[0].score == 1).all()
    assert any("--labels" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.txt", "walk\nfall\n"),
        ("labels.json", '["walk", "fall"]'),
        ("labels.json", '{"fall": 1, "walk": 0}'),
        ("labels.json", '{"1": "fall", "0": "walk"}'),
        ("labels.csv", "id,name\n0,walk\n1,fall\n"),
        ("labels.toml", 'classes = ["walk", "fall"]'),
        ("mine.labels.toml", 'classes = ["walk", "fall"]\nfps = 25'),
    ],
)
def test_classes_are_named_by_a_file_of_labels_or_beside_the_set(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(_whole([_row(0), _row(1)])))

    found = load_set(tmp_path / "mine.pkl", labels=None if name.startswith("mine") else tmp_path / name)

    assert found.classes == ("walk", "fall")
    assert found.rate_hz == (25 if name.startswith("mine") else None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "walk\n", r"v1 has label 1 of 1 classes"),
        ("a.txt", "\n\n", "a.txt: names no labels"),
        ("a.txt", "walk\nwalk\n", "classes name 'walk' twice"),
        ("a.json", "{", "a.json: not JSON"),
        ("a.json", '{"walk": 0, "fall": 2}', r"indexes \[0, 2\].* expected 0 to 1"),
        ("a.json", "5", "expected a list of names"),
        ("a.csv", "0,walk,x\n", "expected two columns"),
        ("a.toml", "colours = 1", "a.toml: colours: Extra inputs"),
        ("a.toml", 'layout = "coco99"', "'coco99' is not one of"),
        ("gone.txt", None, "gone.txt: cannot be read"),
    ],
)
def test_labels_that_cannot_be_are_refused(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(_whole([_row(0), _row(1)])))

    with pytest.raises(DatasetInvalid, match=message):
        load_set(tmp_path / "mine.pkl", labels=tmp_path / name)


def _three(xy: tuple[float, float], third: tuple[float, float], V: int = 17) -> AnyArray:
    """(1, 6, V, 3) with x and y, and the third channel, in these ranges."""
    generator = np.random.default_rng(0)
    parts = [generator.uniform(*xy, (1, 6, V, 2)), generator.uniform(*third, (1, 6, V, 1))]
    return np.concatenate(parts, axis=-1).astype(np.float32)


@pytest.mark.parametrize(
    ("keypoint", "more", "options", "dim"),
    [
        (_three((0, 900), (0, 1)), {}, {}, 2),
        (_three((0, 900), (0, 1.1)), {}, {}, 2),
        (_three((-1, 1), (2, 4), 25), {}, {}, 3),
        (_three((-1, 1), (-0.3, 0.3), 25), {}, {}, 3),
        (_three((-900, 900), (-150, 200)), {}, {}, 3),
        (_three((0, 900), (0, 1)), {"dim": 3}, {}, 3),
        (_three((0, 1), (0, 1)), {"dim": 2}, {}, 2),
        (_three((0, 1), (0, 1)), {}, {"channels": "xys"}, 2),
        (_three((0, 900), (0, 1)), {}, {"channels": "xyz"}, 3),
        (_three((0, 1), (0, 1), 18), {}, {}, 2),
        (_three((0, 1), (0, 1), 25), {"layout": "openpose25"}, {}, 2),
        (_three((0, 1), (0, 1), 25), {"layout": "nturgb+d"}, {}, 3),
    ],
    ids=["pixels and score", "score above 1", "metres", "centred metres", "millimetres", "dim says 3", "dim says 2",
         "told xys", "told xyz", "openpose by number", "openpose by name", "kinect by name"],
)  # fmt: skip
def test_three_channels_are_told_apart_by_the_documented_rule(
    tmp_path: Path, keypoint: AnyArray, more: dict[str, object], options: dict[str, object], dim: int
) -> None:
    found = _load(tmp_path, _whole([_row(0, keypoint)], **more), **options)

    (row,) = found.annotations
    assert (found.dim, row.keypoint.shape[-1]) == (dim, dim)
    np.testing.assert_array_equal(row.keypoint, keypoint[..., :dim])
    np.testing.assert_array_equal(row.score, keypoint[..., 2] if dim == 2 else np.ones((1, 6, keypoint.shape[2])))


def test_three_channels_that_nothing_tells_apart_are_refused_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"mine: three channels that may be .*--channels xyz.*--channels xys"):
        _load(tmp_path, _whole([_row(0, _three((0, 1), (0, 1)))]))


def test_scores_beside_three_channels_mean_a_depth_unless_they_are_the_third(tmp_path: Path) -> None:
    keypoint = _three((0, 900), (0, 1))

    deep = _load(tmp_path, _whole([_row(0, keypoint, keypoint_score=np.full((1, 6, 17), 0.5))]))
    flat = _load(tmp_path, _whole([_row(0, keypoint, keypoint_score=keypoint[..., 2])]))

    assert (deep.dim, flat.dim) == (3, 2)


def test_a_second_person_who_is_all_zeros_is_not_seen(tmp_path: Path) -> None:
    keypoint = np.random.default_rng(0).normal(0, 1, (2, 6, 25, 3)).astype(np.float16)
    keypoint[1, 2:] = 0

    found = _load(tmp_path, _whole([_row(0, keypoint)]))

    assert found.annotations[0].score[..., 0].tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "shape",
    [lambda rows: rows, lambda rows: {"annotations": rows}, lambda rows: rows[0]],
    ids=["a list", "no split", "one annotation"],
)
def test_files_of_mmaction2_without_splits_are_read_whole(tmp_path: Path, shape: Callable[[list[Row]], object]) -> None:
    found = _load(tmp_path, shape([_row(0)]))

    assert dict(found.splits) == {"all": ("v0",)}


def test_sequences_without_people_or_frames_are_left_out_and_told(tmp_path: Path) -> None:
    empty = [_row(2, np.zeros((0, 6, 17, 2), np.float16)), _row(3, np.zeros((1, 0, 17, 2), np.float16))]

    found = _load(tmp_path, _whole([_row(0), *empty]))

    assert [row.name for row in found.annotations] == ["v0"]
    assert dict(found.splits) == {"train": ("v0",)}
    assert any(note.startswith("2 sequences without people or frames") for note in found.notes)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (_whole([_row(0)]) | {"split": {"train": ["v0", "x", "y"]}}, r"split 'train' names 'x' and 1 more, not among"),
        ({"annotations": [_row(0), _row(0)]}, "v0: two sequences have this name"),
        ({"annotations": [{"label": 0}]}, "annotation 0: has no `frame_dir`"),
        ({"annotations": [{"frame_dir": "a", "label": 0}]}, "a: has no `keypoint`"),
        ({"annotations": [{"frame_dir": "a", "raw_file": "k.pkl"}]}, "joints lie in kpfiles"),
        ({"annotations": [_row(0, label=1.5)]}, "v0: label is 1.5"),
        ({"annotations": [_row(0, label=[1, 2])]}, r"v0: label is \[1, 2\]"),
        ({"annotations": [_row(0, label=-2)]}, "v0: label is -2"),
        ({"annotations": [_row(0, img_shape=5)]}, "img_shape is 5"),
        ({"annotations": [_row(0, img_shape=(0, 10))]}, "img_shape is 0 x 10"),
        ({"annotations": [_row(0, np.full((1, 2, 17, 2), np.inf))]}, "not a number, or too large"),
        ({"annotations": [_row(0, np.full((1, 2, 17, 2), 1e200))]}, "not a number, or too large"),
        ({"annotations": [_row(0, keypoint_score=np.ones((1, 6, 16)))]}, r"keypoint_score has shape \(1, 6, 16\)"),
        ({"annotations": [_row(0), _row(1, np.ones((1, 6, 25, 2)))]}, "v1 has 25 joints of 2 channels, v0 has 17"),
        ({"annotations": [_row(0)], "layout": "openpose25"}, "openpose25 has 25 joints, the sequences have 17"),
        ({"annotations": [_row(0, label="walk")], "classes": ["fall"]}, "label 'walk' is not among its 1 classes"),
        (5, "expected a dict"),
    ],
)  # fmt: skip
def test_an_annotation_file_that_cannot_be_is_refused_by_name(tmp_path: Path, raw: object, message: str) -> None:
    with pytest.raises(DatasetInvalid, match=message):
        _load(tmp_path, raw)


def test_what_cannot_be_used_is_left_out_where_somebody_is_told(tmp_path: Path) -> None:
    rows = [_row(0), _row(1, np.full((1, 2, 17, 2), np.nan)), _row(0), {"frame_dir": "z"}]
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps({"split": {"train": ["v0", "v1", "absent"]}, "annotations": rows}))
    refused: list[str] = []

    found = load_set(tmp_path / "mine.pkl", on_refused=lambda name, _: refused.append(name))

    assert (refused, dict(found.splits)) == (["v1", "v0", "z"], {"train": ("v0",)})


def test_labels_that_are_words_become_classes(tmp_path: Path) -> None:
    found = _load(tmp_path, {"annotations": [_row(0, label="walk"), _row(1, label="fall")]})

    assert (found.classes, [row.label for row in found.annotations]) == (("fall", "walk"), [1, 0])


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_half_precision_is_kept_where_it_was_and_nothing_is_lost_where_it_was_not(tmp_path: Path, suffix: str) -> None:
    half = _row(0, np.random.default_rng(0).normal(0, 1, (2, 6, 25, 3)).astype(np.float16))
    single = _row(1, np.random.default_rng(1).normal(0, 70_000, (2, 6, 25, 3)).astype(np.float32))
    made = _load(tmp_path, _whole([half, single], dim=3))

    save_set(made, tmp_path / f"again{suffix}")
    found = load_set(tmp_path / f"again{suffix}")

    for before, after in zip(made.annotations, found.annotations, strict=True):
        np.testing.assert_array_equal(after.keypoint, before.keypoint)
        np.testing.assert_array_equal(after.score, before.score)
    assert (found.layout, found.classes, found.notes) == ("nturgbd25", ("class_0", "class_1"), ())
    assert found.annotations[0].extra == made.annotations[0].extra


def test_a_3d_pickle_has_no_scores_which_pyskl_would_refuse(tmp_path: Path) -> None:
    made = _load(tmp_path, _whole([_row(0, np.random.default_rng(0).normal(0, 1, (1, 6, 25, 3)).astype(np.float16))]))

    save_set(made, tmp_path / "out.pkl")

    (row,) = pickle.loads((tmp_path / "out.pkl").read_bytes())["annotations"]
    assert "keypoint_score" not in row
    assert row["keypoint"].dtype == np.float16


@pytest.mark.parametrize("name", ["nwucla", "ardata", "pennaction", "msraction3d", "utdmhad_openpose2d", "gtu"])
def test_a_real_set_has_a_layout_where_its_joints_stand_in_a_known_order(data_dir: Path, name: str) -> None:
    expected = {
        "nwucla": "kinect20", "ardata": "openpose25", "utdmhad_openpose2d": "openpose18", "gtu": "nturgbd25",
    }  # fmt: skip

    found = load_set(data_dir / "skeleton" / f"{name}.pkl")

    assert found.layout == expected.get(name)
    assert found.dim == found.meta["dim"]
    assert summarize(found).sequences == len(found.annotations)


def test_compressed_annotations_are_unfolded_frame_by_frame(tmp_path: Path) -> None:
    skeletons = np.stack([np.full((17, 3), value, np.float16) for value in (0.1, 0.2, 0.3, 0.4)])
    skeletons[..., :2] *= 1000
    row = _row(0, skeletons, frame_inds=np.array([0, 2, 2, 3], np.int16), total_frames=5, box_score=np.ones(4))

    found = _load(tmp_path, _whole([row])).annotations[0]

    assert found.keypoint.shape == (2, 5, 17, 2)
    assert found.keypoint[:, :, 0, 0].round().tolist() == [[100, 0, 200, 400, 0], [0, 0, 300, 0, 0]]
    np.testing.assert_allclose(found.score[:, :, 0], [[0.1, 0, 0.2, 0.4, 0], [0, 0, 0.3, 0, 0]], atol=1e-3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"frame_inds": [0, 1]}, r"keypoint of shape \(3, 17, 3\) and frame_inds of \(2,\)"),
        ({"frame_inds": [0, 1, 9]}, "frame_inds run from 0 to 9 of 5 frames"),
        ({"frame_inds": [0, 1, -1]}, "frame_inds run from -1 to 1"),
        ({"frame_inds": [0, 1, 2], "total_frames": 10**9}, "total_frames is 1000000000"),
        ({"frame_inds": "abc"}, "frame_inds is no array of numbers"),
    ],
)
def test_compressed_annotations_that_cannot_be_are_refused(
    tmp_path: Path, more: dict[str, object], message: str
) -> None:
    row = _row(0, np.ones((3, 17, 3), np.float32)) | {"total_frames": 5} | more

    with pytest.raises(DatasetInvalid, match=message):
        _load(tmp_path, {"annotations": [row]})


def test_names_in_arrays_of_texts_and_ordered_dicts_are_read(tmp_path: Path) -> None:
    rows = [_row(index, frame_dir=np.str_(f"vidéo{index}")) for index in range(3)]
    split = OrderedDict(train=np.array(["vidéo0", "vidéo1"]), test=np.array(["vidéo2"]))

    found = _load(tmp_path, OrderedDict(split=split, annotations=[OrderedDict(row) for row in rows]))

    assert dict(found.splits) == {"train": ("vidéo0", "vidéo1"), "test": ("vidéo2",)}
    assert [row.name for row in found.annotations] == ["vidéo0", "vidéo1", "vidéo2"]
