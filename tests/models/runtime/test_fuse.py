import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.errors import ContractMismatch, FolderUnwritable, WeightsCorrupt
from models.runtime.contract import ActionContract, UnknownRule, load_contract
from models.runtime.fuse import fuse
from pipelines.stream.build import open_action
from tests.fakes import contract_of, waving_keypoints

LABELS = ("walk", "fall", "none")


def member(folder: Path, logits: list[float], **changes: object) -> Path:
    """A model folder whose network answers every window with the same logits."""
    folder.mkdir()
    shape: list[str | int | None] = ["batch", 1, 30, 13, 5]
    x = helper.make_tensor_value_info("skeleton", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    constants = [
        helper.make_tensor("answer", TensorProto.FLOAT, [1, 3], logits),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("axes", TensorProto.INT64, [4], [1, 2, 3, 4]),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["skeleton", "axes"], ["sum"], keepdims=0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "one"], ["column"]),
        helper.make_node("Add", ["column", "answer"], ["logits"]),
    ]
    constants.append(helper.make_tensor("one", TensorProto.INT64, [1], [1]))
    graph = helper.make_graph(nodes, "fixed", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    sha256 = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    known = contract_of().model_dump() | {"name": folder.name, "sha256": sha256}
    contract = ActionContract.model_validate(known | changes)
    (folder / "model.json").write_text(contract.model_dump_json())
    return folder


def window() -> tuple[np.ndarray, np.ndarray]:
    keypoints = np.stack([waving_keypoints(tick / 15) for tick in range(30)])
    return keypoints[None], np.ones((1, 30), np.bool_)


def softmax(logits: list[float]) -> np.ndarray:
    shares: np.ndarray = np.exp(logits) / np.exp(logits).sum()
    return shares


def test_fusion_is_the_weighted_mean_of_its_members(tmp_path: Path) -> None:
    one, two = member(tmp_path / "one", [3.0, 0, 0]), member(tmp_path / "two", [0, 2.0, 0], temperature=2.0)

    fuse([one, two], [2, 1], tmp_path / "both")

    model = open_action(tmp_path / "both")
    expected = (2 * softmax([3.0, 0, 0]) + softmax([0, 1.0, 0])) / 3
    np.testing.assert_allclose(model(*window())[0], expected, rtol=1e-5)
    assert model.labels == LABELS


def test_unknown_rule_is_that_of_the_whole(tmp_path: Path) -> None:
    one, two = member(tmp_path / "one", [9.0, 0, 0]), member(tmp_path / "two", [0, 9.0, 0])

    fuse([one, two], [1, 1], tmp_path / "strict", UnknownRule(method="max_probability", threshold=0.6))
    fuse([one, two], [1, 1], tmp_path / "same")

    assert open_action(tmp_path / "strict").judge(*window()).is_unknown.tolist() == [True]
    assert open_action(tmp_path / "same").judge(*window()).is_unknown.tolist() == [False]
    assert load_contract(tmp_path / "same" / "model.json").unknown.threshold == 0.4


def test_fusion_keeps_copies_and_notices_when_one_is_changed(tmp_path: Path) -> None:
    one, two = member(tmp_path / "one", [3.0, 0, 0]), member(tmp_path / "two", [0, 2.0, 0])
    fuse([one, two], [1, 1], tmp_path / "both")
    for original in (one, two):
        for path in original.iterdir():
            path.unlink()

    open_action(tmp_path / "both")

    contract = tmp_path / "both" / "1-one" / "model.json"
    other = member(tmp_path / "other", [1.0, 0, 0])
    contract.write_text((other / "model.json").read_text())
    (tmp_path / "both" / "1-one" / "model.onnx").write_bytes((other / "model.onnx").read_bytes())
    with pytest.raises(WeightsCorrupt, match="its members have sha256"):
        open_action(tmp_path / "both")


def test_fusions_can_be_fused(tmp_path: Path) -> None:
    one, two = member(tmp_path / "one", [3.0, 0, 0]), member(tmp_path / "two", [0, 2.0, 0])
    fuse([one, two], [1, 1], tmp_path / "both")

    fuse([tmp_path / "both", one], [2, 1], tmp_path / "all")

    expected = (2 * softmax([3.0, 0, 0]) + softmax([0, 2.0, 0])) / 3
    np.testing.assert_allclose(open_action(tmp_path / "all")(*window())[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "weights", "message"),
    [
        ({"labels": ["walk", "fall", "run"]}, [1, 1], "labels only in one: none; only in two: run"),
        ({"labels": ["fall", "walk", "none"]}, [1, 1], "same labels in another order"),
        ({"window_s": 3.0, "num_frames": 45}, [1, 1], "window_s 3.0 s and 2.0 s differ"),
        ({}, [1, 1, 1], "found 3 weights, expected 2"),
        ({}, [1, 0], "found weight 0, expected a number above 0"),
        ({}, [1, float("nan")], "found weight nan"),
    ],
    ids=["labels", "order", "window", "number", "zero", "nan"],
)
def test_fuse_refuses_what_does_not_fit_together(
    tmp_path: Path, changes: dict[str, object], weights: list[float], message: str
) -> None:
    rules = dict.fromkeys(("walk", "fall", "run"), contract_of().actions["walk"])
    one = member(tmp_path / "one", [3.0, 0, 0])
    two = member(tmp_path / "two", [0, 2.0, 0], actions=rules, **changes)

    with pytest.raises(ContractMismatch, match=message):
        fuse([one, two], weights, tmp_path / "both")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_fuse_says_that_a_folder_cannot_be_written(tmp_path: Path) -> None:
    one = member(tmp_path / "one", [3.0, 0, 0])
    (tmp_path / "file").touch()

    with pytest.raises(FolderUnwritable, match="file/both"):
        fuse([one, one], [1, 1], tmp_path / "file" / "both")


def test_fuse_leaves_a_folder_alone_that_holds_something(tmp_path: Path) -> None:
    one = member(tmp_path / "one", [3.0, 0, 0])

    with pytest.raises(ContractMismatch, match="not empty"):
        fuse([one, one], [1, 1], one)

    assert json.loads((one / "model.json").read_text())["network"] == "stgcnpp"
