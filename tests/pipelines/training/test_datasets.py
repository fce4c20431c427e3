import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import DatasetInvalid
from pipelines.training.datasets import Annotation, SkeletonSet, frame_labels, load_set, save_set, to_coco17


class _Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def _set() -> SkeletonSet:
    generator = np.random.default_rng(0)
    annotations = tuple(
        Annotation(
            f"walk_{index}", index % 2, generator.normal(100, 10, (1, 6 + index, 3, 2)).astype(np.float32),
            np.ones((1, 6 + index, 3), np.float32), (48, 64), {"subject": index, "frame_label": np.arange(6 + index)},
        )
        for index in range(4)
    )  # fmt: skip
    mapping = (0, None, None, None, None, 1, 2, *[None] * 10)
    return SkeletonSet(
        "tiny", ("a", "b"), {"train": ("walk_0", "walk_1")}, annotations, mapping, 25.0, {"license": "ours"}
    )


@pytest.mark.parametrize("suffix", [".npz", ".pkl"])
def test_set_is_the_same_after_saving_and_loading(tmp_path: Path, suffix: str) -> None:
    skeletons = _set()

    save_set(skeletons, tmp_path / f"tiny{suffix}")
    found = load_set(tmp_path / f"tiny{suffix}")

    assert (found.name, found.classes, found.splits) == ("tiny", skeletons.classes, skeletons.splits)
    assert (found.to_coco17, found.rate_hz, found.meta["license"]) == (skeletons.to_coco17, 25.0, "ours")
    for before, after in zip(skeletons.annotations, found.annotations, strict=True):
        np.testing.assert_array_equal(after.keypoint, before.keypoint)
        assert (after.name, after.label, after.shape_hw, after.extra["subject"]) == (
            before.name, before.label, (48, 64), before.extra["subject"],
        )  # fmt: skip
        labels = frame_labels(after)
        assert labels is not None
        assert labels.tolist() == list(range(before.keypoint.shape[1]))
    assert [path.name for path in tmp_path.iterdir()] == [f"tiny{suffix}"]


def test_pickle_that_runs_a_command_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    target = tmp_path / "ran"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": [_Evil(target)]}))

    with pytest.raises(DatasetInvalid, match=r"refers to (posix|os|nt)\.system"):
        load_set(tmp_path / "evil.pkl")

    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([1, 2]), "expected a dict"),
        (pickle.dumps({"annotations": []}), "KeyError: 'split'"),
        (b"not a pickle", "not a readable pickle"),
        (b"", "not a readable pickle"),
        (pickle.dumps({"split": {}, "annotations": [{"frame_dir": "x", "label": 0, "keypoint": np.zeros((3, 2))}]}),
         r"expected \(M, T, V, 2 or 3\)"),
        (pickle.dumps({"split": {"t": ["y"]}, "annotations": []}), "split 't' names 'y'"),
        (pickle.dumps({"split": {}, "classes": ["a"], "annotations": [
            {"frame_dir": "x", "label": 3, "keypoint": np.zeros((1, 2, 3, 2))}]}), "label 3 of 1 classes"),
        (pickle.dumps({"split": {}, "annotations": [
            {"frame_dir": "x", "label": 0, "keypoint": np.full((1, 2, 3, 2), np.nan)}]}), "not a number"),
    ],
    ids=["a list", "no split", "text", "empty", "wrong shape", "unknown name", "label out of range", "nan"],
)  # fmt: skip
def test_broken_pickle_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "broken.pkl").write_bytes(content)

    with pytest.raises(DatasetInvalid, match=message):
        load_set(tmp_path / "broken.pkl")


def test_npz_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "evil.npz", meta=np.array([{"split": {}}], dtype=object))

    with pytest.raises(DatasetInvalid, match=r"evil\.npz: not a skeleton set"):
        load_set(tmp_path / "evil.npz")


def test_saving_under_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetInvalid, match=r"ending in \.npz or \.pkl"):
        save_set(_set(), tmp_path / "tiny.json")


def test_to_coco17_puts_joints_in_place_and_scores_the_lacking_ones_zero() -> None:
    skeletons = _set()

    keypoint, score = to_coco17(skeletons, skeletons.annotations[0])

    np.testing.assert_array_equal(keypoint[:, :, 5], skeletons.annotations[0].keypoint[:, :, 1])
    assert score[0, 0].nonzero()[0].tolist() == [0, 5, 6]


@pytest.mark.parametrize("name", ["jhmdb14", "urfd", "utkinect", "movenet_falls"])
def test_real_set_loads_through_the_restricted_unpickler(data_dir: Path, name: str) -> None:
    skeletons = load_set(data_dir / "skeleton" / f"{name}.pkl")

    assert len(skeletons.annotations) > 50
    assert skeletons.to_coco17 is not None
    assert len(skeletons.to_coco17) == 17
