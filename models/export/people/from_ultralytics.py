"""A YOLO checkpoint of Ultralytics becomes a folder that Actogram serves: model.onnx and model.json.

Runs where `ultralytics` is installed, alone: `python from_ultralytics.py yolo11n.pt -o DIR`. A checkpoint is a pickle,
and opening it may run what it holds: open none that you do not trust.
"""

import argparse
import ast
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "actogram-people-1"
PERSON = "person"
LICENCE = "AGPL-3.0"
TERMS = (
    "Ultralytics' code and the networks trained with it are under AGPL-3.0 or under an Enterprise licence of theirs: "
    "who offers a service with this network over a network, and has no such licence, owes its users the source."
)
MAX_IOU = 0.7  # Ultralytics' default for prediction
TOLERANCE = 1e-3
_TIE = 1e-5
_FAMILIES = {"detect": ("detect", "yolo"), "pose": ("detect_pose", "yolo-pose")}
_COCO_JOINTS = 17


class ExportRefused(Exception):
    """Something about the checkpoint or this environment does not allow the export; the message says what."""


@dataclass(frozen=True)
class Request:
    """What to export.

    size_px: longer side of the input that the network is best at. person: name of the class that is people; empty
    takes `person`, or the only class. is_end_to_end: YOLO26's head without suppression instead of its other one.
    """

    checkpoint: Path
    folder: Path
    size_px: int = 640
    person: str = ""
    name: str = ""
    is_end_to_end: bool = False


def export_yolo(request: Request) -> Path:
    """Write the folder and return it. Raises ExportRefused before anything is written."""
    ultralytics = _import_ultralytics()
    with tempfile.TemporaryDirectory() as scratch:
        source = _fetched(request.checkpoint, Path(scratch), ultralytics)
        network = _load(ultralytics, source)
        person = _person(_classes(network.names), request.person)
        _require_joints(network)
        exported = _run_exporter(ultralytics, network, source, request)
        facts = _metadata(exported)
        difference = _compare(network, exported, is_end_to_end=facts["end2end"])
        contract = _contract(request, network, exported, facts, person)
        contract["source"] = f"{request.checkpoint.name} (sha256 {_sha256(source)}), ultralytics {ultralytics.version}"
        _write(request.folder, exported, contract)
    print(f"{request.folder}: equal to Ultralytics' own forward within {difference:.1e}")  # noqa: T201 - a command
    return request.folder


@dataclass(frozen=True)
class _Ultralytics:
    """What is used of the package. open: a checkpoint by path. defaults: its settings of a run."""

    open: Callable[[str], Any]
    defaults: dict[str, Any]
    assets: frozenset[str]
    version: str


def _import_ultralytics() -> _Ultralytics:
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_VERBOSE", "false")
    try:
        _import_torchvision()
        import ultralytics
        from ultralytics.utils import DEFAULT_CFG_DICT
        from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES
    except ImportError as error:
        raise ExportRefused(f"{sys.executable}: {error}; install ultralytics onnx onnxruntime there") from error
    names = frozenset(str(name) for name in GITHUB_ASSETS_NAMES)
    return _Ultralytics(ultralytics.YOLO, dict(DEFAULT_CFG_DICT), names, str(ultralytics.__version__))


def _import_torchvision() -> None:
    """Import torchvision, also one whose compiled part does not fit this torch: its operators are not needed here."""
    import torch

    try:
        import torchvision
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        globals()["_library"] = library  # it lives as long as the process
        import torchvision  # noqa: F401


def _fetched(checkpoint: Path, scratch: Path, ultralytics: _Ultralytics) -> Path:
    """A copy in the scratch folder, because the exporter writes beside its checkpoint."""
    copy = scratch / checkpoint.name
    if checkpoint.is_file():
        shutil.copyfile(checkpoint, copy)
        return copy
    if checkpoint.parent != Path() or checkpoint.name not in ultralytics.assets:
        raise ExportRefused(f"{checkpoint}: no such file")
    from ultralytics.utils.downloads import attempt_download_asset

    try:
        attempt_download_asset(str(copy))
    except Exception as error:
        raise ExportRefused(f"{checkpoint}: not here, and it could not be downloaded: {error}") from error
    if not copy.is_file():
        raise ExportRefused(f"{checkpoint}: not here, and it could not be downloaded")
    return copy


def _load(ultralytics: _Ultralytics, path: Path) -> Any:
    if path.suffix != ".pt":
        raise ExportRefused(f"{path.name}: found {path.suffix or 'no ending'}, expected a checkpoint of the kind .pt")
    try:
        network = ultralytics.open(str(path))
        head = type(network.model.model[-1]).__name__
    except Exception as error:
        reason = str(error).encode("ascii", "ignore").decode().replace(str(path), path.name).split("\n")[0]
        known = f"ultralytics {ultralytics.version}"
        raise ExportRefused(
            f"{path.name}: no checkpoint that {known} reads: {type(error).__name__}: {reason}"
        ) from error
    if network.task not in _FAMILIES or "RTDETR" in head:
        found = head if "RTDETR" in head else network.task
        raise ExportRefused(f"{path.name}: found a network to {found}, expected a YOLO of the task detect or pose")
    return network


def _classes(names: Any) -> list[str]:
    """Names in the order of their numbers; they come as a list or by number."""
    return [str(names[key]) for key in sorted(names)] if isinstance(names, dict) else [str(name) for name in names]


def _person(classes: list[str], wanted: str) -> int:
    """The number of the class that is people."""
    if wanted:
        if wanted not in classes:
            raise ExportRefused(f"found no class {wanted!r}, expected one of {_listed(classes)}")
        return classes.index(wanted)
    if PERSON in classes:
        return classes.index(PERSON)
    if len(classes) == 1:
        return 0
    raise ExportRefused(f"no class is called person; say which one is people with --person: {_listed(classes)}")


