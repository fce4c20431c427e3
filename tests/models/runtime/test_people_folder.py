"""Folders of detectors and pose estimators: what is written loads again, and what is wrong is named."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from models.errors import ContractMismatch, LayoutUnknown, ModelError, WeightsCorrupt, WeightsMissing
from models.runtime.people_folder import is_people_folder, load_people_folder, read_people_folder, write_people_folder
from models.weights.registry import InputContract, ModelSpec

_CONTENT = b"not opened here"
_MANIFEST: dict[str, object] = {
    "format": "actogram-people-1",
    "name": "mine",
    "task": "pose",
    "family": "heatmap",
    "layout": "coco17",
    "labels": [],
    "input": {"size_wh": [192, 256], "colour": "rgb", "mean": [1, 2, 3], "std": [4, 5, 6], "max_batch": 0},
    "decode": {"method": "dark", "blur_kernel": 11},
    "licence": "Apache-2.0",
    "terms": "",
    "source": "a test",
    "sha256": hashlib.sha256(_CONTENT).hexdigest(),
}
_DETECTOR = {"task": "detect", "family": "yolo", "layout": "", "labels": ["person"]}


def _folder(path: Path, **changes: object) -> Path:
    path.mkdir(exist_ok=True)
    (path / "model.onnx").write_bytes(_CONTENT)
    (path / "model.json").write_text(json.dumps(_MANIFEST | changes))
    return path


def test_written_folder_loads_as_the_same_network(tmp_path: Path) -> None:
    weights = tmp_path / "any.onnx"
    weights.write_bytes(_CONTENT)
    spec = ModelSpec(
        name="mine", task="detect_pose", family="yolo-pose", files={}, layout="coco17", labels=("dog", "Person"),
        input=InputContract((640, 480), "rgb", (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 8), licence="AGPL-3.0",
        terms="It reaches what is built on it.", decode={"iou_threshold": 0.6},
    )  # fmt: skip

    write_people_folder(tmp_path / "deep" / "mine", spec, weights, source="a test")
    loaded, path = load_people_folder(tmp_path / "deep" / "mine")

    assert path.read_bytes() == _CONTENT
    assert loaded.require_file("model").sha256 == hashlib.sha256(_CONTENT).hexdigest()
    assert loaded.person_class == 1
    assert "a test" in loaded.card
    fields = ("name", "task", "family", "layout", "labels", "input", "licence", "terms", "decode")
    assert [getattr(loaded, name) for name in fields] == [getattr(spec, name) for name in fields]


def test_folder_is_replaced_when_it_is_written_again(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "mine")
    spec = read_people_folder(folder)
    (folder / "model.onnx").write_bytes(b"another")

    write_people_folder(folder, spec, folder / "model.onnx")

    assert load_people_folder(folder)[0].require_file("model").sha256 == hashlib.sha256(b"another").hexdigest()


def test_folder_loads_when_it_says_more_than_is_known(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "mine", colour_of_the_box="blue", decode={"method": "dark", "curve": [1, 2]})

    spec, _ = load_people_folder(folder)

    assert spec.decode == {"method": "dark"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        pytest.param({"sha256": "0" * 64}, WeightsCorrupt, "model.json says 000000000000", id="another hash"),
        pytest.param({"sha256": "none"}, ContractMismatch, "sha256", id="no hash"),
        pytest.param({"format": "actogram-people-2"}, ContractMismatch, "format", id="format of the future"),
        pytest.param({"name": "../else"}, ContractMismatch, "name", id="name that is a path"),
        pytest.param({"family": "detr"}, ContractMismatch, "'detr' is not one of rtmdet", id="unknown family"),
        pytest.param({"family": "yolo"}, ContractMismatch, "has the task detect, found pose", id="another task"),
        pytest.param({"layout": "coco99"}, LayoutUnknown, "coco99", id="unknown layout"),
        pytest.param({"layout": ""}, LayoutUnknown, "''", id="pose without layout"),
        pytest.param({"layout": "hand21"}, LayoutUnknown, "left_shoulder", id="joints of a hand"),
        pytest.param({**_DETECTOR, "layout": "coco17"}, ContractMismatch, "no joints", id="detector with joints"),
        pytest.param({**_DETECTOR, "labels": ["cat", "dog"]}, ContractMismatch, "cat, dog", id="nobody to detect"),
        pytest.param({"input": {"size_wh": [0, 0]}}, ContractMismatch, "size_wh", id="no size"),
        pytest.param({"input": {"size_wh": [10**9, 8]}}, ContractMismatch, "size_wh", id="size beyond all memory"),
        pytest.param({"input": {"size_wh": [8, 8], "std": [1, 0, 1]}}, ContractMismatch, "above 0", id="divide by 0"),
        pytest.param({"input": {"size_wh": [8, 8], "mean": [1]}}, ContractMismatch, "mean", id="one channel"),
        pytest.param({"decode": {"method": "magic"}}, ContractMismatch, "default, dark or none", id="unknown method"),
        pytest.param({"decode": {"blur_kernel": 4}}, ContractMismatch, "odd", id="even kernel"),
        pytest.param({"decode": {"iou_threshold": True}}, ContractMismatch, "0 to 1", id="no number"),
    ],
)
def test_folder_is_refused_when_it_says_something_impossible(
    tmp_path: Path, changes: dict[str, object], error: type[ModelError], words: str
) -> None:
    folder = _folder(tmp_path / "mine", **changes)

    with pytest.raises(error, match=words):
        load_people_folder(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b'{"format": "actogram-people-1"}', b"[" * 100_000])
def test_folder_is_refused_when_its_manifest_is_broken(tmp_path: Path, content: bytes) -> None:
    folder = _folder(tmp_path / "mine")
    (folder / "model.json").write_bytes(content)

    with pytest.raises(ContractMismatch, match=r"model\.json"):
        load_people_folder(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.json"])
def test_folder_is_refused_when_a_file_is_missing_or_elsewhere(tmp_path: Path, name: str) -> None:
    folder = _folder(tmp_path / "mine")
    elsewhere = (folder / name).rename(tmp_path / name)

    with pytest.raises(WeightsMissing, match=f"{name}: no such file"):
        load_people_folder(folder)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(ContractMismatch, match="leads out of its folder"):
        load_people_folder(folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(WeightsMissing, match="no such file"):
        load_people_folder(folder)


def test_nothing_is_written_when_the_folder_could_not_be_loaded(tmp_path: Path) -> None:
    weights = tmp_path / "any.onnx"
    weights.write_bytes(_CONTENT)
    spec = ModelSpec(name="mine", task="pose", family="simcc", files={}, layout="coco99")

    with pytest.raises(ModelError):
        write_people_folder(tmp_path / "mine", spec, weights)

    assert not (tmp_path / "mine").exists()


def test_folder_is_known_by_its_format_and_no_other(tmp_path: Path) -> None:
    people = _folder(tmp_path / "people", layout="coco99")
    action = _folder(tmp_path / "action", format=None, task="action")

    assert is_people_folder(people)
    assert not is_people_folder(action)
    assert not is_people_folder(tmp_path / "absent")
