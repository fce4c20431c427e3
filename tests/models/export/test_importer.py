import json
import os
import pickle
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from models.errors import CheckpointMismatch
from models.export.checkpoints import load_strictly, read_state
from models.export.import_command import main
from models.export.importer import ImportRequest, import_checkpoint
from models.nets.layers import GraphConfig
from models.nets.stgcn import STGCN, STGCNOptions
from models.nets.stgcnpp import STGCNPP
from models.runtime.action import ActionModel
from models.runtime.contract import load_contract
from models.runtime.preprocess import People
from models.runtime.session import Session
from models.skeleton.layouts import require_layout


@pytest.fixture(scope="module")
def small() -> STGCNPP:
    """Two narrow stages, the second of which halves time; enough to say everything about names and shapes."""
    torch.manual_seed(0)
    layout = require_layout("body13")
    return STGCNPP(GraphConfig(layout, 5, 3, 2, 12, 2, inflate_stages=(2,), down_stages=(2,))).eval()


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> object:
    """An object of a type that MMEngine leaves in its checkpoints, with an array inside."""
    module = ModuleType("mmengine.logging.history_buffer")
    kind = type("HistoryBuffer", (), {"__module__": module.__name__})
    monkeypatch.setattr(module, "HistoryBuffer", kind, raising=False)
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    made: object = kind()
    vars(made)["values"] = np.zeros(3)
    return made


def published(network: nn.Module) -> dict[str, Tensor]:
    """The network's tensors under the reference's names."""
    state = network.state_dict()
    return {("cls_head." if key.startswith("fc_cls") else "backbone.") + key: value for key, value in state.items()}


def test_import_of_the_gesture_checkpoint_serves_its_logits(
    golden_dir: Path, weights_dir: Path, tmp_path: Path
) -> None:
    golden = np.load(golden_dir / "hagrid_gesture.npz")
    names = json.loads(str(golden["index"]))["label_names"]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    checkpoint = weights_dir / "stgcnpp_hagrid_pyskl.pth"

    folder = import_checkpoint(
        ImportRequest(checkpoint, "stgcn++", "handmp", 40, tmp_path / "hand", tmp_path / "labels.txt", 1, 10)
    )

    contract = json.loads((folder / "model.json").read_text())
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    assert contract["labels"] == names
    assert contract["layout"] == "hand21"
    assert contract["inputs"][0]["shape"] == ["batch", "persons", "frames", 21, 2]
    for name in json.loads(str(golden["index"]))["cases"]:
        (logits,) = session.run(["logits"], {"keypoint": golden[f"{name}/model_input"][0]})
        assert np.abs(logits - golden[f"{name}/logits64"]).max() <= 2e-4, name
    model = ActionModel(load_contract(folder / "model.json"), Session(folder / "model.onnx"))
    for name in json.loads(str(golden["index"]))["cases"]:
        hands = golden[f"{name}/keypoint_raw"]
        is_seen = np.full((1, hands.shape[1]), (hands != 0).any())
        logits = model.scaled_logits(People(hands[:, None], is_seen[:, None]))
        assert np.abs(logits - golden[f"{name}/logits64"]).max() <= 2e-4, name
        assert np.abs(model(hands, is_seen) - golden[f"{name}/prob"]).max() <= 1e-5, name


def test_import_follows_the_shapes_of_the_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layout = require_layout("body13")
    small = STGCN(GraphConfig(layout, 5, 3, 2, 12, 2, inflate_stages=(2,), down_stages=(2,)), STGCNOptions()).eval()
    torch.save(published(small), tmp_path / "small.pth")

    result = CliRunner().invoke(
        main,
        f"{tmp_path}/small.pth --arch stgcn --layout body13 --num-classes 5 --frames 16 -o {tmp_path}/out".split(),
    )

    assert result.exit_code == 0, result.output
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    x = torch.randn(3, 2, 16, 13, 3, generator=torch.Generator().manual_seed(1))
    x[1, 1] = 0
    x[2] = 0
    for frames in (16, 9):
        (logits,) = session.run(["logits"], {"keypoint": x[:, :, :frames].numpy()})
        with torch.no_grad():
            assert np.abs(logits - small(x[:, :, :frames]).numpy()).max() < 1e-6


