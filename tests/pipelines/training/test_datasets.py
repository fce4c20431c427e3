import contextlib
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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

    with pytest.raises(DatasetInvalid, match=r"asks for (posix|os|nt)\.system"):
        load_set(tmp_path / "evil.pkl")

    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps([1, 2]), "expected a dict"),
        (pickle.dumps({"split": {}}), "expected a list under `annotations`, got NoneType"),
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
    ids=["a list", "no annotations", "text", "empty", "wrong shape", "unknown name", "label out of range", "nan"],
)  # fmt: skip
def test_broken_pickle_says_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "broken.pkl").write_bytes(content)

    with pytest.raises(DatasetInvalid, match=message):
        load_set(tmp_path / "broken.pkl")


_HEAD = b"\x80\x04"


def _named(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _dtype(name: str = "f4", order: str = "<") -> bytes:
    flags = b"\x89\x88\x87R(K\x03" + b"\x8c\x01" + order.encode() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return _named("numpy", "dtype") + b"\x8c" + bytes([len(name)]) + name.encode() + flags


def _array(shape: bytes, content: bytes, dtype: bytes | None = None) -> bytes:
    made = _named("numpy.core.multiarray", "_reconstruct") + _named("numpy", "ndarray") + b"K\x00\x85C\x01b\x87R"
    return made + b"(K\x01" + shape + (dtype or _dtype()) + b"\x89" + content + b"tb"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_array(b"K\x02\x85", b"C\x04abcd"), "8 bytes by its shape, with 4"),
        (_array(b"J\xff\xff\xff\x7f\x85", b"C\x04abcd"), "by its shape, with 4"),
        (_array(b"J\xff\xff\xff\xff\x85", b"C\x04abcd"), "no tuple of sizes"),
        (_array(b"\x8a\x08" + b"\xff" * 7 + b"\x7f" + b"\x85", b"C\x04abcd"), "by its shape, with 4"),
        (_array(b"K\x01\x85", b"C\x08abcdefgh", _dtype("O8", "|")), "dtype 'O8'"),
        (_array(b"K\x01\x85", b"C\x08abcdefgh", _dtype("V8", "|")), "dtype 'V8'"),
        (_array(b"K\x01\x85", b"C\x08abcdefgh", _dtype("M8")), "dtype 'M8'"),
        (_array(b"K\x01\x85", b"C\x00", _dtype("V0", "|")), "dtype 'V0'"),
        (_array(b"K\x01\x85", b"]", _dtype("f4")), "content is list"),
        (_array(b"K\x01\x85", b"C\x01\x07", _dtype("b1", "|")), "neither true nor false"),
        (_named("builtins", "bytearray") + b"J\x00\x00\x00\x7f\x85R", "bytes of int"),
        (_named("builtins", "bytes") + b"J\x00\x00\x00\x7f\x85R", "bytes of int"),
        (_named("builtins", "list") + b"\x85R", r"asks for builtins\.list"),
        (_named("numpy", "ndarray") + b"J\x00\x00\x00\x7f\x85\x85R", "ndarray cannot be called"),
        (b"\x8b\xff\xff\xff\x7f", "an integer of"),
        (b"\x8e" + b"\xff" * 8, "bytes announced"),
        (b"\x96" + b"\x00" * 7 + b"\x01", "bytes announced"),
        (b"]\x94h\x00a", "refers to itself"),
        (b"]\x94" + b"".join(b"h%c" % n * 2 + b"\x86\x94" for n in range(40)), "refers to itself"),
        (b"]\x94" + b"]\x94(" + b"h\x00" * 9 + b"e" + b"".join(b"]\x94(" + b"h%c" % n * 9 + b"e" for n in range(1, 40)),
         "refers to itself"),
        (b"(" * 100_000 + b"t" * 100_000, "far larger|not a readable"),
        (b"]" * 100_000 + b"a" * 99_999, "far larger"),
        (b"P1\n", "opcode b'P'"), (b"\x82\x01", "opcode"), (b"\x98", "opcode"), (b"i", "opcode"), (b"o", "opcode"),
        (_named("numpy.core.multiarray", "scalar") + _dtype("O8", "|") + b"C\x08abcdefgh\x86R", "dtype 'O8'"),
        (_named("numpy", "dtype") + b"\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<(N\x8c\x01xttb", "not plain"),
        (_named("numpy", "dtype"), "a name where a value belongs"),
        (_dtype(), "a name where a value belongs"),
    ],
)  # fmt: skip
def test_pickle_that_lies_is_refused_before_anything_is_allocated(tmp_path: Path, body: bytes, message: str) -> None:
    (tmp_path / "evil.pkl").write_bytes(_HEAD + body + b".")
    tracemalloc.start()

    with pytest.raises(DatasetInvalid, match=message):
        load_set(tmp_path / "evil.pkl")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 60 * 2**20


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_pickle_of_either_numpy_is_read(tmp_path: Path, protocol: int, core: bytes) -> None:
    keypoint = np.arange(2 * 3 * 17 * 2, dtype=np.float16).reshape(2, 3, 17, 2)
    rows = [
        {"frame_dir": "a", "label": np.int64(1), "keypoint": keypoint, "img_shape": (48, 64), "total_frames": 3},
        {
            "frame_dir": "b",
            "label": 0,
            "keypoint": np.asfortranarray(keypoint.astype(">f8")),
            "valid": np.ones(3, bool),
        },
    ]
    content = pickle.dumps({"split": {"train": ["a"]}, "annotations": rows}, protocol)
    swapped = content.replace(b"numpy._core", b"numpy.core") if core == b"numpy.core" else content
    if protocol > 3 and core == b"numpy.core":
        swapped = swapped.replace(b"\x8c\x16numpy.core", b"\x8c\x15numpy.core").replace(
            b"\x8c\x13numpy.core", b"\x8c\x12numpy.core"
        )
    (tmp_path / "set.pkl").write_bytes(swapped)

    found = load_set(tmp_path / "set.pkl").annotations

    np.testing.assert_array_equal(found[0].keypoint, keypoint.astype(np.float32))
    np.testing.assert_array_equal(found[1].keypoint, keypoint.astype(np.float32))
    assert (found[0].label, found[0].shape_hw) == (1, (48, 64))
    assert found[0].keypoint.flags.writeable


