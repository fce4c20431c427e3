"""What an action model's network is declared for: one window, whatever its file leaves free."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from models.runtime.action import ActionModel
from models.runtime.continual import ContinualModel
from models.runtime.contract import ActionContract, TensorSpec
from models.runtime.device import REHEARSAL
from models.runtime.session import Session
from models.runtime.windows import declare_windows, sample_window
from tests.fakes import contract_of


def _network(path: Path, inputs: Sequence[TensorSpec], num_states: int = 0) -> Path:
    """Three logits, the mean of everything a window holds; where there are states, those one further."""
    nodes = [
        helper.make_node("Flatten", [inputs[0].name], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "mean", "mean"], ["logits"], axis=1),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])]
    if num_states:
        nodes.append(helper.make_node("Add", ["state", "state"], ["next_state"]))
        outputs.append(helper.make_tensor_value_info("next_state", TensorProto.FLOAT, ["batch", num_states]))
    given = [helper.make_tensor_value_info(one.name, TensorProto.FLOAT, list(one.shape)) for one in inputs]
    graph = helper.make_graph(nodes, "test", given, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def _contract(features: str, layout: str, shape: tuple[int | str, ...], **changes: object) -> ActionContract:
    inputs = (TensorSpec(name="keypoint", shape=shape, dtype="float32"),)
    contract = contract_of(features=features, layout=layout, inputs=inputs, outputs=("logits",))
    return contract.model_copy(update=changes)


_FREE = ("batch", "persons", "frames")
_CONTRACTS = [
    pytest.param(_contract("pyskl-2d", "coco17", (*_FREE, 17, 3), num_persons=2), (2, 30, 17, 3), id="2D"),
    pytest.param(_contract("pyskl-2d", "coco17", (*_FREE, 17, 2), num_persons=1), (1, 30, 17, 2), id="without scores"),
    pytest.param(_contract("pyskl-3d", "nturgbd25", (*_FREE, 25, 3), num_persons=2), (2, 30, 25, 3), id="3D"),
    pytest.param(
        _contract("pyskl-2d", "coco17", (*_FREE, 17, 3), num_persons=2, sampling="uniform", num_frames=12),
        (2, 12, 17, 3), id="frames drawn from the window",
    ),
    pytest.param(
        _contract("heatmap", "coco17", (*_FREE, 17, 3), num_persons=2, sampling="uniform", num_frames=8),
        (2, 8, 17, 3), id="heatmaps drawn in the graph",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("contract", "row"), _CONTRACTS)
def test_window_of_every_kind_of_features_is_declared(
    contract: ActionContract, row: tuple[int, ...], tmp_path: Path
) -> None:
    session = Session(_network(tmp_path / "model.onnx", contract.inputs), REHEARSAL)

    declare_windows(contract, session)

    assert session.declared_shapes[1] == {"keypoint": (2, *row)}


@pytest.mark.parametrize(("contract", "row"), _CONTRACTS)
def test_model_feeds_what_was_declared_when_somebody_was_seen_for_a_part_of_the_window(
    contract: ActionContract, row: tuple[int, ...], tmp_path: Path
) -> None:
    session = Session(_network(tmp_path / "model.onnx", contract.inputs), REHEARSAL)
    declare_windows(contract, session)
    people = sample_window(contract)
    people.valid[:, :, : people.valid.shape[2] // 2] = False

    ActionModel(contract, session).judge(people.keypoints, people.valid, people.size_wh)

    assert session.fed_shapes == {(("keypoint", (1, *row)),)}


def test_step_of_a_continual_network_is_declared(tmp_path: Path) -> None:
    inputs = (
        TensorSpec(name="frames", shape=("batch", 1, 17, 3), dtype="float32"),
        TensorSpec(name="state", shape=("batch", 40), dtype="float32"),
    )
    contract = contract_of(
        features="pyskl-2d", layout="coco17", inputs=inputs, outputs=("logits", "next_state"), is_continual=True
    )
    session = Session(_network(tmp_path / "model.onnx", inputs, num_states=40), REHEARSAL)
    declare_windows(contract, session)
    model = ContinualModel(contract, session)

    logits, state = model.step(np.ones((3, 17, 3), np.float32), (640, 360), model.new_state(3))

    assert session.fed_shapes == {(("frames", (4, 1, 17, 3)), ("state", (4, 40)))}
    assert (logits.shape, state.shape) == ((3, 3), (3, 40))


def test_nothing_is_declared_on_the_cpu(tmp_path: Path) -> None:
    contract = _contract("pyskl-2d", "coco17", (*_FREE, 17, 3))
    session = Session(_network(tmp_path / "model.onnx", contract.inputs))

    declare_windows(contract, session)

    assert session.declared_shapes == ()