@pytest.mark.parametrize("wrapping", ["plain", "state_dict", "parallel", "mmaction2"])
def test_read_state_finds_the_tensors_in_every_wrapping(
    small: STGCNPP, tmp_path: Path, wrapping: str, history: object
) -> None:
    state: dict[str, Tensor] = published(small)
    contents: dict[str, dict[str, object]] = {
        "plain": {**state},
        "state_dict": {"state_dict": state, "meta": {"epoch": 3}},
        "parallel": {"state_dict": {f"module.{key}": value for key, value in state.items()}},
        "mmaction2": {
            "state_dict": {key.replace("cls_head.fc_cls", "cls_head.fc"): value for key, value in state.items()}
            | {"data_preprocessor.mean": torch.zeros(3)},
            "message_hub": {"loss": history},
        },
    }
    torch.save(contents[wrapping], tmp_path / "some.pth")

    found = read_state(tmp_path / "some.pth")

    load_strictly(small, found)
    assert set(found) == set(small.state_dict())


def test_read_state_refuses_a_file_that_would_run_something(tmp_path: Path) -> None:
    torch.save({"state_dict": {"backbone.A": _Evil(tmp_path / "ran")}}, tmp_path / "evil.pth")

    with pytest.raises(CheckpointMismatch, match=r"evil\.pth: refused: opening it would run .*(mkdir|posix)"):
        read_state(tmp_path / "evil.pth")

    assert not (tmp_path / "ran").exists()


def test_read_state_refuses_an_old_pickle_that_would_run_something(tmp_path: Path) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"state_dict": _Evil(tmp_path / "ran")}))

    with pytest.raises(CheckpointMismatch, match=r"evil\.pkl: cannot be read safely as a checkpoint"):
        read_state(tmp_path / "evil.pkl")

    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 torn"], ids=["empty", "text", "torn"])
def test_read_state_says_what_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "some.pth").write_bytes(content)

    with pytest.raises(CheckpointMismatch, match=r"some\.pth"):
        read_state(tmp_path / "some.pth")


def test_load_strictly_names_every_misfit(small: STGCNPP) -> None:
    state = dict(small.state_dict())
    state["extra.weight"] = torch.zeros(2)
    state["fc_cls.bias"] = torch.zeros(6)
    state["gcn.0.gcn.A"] = torch.full_like(state["gcn.0.gcn.A"], torch.nan)
    del state["gcn.1.tcn.bn.weight"]

    with pytest.raises(CheckpointMismatch) as raised:
        load_strictly(small, state)

    assert sorted(str(raised.value).splitlines()) == [
        "4 tensors do not fit:",
        "fc_cls.bias: found (6,), expected (5,)",
        "gcn.0.gcn.A: holds values that are not finite",
        "left over extra.weight (2,)",
        "missing gcn.1.tcn.bn.weight (24,)",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arch", "stgcn++", "--layout", "body13", "--num-classes", "6"], r"fc_cls\.bias: found \(5,\)"),
        (["--arch", "stgcn++", "--layout", "coco17", "--num-classes", "5"], r"data_bn\.weight: 39 values do not"),
        (["--arch", "ctrgcn", "--layout", "body13", "--num-classes", "5"], "not a checkpoint of this network"),
        (["--arch", "stgcn++", "--layout", "body13", "--num-classes", "5", "--input", "heatmap"], "takes keypoint"),
    ],
    ids=["classes", "layout", "network", "input"],
)
def test_import_refuses_what_does_not_fit(small: STGCNPP, tmp_path: Path, options: list[str], message: str) -> None:
    torch.save({"state_dict": published(small)}, tmp_path / "small.pth")

    result = CliRunner().invoke(main, [str(tmp_path / "small.pth"), *options, "-o", str(tmp_path / "out")])

    assert result.exit_code == 2
    assert result.stderr.startswith("actogram: checkpoint_mismatch: ")
    assert re.search(message, result.stderr)
    assert not (tmp_path / "out").exists()


class _Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)
