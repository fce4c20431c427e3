"""The graph networks against the reference implementation: logits, tensor names, shapes."""

import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.export.checkpoints import load_strictly, our_name, read_state
from models.nets.build import NetworkRequest, require_network
from models.skeleton.layouts import require_layout

from .conftest import GoldenCase

TOLERANCE = 2e-4
ARCHITECTURES = {
    "stgcn_vanilla_coco_60": "stgcn",
    "stgcnpp_coco_60": "stgcn++",
    "aagcn_coco_60": "aagcn",
    "msg3d_coco_60": "msg3d",
    "ctrgcn_coco_60": "ctrgcn",
    "dgstgcn_coco_60": "dgstgcn",
}


@pytest.mark.parametrize("case", ["stgcn_vanilla_coco_60", "stgcnpp_coco_60"])
def test_logits_equal_the_reference(golden_case: Callable[[str], GoldenCase], tmp_path: Path, case: str) -> None:
    golden = golden_case(case)
    torch.save({"state_dict": dict(golden.state)}, tmp_path / "reference.pth")

    network = _imported(tmp_path / "reference.pth", ARCHITECTURES[case], "coco17", 60)
    with torch.no_grad():
        logits = network(golden.inputs["keypoint"]).numpy()

    assert np.abs(logits - golden.logits["cls"]).max() <= TOLERANCE


def test_published_gesture_checkpoint_gives_the_published_logits(golden_dir: Path, weights_dir: Path) -> None:
    golden = np.load(golden_dir / "hagrid_gesture.npz")
    network = _imported(weights_dir / "stgcnpp_hagrid_pyskl.pth", "stgcn++", "hand21", 40, persons=1)

    for name in json.loads(str(golden["index"]))["cases"]:
        x = torch.as_tensor(golden[f"{name}/model_input"])[0]
        with torch.no_grad():
            logits = network(x).numpy()

        assert np.abs(logits - golden[f"{name}/logits64"]).max() <= TOLERANCE, name


@pytest.mark.parametrize(("case", "architecture"), ARCHITECTURES.items(), ids=ARCHITECTURES)
def test_network_has_the_published_tensors(golden_dir: Path, case: str, architecture: str) -> None:
    header, groups = _published(golden_dir / "keys.md", case)
    entry = require_network(architecture)
    network = entry.build(NetworkRequest(require_layout("coco17"), 60))

    state = network.state_dict()
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()} | dict.fromkeys(entry.unread, _unread(network))
    tensors, values = map(int, re.findall(r"\d+", header)[-2:])
    floats = [shape for key, shape in shapes.items() if not key.endswith("num_batches_tracked")]

    assert len(shapes) == tensors
    assert sum(math.prod(shape) for shape in floats) == values
    for line in groups:
        found = [shapes[key] for key in _expand(line) if key in shapes]
        written = [_shape(text) for text in re.findall(r"\([\d,]*\)", line.split(":", 1)[1])]
        assert found, line
        assert {found[0], found[-1]} <= set(written) | {()}, line


def _imported(path: Path, architecture: str, layout: str, num_classes: int, persons: int = 2) -> nn.Module:
    entry, state = require_network(architecture), read_state(path)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    network = entry.build(NetworkRequest(require_layout(layout), num_classes, persons, shapes=shapes))
    load_strictly(network, state, entry.unread)
    return network.eval()


def _published(path: Path, case: str) -> tuple[str, list[str]]:
    """The header and the group lines of one network in keys.md."""
    section = path.read_text().split(f"### {case}:")[1].split("###")[0]
    header, _, body = section.partition("```")
    return header, [line.strip() for line in body.splitlines() if " : " in line]


def _expand(line: str) -> Iterator[str]:
    """Our names of the tensors that a line like `backbone.gcn.{0-9}.gcn : A+alpha (...)` stands for."""
    pattern, kinds = line.split(" : ")
    parts = re.split(r"\{([\d,-]+)\}", pattern)
    indexes = [list(_numbers(part)) if position % 2 else [part] for position, part in enumerate(parts)]
    kind = kinds.split()[0]
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    for names in product(*indexes):
        for leaf in norm if kind == "BN5" else kind.split("+"):
            yield our_name(f"{''.join(names)}.{leaf}")


def _numbers(text: str) -> Iterator[str]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from map(str, range(int(first), int(last or first) + 1))


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.strip("()").split(",") if number)


def _unread(network: nn.Module) -> tuple[int, ...]:
    """MS-G3D's unread graph is one matrix, the others' three."""
    return (17, 17) if type(network).__name__ == "MSG3D" else (3, 17, 17)
