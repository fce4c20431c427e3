"""`actogram prepare` and what `train` makes of its sets, as a user calls them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from pipelines.training.__main__ import main
from pipelines.training.datasets import load_set
from tests.pipelines.training.bodies import body, picture, waving

_TINY = [
    "data.validation_share=0.3", "optim.steps=2", "optim.warmup_steps=1", "optim.batch_size=4", "validate_steps=2",
    "network.base_channels=8", "network.num_stages=2", "network.inflate_stages=[2]", "network.down_stages=[2]",
]  # fmt: skip


def _run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def _openpose(folder: Path, kind: str, take: int) -> Path:
    """A recording of someone who stands or waves, one JSON file per frame, in OpenPose's 18 joints."""
    order = [0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    joints = picture(waving(30, take) if kind == "wave" else body(30))
    joints = joints + np.random.default_rng(take).normal(0, 1, joints.shape).astype(np.float32)
    place = folder / kind / f"take{take}"
    place.mkdir(parents=True)
    for frame, points in enumerate(joints):
        neck = (points[5] + points[6]) / 2
        rows = [[*(neck if index < 0 else points[index])[:2], 0.9] for index in order]
        people = [{"person_id": [-1], "pose_keypoints_2d": np.ravel(rows).round(3).tolist()}]
        (place / f"take{take}_{frame:012d}_keypoints.json").write_text(f'{{"people": {people}}}'.replace("'", '"'))
    return place


_RECIPE = """
extends = ["stgcn++", "small"]
data = { sets = ["mine"], validation_share = 0 }
input = { features = "pyskl-2d", layout = "openpose18", num_frames = 16 }
optim = { passes = 0, steps = 2, warmup = 1, batch_size = 4 }
"""


@pytest.mark.parametrize("kind", ["everyday", "recipe"])
def test_a_prepared_set_trains_two_steps_and_is_exported_without_an_edit(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("torch")
    (tmp_path / "mine.toml").write_text(_RECIPE)
    for take in range(6):
        for action in ("wave", "stand"):
            _openpose(tmp_path / "recordings", action, take)
    (tmp_path / "sets").mkdir()
    out = tmp_path / "sets" / "mine.npz"

    made = _run("prepare", tmp_path / "recordings", "--by-folder", "--fps", 15, "--size", "640x480", "--out", out)
    settings = [word for item in ['data.sets=["mine"]', *_TINY] for word in ("--set", item)]
    words = ["everyday", *settings] if kind == "everyday" else [tmp_path / "mine.toml"]
    trained = _run("train", *words, "--data", tmp_path / "sets", "--out", tmp_path / "run")
    exported = _run("export", tmp_path / "run", "--data", tmp_path / "sets", "--out", tmp_path / "model")

    assert made.exit_code == 0, made.output
    assert "12 sequences, 2 classes, splits train 10, test 2; 0 skipped" in made.output
    assert trained.exit_code == 0, trained.output
    assert exported.exit_code == 0, exported.output
    assert (tmp_path / "model" / "model.onnx").is_file()


def test_a_pyskl_file_without_classes_trains_or_says_in_one_line_what_is_missing(tmp_path: Path) -> None:
    rows = [
        {"frame_dir": f"v{index}", "label": index % 2, "total_frames": 30, "img_shape": (1080, 1920),
         "original_shape": (1080, 1920), "keypoint": np.ones((1, 30, 17, 2), np.float16)}
        for index in range(4)
    ]  # fmt: skip
    split = {"train": ["v0", "v1"], "test": ["v2", "v3"]}
    (tmp_path / "clips.pkl").write_bytes(pickle.dumps({"split": split, "annotations": rows}))

    result = _run("train", "--data", tmp_path, "--set", 'data.sets=["clips"]', "--out", tmp_path / "run")

    assert result.exit_code == 2
    assert "clips: class 'class_0' is no everyday label; say in [everyday] of clips.labels.toml" in result.output


def _pickle(path: Path, names: list[str], label: int = 0, split: dict[str, list[str]] | None = None) -> None:
    rows = [
        {"frame_dir": name, "label": label, "keypoint": np.random.default_rng(index).normal(500, 90, (1, 5, 17, 2))}
        for index, name in enumerate(names)
    ]
    path.write_bytes(pickle.dumps(rows if split is None else {"split": split, "annotations": rows}))


def test_old_pickles_of_mmaction2_become_one_set_with_the_splits_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    _pickle(tmp_path / "old" / "gym_train.pkl", ["a", "b"])
    _pickle(tmp_path / "old" / "gym_val.pkl", ["a", "c"], label=1)
    (tmp_path / "labels.txt").write_text("jump\nturn\n")

    result = _run("prepare", tmp_path / "old", "--labels", tmp_path / "labels.txt", "--out", tmp_path / "gym.npz")
    found = load_set(tmp_path / "gym.npz")

    assert result.exit_code == 0, result.output
    assert dict(found.splits) == {"train": ("gym_train/a", "b"), "val": ("gym_val/a", "c")}
    assert [(row.name, found.classes[row.label]) for row in found.annotations] == [
        ("gym_train/a", "jump"), ("b", "jump"), ("gym_val/a", "turn"), ("c", "turn"),
    ]  # fmt: skip


def test_a_set_is_cut_down_to_some_classes_and_splits(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _pickle(
        tmp_path / "in" / "a.pkl", ["a", "b"], 0, {"xsub_train": ["a"], "xsub_val": ["b", "gone"], "xview_train": ["a"]}
    )
    _pickle(tmp_path / "in" / "b.pkl", ["c", "d"], 1, {"xsub_train": ["c"], "xsub_val": ["d"]})

    result = _run(
        "prepare",
        tmp_path / "in",
        "--classes",
        "class_1",
        "--parts",
        "xsub_train,xsub_val",
        "--out",
        tmp_path / "o.pkl",
    )
    found = load_set(tmp_path / "o.pkl")

    assert result.exit_code == 0, result.output
    assert (found.classes, dict(found.splits)) == (("class_1",), {"xsub_train": ("c",), "xsub_val": ("d",)})
    assert [row.label for row in found.annotations] == [0, 0]


def test_a_set_without_splits_gets_some(tmp_path: Path) -> None:
    _pickle(tmp_path / "all.pkl", [f"v{index}" for index in range(10)])

    result = _run("prepare", tmp_path / "all.pkl", "--split", "share:0.7", "--out", tmp_path / "o.npz")

    assert result.exit_code == 0, result.output
    assert {name: len(items) for name, items in load_set(tmp_path / "o.npz").splits.items()} == {"train": 7, "test": 3}


def test_a_list_names_recordings_of_other_formats_too(tmp_path: Path) -> None:
    _openpose(tmp_path, "wave", 1)
    _openpose(tmp_path, "stand", 2)
    text = (
        "video,label,split,subject\nwave/take1,hello,train,anna\nstand/take2,bye,test,ben\nstand/take9,bye,test,eve\n"
    )
    (tmp_path / "list.csv").write_text(text)

    result = _run("prepare", tmp_path / "list.csv", "--out", tmp_path / "o.npz")
    found = load_set(tmp_path / "o.npz")

    assert result.exit_code == 0, result.output
    assert "skipped list.csv: line 4: stand/take9: no such file" in result.output
    assert [(row.name, found.classes[row.label], row.extra["subject"]) for row in found.annotations] == [
        ("wave/take1", "hello", "anna"), ("stand/take2", "bye", "ben"),
    ]  # fmt: skip
    assert dict(found.splits) == {"train": ("wave/take1",), "test": ("stand/take2",)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["empty"], "dataset_invalid: no video among empty, nor any .skeleton"),
        (["mixed"], "config_invalid: several formats: bvh (a.bvh), ntu (b.skeleton); say which by --format"),
        (["mixed", "--format", "bvh"], "dataset_invalid: none of the 1 recordings can be used"),
        (["mixed", "--format", "kinetics"], "dataset_invalid: nothing of the format kinetics"),
        (["mixed", "--size", "big"], "config_invalid: size 'big'"),
        (["mixed", "--format", "ntu", "--split", "half"], "config_invalid: split 'half'"),
        (["mixed", "--format", "ntu", "--layout", "coco18"], "dataset_invalid: "),
        (["mixed", "--out", "gone/x.npz"], "dataset_invalid: "),
        (["mixed", "--out", "x.json"], "expected a name ending in .npz or .pkl"),
        (["own.npz", "--out", "own.npz"], "config_invalid: own.npz: is the only input and the output"),
        (["bad.csv"], "dataset_invalid: bad.csv: none of its rows can be used"),
    ],
)
def test_a_call_that_cannot_work_says_why_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "a.bvh").write_text("HIERARCHY")
    (tmp_path / "mixed" / "b.skeleton").write_text("1")
    (tmp_path / "own.npz").touch()
    (tmp_path / "bad.csv").write_text("video,label\ngone.mp4,walk\n")
    out = [] if "--out" in words else ["--out", "o.npz"]

    result = _run("prepare", *words, *out)

    assert (result.exit_code, message in result.output) == (2, True), result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "o.npz").exists()