def _listed(names: list[str], most: int = 12) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _require_joints(network: Any) -> None:
    if network.task != "pose":
        return
    shape = tuple(int(size) for size in network.model.model[-1].kpt_shape)
    if shape != (_COCO_JOINTS, 3):
        raise ExportRefused(
            f"found {shape[0]} joints of {shape[1]} numbers, expected COCO's {_COCO_JOINTS} with x, y and visibility"
        )


def _run_exporter(ultralytics: _Ultralytics, network: Any, source: Path, request: Request) -> Path:
    """Ultralytics' own export: batch, height and width left free, no suppression built in."""
    options: dict[str, Any] = {"format": "onnx", "dynamic": True, "simplify": False, "imgsz": request.size_px}
    if "end2end" in ultralytics.defaults:
        options |= {"end2end": request.is_end_to_end, "nms": False}
    elif ultralytics.defaults.get("nms") is None:
        options["nms"] = False if request.is_end_to_end else None  # False asks for the head without suppression
    else:
        options["nms"] = False
    try:
        path = Path(str(network.export(**options, device="cpu", verbose=False)))
    except Exception as error:
        raise ExportRefused(f"{source.name}: Ultralytics' export failed: {type(error).__name__}: {error}") from error
    if not path.is_file():
        raise ExportRefused(f"{source.name}: Ultralytics' export wrote nothing")
    return path


def _metadata(path: Path) -> dict[str, Any]:
    """What the exporter wrote into the file, with `end2end` as the file really is."""
    import onnx

    graph = onnx.load(str(path), load_external_data=False)
    facts: dict[str, Any] = {entry.key: entry.value for entry in graph.metadata_props}
    for key in ("names", "kpt_shape", "imgsz"):
        if key in facts:
            facts[key] = ast.literal_eval(facts[key])
    facts["end2end"] = facts.get("end2end", "False") == "True"
    return facts


def _compare(network: Any, path: Path, is_end_to_end: bool) -> float:
    """The largest difference between torch and the file, relative to values over 1."""
    import numpy as np
    import onnxruntime
    import torch

    torch.manual_seed(0)
    pictures = torch.rand(2, 3, 256, 320)
    model = network.model.float().eval()
    if hasattr(model, "end2end"):
        model.end2end = is_end_to_end
    with torch.no_grad():
        answer = model(pictures)
    expected = (answer[0] if isinstance(answer, (list, tuple)) else answer).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: pictures.numpy()})[0]
    if found.shape != expected.shape:
        raise ExportRefused(f"the exported file gives {found.shape}, Ultralytics {expected.shape}")
    apart = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
    if is_end_to_end:  # rows of nearly equal score may change places
        apart[_is_tied(expected[:, :, 4])] = 0
        apart = np.concatenate([apart, np.abs(found - expected)[:, :, 4:5]], axis=2)
    difference = float(apart.max(initial=0.0))
    if not difference <= TOLERANCE:
        raise ExportRefused(f"the exported file differs from Ultralytics by {difference:.1e}, more than {TOLERANCE}")
    return difference


def _is_tied(score: Any) -> Any:
    """Which rows (B, N) of scores that fall lie so close to a neighbour that their order may differ."""
    import numpy as np

    close = -np.diff(score, axis=1) < _TIE
    ends = np.zeros((len(score), 1), bool)
    return np.concatenate([close, ends], axis=1) | np.concatenate([ends, close], axis=1)


def _contract(request: Request, network: Any, exported: Path, facts: dict[str, Any], person: int) -> dict[str, Any]:
    task, family = _FAMILIES[network.task]
    return {
        "format": FORMAT,
        "name": request.name or re.sub(r"[^A-Za-z0-9._-]+", "-", request.checkpoint.stem)[:128],
        "task": task,
        "family": family,
        "layout": "coco17" if network.task == "pose" else "",
        "labels": [PERSON if index == person else name for index, name in enumerate(_classes(network.names))],
        "input": {
            "size_wh": [request.size_px, request.size_px],
            "colour": "rgb",
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
            "max_batch": 0,
        },
        "decode": {"end_to_end": facts["end2end"], "iou_threshold": MAX_IOU},
        "licence": LICENCE,
        "terms": TERMS,
        "sha256": _sha256(exported),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(folder: Path, network: Path, contract: dict[str, Any]) -> None:
    """The network first, then the contract that names it; each appears whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / ".model.part"
        shutil.copyfile(network, part)
        part.replace(folder / "model.onnx")
        part.write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")
        part.replace(folder / "model.json")
    except OSError as error:
        raise ExportRefused(f"{folder}: {error.strerror or error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, export, and say what was refused."""
    parser = argparse.ArgumentParser(prog="export-yolo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="a .pt file, or the name of one that Ultralytics publishes")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--size", type=int, default=640, help="longer side of the input, a multiple of 32 [640]")
    parser.add_argument("--person", default="", help="the class that is people, where none is called person")
    parser.add_argument("--name", default="", help="the network's name [the file's]")
    parser.add_argument("--end-to-end", action="store_true", help="YOLO26: the head that needs no suppression")
    given = parser.parse_args(arguments)
    if given.size < 32 or given.size % 32:
        parser.error(f"--size: found {given.size}, expected a multiple of 32")
    request = Request(given.checkpoint, given.output, given.size, given.person, given.name, given.end_to_end)
    try:
        export_yolo(request)
    except ExportRefused as error:
        print(f"export-yolo: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
