import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from models.arrays import FloatArray
from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.__main__ import main
from pipelines.training.datasets import Annotation, SkeletonSet, load_set, save_set
from pipelines.training.formats.description import SetDescription
from pipelines.training.labels import load_labels
from pipelines.training.own_sets import own_table, train_and_test, with_own_sets
from pipelines.training.set_summary import as_text, summarize


def _row(index: int, label: int = 0, keypoint: FloatArray | None = None, **extra: object) -> Annotation:
    if keypoint is None:
        keypoint = np.random.default_rng(index).uniform(10, 90, (1, 8, 17, 2)).astype(np.float32)
    score = np.ones(keypoint.shape[:3], np.float32)
    return Annotation(f"s{index}", label, keypoint, score, (100, 100), extra)


def _set(*rows: Annotation, **more: object) -> SkeletonSet:
    names = tuple(row.name for row in rows)
    fields: dict[str, object] = {
        "splits": {"train": names[: len(names) // 2], "test": names[len(names) // 2 :]}, "classes": ("walk", "fall"),
        "to_coco17": tuple(range(17)), "rate_hz": 25.0, "layout": "coco17",
    }  # fmt: skip
    return SkeletonSet("mine", annotations=rows, **fields | more)  # type: ignore[arg-type]


_GOOD = _set(*(_row(index, index % 2, subject=index) for index in range(4)))


def test_a_good_set_is_counted_and_has_no_problems() -> None:
    found = summarize(_GOOD)

    assert (found.sequences, found.unlabelled, found.frames, found.problems) == (4, 0, (8, 8, 8), ())
    assert (dict(found.classes), dict(found.splits), dict(found.persons)) == (
        {"walk": 2, "fall": 2}, {"train": 2, "test": 2}, {1: 4},
    )  # fmt: skip
    assert "coco17, 25 frames per second" in as_text(found)


@pytest.mark.parametrize(
    ("skeletons", "problem"),
    [
        (_set(), "there are no sequences"),
        (replace(_GOOD, layout=None, to_coco17=None), "which of its 17 joints is which is not known"),
        (replace(_GOOD, rate_hz=None), "frames per second are not known"),
        (replace(_GOOD, classes=("walk", "fall", "jump")), "1 classes have no sequence: jump"),
        (replace(_GOOD, splits={"train": ("s0", "s1"), "test": ("s1", "s2")}), "1 sequences are in train and in test"),
        (replace(_GOOD, splits={"train": ("s0", "s2"), "test": ("s1",)}), "1 classes are in test and not in train"),
        (replace(_GOOD, splits={"all": ("s0",)}), "no split to train with"),
        (replace(_GOOD, splits={"train": ("s0", "s1"), "test": ()}), "the split test is empty"),
        (_set(*(_row(index, subject="anna") for index in range(4)), classes=("walk",)),
         "1 people or videos are in train and in test: subject anna"),
        (_set(_row(0), replace(_row(0), name="s1"), classes=("walk",)), "1 sequences are there more than once: s1"),
        (_set(_row(0, keypoint=np.ones((1, 1, 17, 2), np.float32)), classes=("walk",)), "1 sequences have a single"),
        (_set(_row(0, keypoint=np.ones((1, 5, 17, 2), np.float32)), classes=("walk",)), "1 sequences never move: s0"),
        (_set(replace(_row(0), score=np.zeros((1, 8, 17), np.float32)), classes=("walk",)), "1 sequences show nobody"),
        (_set(replace(_row(0), score=np.full((1, 8, 17), 2, np.float32))), "1 sequences have scores outside 0 to 1"),
        (_set(replace(_row(0), shape_hw=(30, 30))), "1 sequences lie outside their picture"),
        (_set(replace(_row(0), keypoint=_row(0).keypoint * np.float32(0.01))), "1 sequences lie outside their picture"),
        (_set(_row(0, keypoint=np.random.default_rng(0).normal(0, 300, (1, 8, 17, 3)).astype(np.float32))),
         "units, which are no metres"),
        (replace(_GOOD, notes=("something was taken for granted",)), "something was taken for granted"),
    ],
)  # fmt: skip
def test_what_looks_wrong_is_told(skeletons: SkeletonSet, problem: str) -> None:
    assert any(problem in each for each in summarize(skeletons).problems)


def test_info_prints_what_is_in_a_file_and_counts_what_cannot_be_used(tmp_path: Path) -> None:
    save_set(_GOOD, tmp_path / "mine.npz")
    save_set(replace(_GOOD, splits={"train": ("s0", "s1"), "test": ("s2", "s3")}), tmp_path / "mine.pkl")

    text = CliRunner().invoke(main, ["dataset", "info", str(tmp_path / "mine.npz")])
    made = CliRunner().invoke(main, ["dataset", "info", str(tmp_path / "mine.pkl"), "--json"])
    gone = CliRunner().invoke(main, ["dataset", "info", str(tmp_path / "gone.npz")])

    assert text.exit_code == 0
    assert text.output.startswith("mine: 4 sequences, 0 of them without a label\n")
    assert json.loads(made.output)["splits"] == {"train": 2, "test": 2}
    assert (gone.exit_code, "gone.npz: no such file" in gone.output) == (2, True)


@pytest.mark.parametrize(
    ("splits", "said", "expected"),
    [
        (["train", "test"], SetDescription(), ("train", "test")),
        (["train", "val"], SetDescription(), ("train", "val")),
        (["train", "val", "test"], SetDescription(), ("train", "test")),
        (["all", "xsub_train", "xsub_val"], SetDescription(), ("xsub_train", "xsub_val")),
        (["a", "b"], SetDescription(train="a", test="b"), ("a", "b")),
    ],
)
def test_the_pair_of_splits_to_train_and_test_with_is_found(
    splits: list[str], said: SetDescription, expected: tuple[str, str]
) -> None:
    skeletons = replace(_GOOD, splits=dict.fromkeys(splits, ("s0",)), description=said)

    assert train_and_test(skeletons) == expected


@pytest.mark.parametrize(
    ("splits", "said", "message"),
    [
        (["all"], SetDescription(), r"no pair of splits .* among all; .*--split share"),
        (["train"], SetDescription(), "no pair of splits"),
        (["train", "test"], SetDescription(train="xsub"), r"train = 'xsub', but its splits are train, test"),
    ],
)
def test_a_set_without_a_pair_of_splits_says_how_to_make_one(
    splits: list[str], said: SetDescription, message: str
) -> None:
    skeletons = replace(_GOOD, splits=dict.fromkeys(splits, ("s0",)), description=said)

    with pytest.raises(DatasetInvalid, match=message):
        train_and_test(skeletons)


def test_classes_of_an_own_set_are_everyday_labels_by_name_or_by_its_description() -> None:
    labels = load_labels().labels
    skeletons = replace(_GOOD, classes=("walk", "greet"), description=SetDescription(everyday={"greet": "wave"}))

    table = own_table(skeletons, labels)

    assert (dict(table.classes), table.group, table.train) == ({"walk": "walk", "greet": "wave"}, "subject", "train")
    with pytest.raises(
        ConfigInvalid, match=r"mine: class 'greet' is no everyday label; .*\[everyday\] of mine\.labels\.toml"
    ):
        own_table(replace(skeletons, description=SetDescription()), labels)


def test_an_own_set_called_as_a_known_one_speaks_for_itself(tmp_path: Path) -> None:
    save_set(replace(_GOOD, classes=("class_0", "class_1")), tmp_path / "clips.npz")
    (tmp_path / "clips.labels.toml").write_text('[everyday]\nclass_0 = "walk"\nclass_1 = "fall"\n')

    table = with_own_sets(load_labels(), ["clips"], [tmp_path])
    without_falls = with_own_sets(load_labels().only(["walk", "none"]), ["clips"], [tmp_path])

    assert dict(table.require("clips").classes) == {"class_0": "walk", "class_1": "fall"}
    assert dict(without_falls.require("clips").classes) == {"class_0": "walk", "class_1": "?"}
    assert load_set(tmp_path / "clips.npz").description.everyday == {"class_0": "walk", "class_1": "fall"}
