"""Imports every network through the command, from random weights under its published names, and runs the file.

    python tests/bench/exports.py [--only posec3d-c3d,rgbpose] [--work DIR]

One line of markdown per file: how closely ONNX Runtime agrees with torch, and that it answers by its contract. Takes
about a minute per file on one core; what is small enough for every run is in tests/models.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from models.nets.build import NETWORKS, NetworkRequest
from models.skeleton.layouts import require_layout

NUM_CLASSES = 60
KEYS = (
    "name", "task", "network", "layout", "features", "num_persons", "num_frames", "inputs", "outputs", "labels",
    "sha256", "opset", "parity", "source", "weights",
)  # fmt: skip
_BATCH = 2


def iter_cases() -> Iterator[tuple[str, str]]:
    """Every network with each input that it can be imported for."""
    for name, entry in NETWORKS.items():
        yield name, entry.input
        if entry.input == "heatmap":
            yield name, "keypoint"


def write_checkpoint(name: str, path: Path) -> None:
    """Random weights as PYSKL would have stored them; norms that begin at zero, or at one, do something."""
    torch.manual_seed(0)
    network = NETWORKS[name].build(NetworkRequest(require_layout("coco17"), NUM_CLASSES))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    heads = ("fc", "heads.")
    state = {
        ("cls_head." if key.startswith(heads) else "backbone.") + key: value
        for key, value in network.state_dict().items()
    }
    torch.save({"state_dict": state, "meta": {"epoch": 24}}, path)


def run_command(name: str, kind: str, checkpoint: Path, folder: Path) -> float:
    """`actogram models import`; seconds that it took."""
    command = [
        str(Path(sys.executable).with_name("actogram")), "models", "import", str(checkpoint), "--arch", name,
        "--layout", "coco17", "--num-classes", str(NUM_CLASSES), "-o", str(folder),
    ]  # fmt: skip
    wanted = ["--input", kind] if kind != "rgbpose" else []
    begin = time.perf_counter()
    subprocess.run([*command, *wanted], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def check(folder: Path) -> tuple[dict[str, Any], float]:
    """The contract, complete and true of the file, and the milliseconds of an answer for two samples."""
    contract: dict[str, Any] = json.loads((folder / "model.json").read_text())
    missing = [key for key in KEYS if key not in contract]
    assert not missing, missing
    blob = (folder / "model.onnx").read_bytes()
    assert hashlib.sha256(blob).hexdigest() == contract["sha256"]
    assert len(contract["labels"]) == NUM_CLASSES
    session = onnxruntime.InferenceSession(blob, providers=["CPUExecutionProvider"])
    feeds = {port["name"]: _input(port, contract) for port in contract["inputs"]}
    begin = time.perf_counter()
    answers = session.run(contract["outputs"], feeds)
    taken_ms = (time.perf_counter() - begin) * 1000
    for answer in answers:
        assert answer.shape == (_BATCH, NUM_CLASSES)
        assert np.isfinite(answer).all()
    # Two samples that differ get answers that differ.
    assert not np.allclose(answers[0][0], answers[0][1], rtol=0, atol=1e-7)
    return contract, taken_ms


def _input(port: Mapping[str, Any], contract: Mapping[str, Any]) -> NDArray[np.float32]:
    sizes = {"batch": _BATCH, "persons": contract["num_persons"], "frames": contract["num_frames"]}
    shape = [sizes[size] if isinstance(size, str) else size for size in port["shape"]]
    generator = np.random.default_rng(0)
    if port["name"] != "keypoint":
        return generator.random(shape, dtype=np.float32)
    people = generator.uniform(50, 400, shape).astype(np.float32)
    people[..., 2:] = generator.uniform(0.3, 1, people[..., 2:].shape)
    return people


def main() -> None:
    """Print the table, a row as it is found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="networks, separated by commas")
    parser.add_argument("--work", type=Path, help="keep what was imported here")
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.only.split(",")))
    print(
        "| network | input | file | differs by, of the answer's scale | import | 2 samples |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        for name, kind in iter_cases():
            if wanted and name not in wanted:
                continue
            folder = work / f"{name}-{kind}"
            folder.mkdir(parents=True, exist_ok=True)
            write_checkpoint(name, work / "checkpoint.pth")
            seconds = run_command(name, kind, work / "checkpoint.pth", folder)
            contract, taken_ms = check(folder)
            print(_row(name, kind, folder, contract, (seconds, taken_ms)), flush=True)


def _row(name: str, kind: str, folder: Path, contract: Mapping[str, Any], taken: tuple[float, float]) -> str:
    parity = contract["parity"]["max_difference"] / contract["parity"]["scale"]
    size = (folder / "model.onnx").stat().st_size / 1e6
    return f"| {name} | {kind} | {size:.1f} MB | {parity:.1e} | {taken[0]:.0f} s | {taken[1]:.0f} ms |"


if __name__ == "__main__":
    main()