_GOOD = pickle.dumps(
    {"split": {"a": ["x"]}, "classes": ["c"], "fps": 25.0, "annotations": [
        {"frame_dir": "x", "label": 0, "keypoint": np.zeros((1, 2, 3, 2), np.float16), "note": "ü", "tags": {"t"}}]},
    4,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, len(_GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 40)
)
def test_mutated_pickle_is_read_or_refused_and_nothing_else(
    tmp_path: Path, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(_GOOD)
    for place, value in changes:
        content[place] = value
    path = tmp_path / "mutated.pkl"
    path.write_bytes(content[: len(content) - cut])

    with contextlib.suppress(DatasetInvalid):
        load_set(path)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "random.pkl"
    path.write_bytes(_HEAD + content)

    with contextlib.suppress(DatasetInvalid):
        load_set(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }", "in .* bytes"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "object"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "of shape"),
    ],
)
def test_npz_whose_member_lies_is_refused(tmp_path: Path, header: str, message: str) -> None:
    text = header.encode().ljust(117) + b"\n"
    with zipfile.ZipFile(tmp_path / "evil.npz", "w") as archive:
        archive.writestr("meta.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\x00" * 8)

    with pytest.raises(DatasetInvalid, match=message):
        load_set(tmp_path / "evil.npz")


def test_npz_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", meta=np.zeros(40 * 2**20))

    with pytest.raises(DatasetInvalid, match="unpack to"):
        load_set(tmp_path / "bomb.npz")


@pytest.mark.parametrize(
    "more",
    [{"fps": "fast"}, {"to_coco17": 5}, {"to_coco17": [9] * 17}, {"to_coco17": [-1] * 17}, {"to_coco17": [0] * 3},
     {"split": []}, {"annotations": {"x": 1}}, {"annotations": [[1]]}, {"classes": 5}],
    ids=str,
)  # fmt: skip
def test_set_whose_description_is_wrong_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    row = {"frame_dir": "x", "label": 0, "keypoint": np.zeros((1, 2, 3, 2), np.float16)}
    (tmp_path / "odd.pkl").write_bytes(pickle.dumps({"split": {}, "annotations": [row]} | more))

    with pytest.raises(DatasetInvalid):
        load_set(tmp_path / "odd.pkl")


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
