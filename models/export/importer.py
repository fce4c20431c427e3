"""A checkpoint of PYSKL or MMAction2 becomes a folder that the runtime serves.

The folder holds model.onnx, model.json (the contract) and model.pth (the weights under our names).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from models.atomic_file import replacing
from models.errors import CheckpointMismatch
from models.export.checkpoints import load_strictly, read_state
from models.export.choices import THEIR_LAYOUTS
from models.export.continual import as_step, export_continual, step_fields
from models.export.onnx import Exported, export_onnx
from models.export.servable import Extent, Servable, from_keypoints, num_maps, wrap
from models.export.settings import NUM_PERSONS, Settings, checked, features_of, serving_fields, timing
from models.nets.build import NetworkEntry, NetworkRequest, require_network
from models.nets.layers import PeopleNetwork
from models.skeleton.layouts import Layout, require_layout


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and as what.

    num_persons: people per window; None takes the default.
    num_frames: that the network gets of a window; 0 takes the paper's. Graph networks take other lengths too.
    has_keypoints: a network over heatmaps is exported with its heatmaps made inside, from keypoints.
    side_px: of the pictures or heatmaps; 0 takes the paper's.
    is_continual: export a step per frame instead of a window.
    """

    checkpoint: Path
    network: str
    layout: str
    num_classes: int
    folder: Path
    labels: Path | None = None
    num_persons: int | None = None
    num_frames: int = 0
    has_keypoints: bool = True
    side_px: int = 0
    is_continual: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class _Import:
    """A checkpoint that fits, loaded: all that the folder is written from."""

    request: ImportRequest
    entry: NetworkEntry
    layout: Layout
    network: nn.Module
    labels: list[str]


def import_checkpoint(request: ImportRequest) -> Path:
    """Write the folder and return it; raises ModelError when anything does not fit, before anything is written."""
    entry = require_network(request.network)
    labels = read_labels(request.labels, request.num_classes)
    layout = require_layout(THEIR_LAYOUTS.get(request.layout, request.layout))
    taken = _Import(request, entry, layout, load_network(entry, request), labels)
    contract = _contract(taken)
    return _write_step(taken, contract) if request.is_continual else _write_window(taken, contract)


def _write_window(taken: _Import, contract: dict[str, object]) -> Path:
    servable = _servable(taken, str(contract["stream"]))
    # As serving will read it, before anything is written; the hash follows.
    contract |= {"inputs": [asdict(port) | {"dtype": "float32"} for port in servable.inputs]}
    contract |= {"outputs": list(taken.entry.outputs)}
    checked(contract)
    exported = export_onnx(servable.module, servable.inputs, taken.entry.outputs, taken.request.folder / "model.onnx")
    return _write(taken, contract, exported)


def _write_step(taken: _Import, contract: dict[str, object]) -> Path:
    step = as_step(taken.network, taken.request.num_frames)
    rate_hz = timing(taken.request.settings, "pyskl-2d", taken.layout)[1]
    contract |= step_fields(step, rate_hz)
    checked(contract)
    return _write(taken, contract, export_continual(step, taken.request.folder / "model.onnx"))


def _write(taken: _Import, contract: dict[str, object], exported: Exported) -> Path:
    folder = taken.request.folder
    torch.save(taken.network.state_dict(), folder / "model.pth")
    contract |= {
        "sha256": exported.sha256,
        "opset": exported.opset,
        "parity": {"max_difference": exported.max_difference, "scale": exported.scale},
        "source": {"file": taken.request.checkpoint.name, "sha256": _sha256(taken.request.checkpoint)},
        "weights": {"file": "model.pth", "num_values": _num_values(taken.network)},
    }
    with replacing(folder / "model.json") as part:
        part.write_text(json.dumps(contract, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return folder


def _servable(taken: _Import, stream: str) -> Servable:
    request, entry = taken.request, taken.entry
    num_frames = request.num_frames or entry.num_frames
    if entry.input != "heatmap":
        return wrap(entry, taken.network, num_frames, request.side_px)
    _require_maps(taken, stream)
    if not request.has_keypoints:
        return wrap(entry, taken.network, num_frames, request.side_px)
    extent = Extent(num_frames, request.side_px)
    return from_keypoints(taken.network, extent, len(taken.layout), has_limbs=stream == "limb")


def _require_maps(taken: _Import, stream: str) -> None:
    """Raise CheckpointMismatch unless the network takes one map per joint, or per limb of coco17."""
    if stream == "limb" and taken.layout.name != "coco17":
        raise CheckpointMismatch(f"limbs are known of coco17 only, found layout {taken.layout.name}")
    found, expected = num_maps(taken.network), len(taken.layout)
    if found != expected:
        raise CheckpointMismatch(f"the network takes {found} heatmaps, expected {expected}, one per joint or limb")


def load_network(entry: NetworkEntry, request: ImportRequest) -> nn.Module:
    """The network that the checkpoint's shapes ask for, with its weights, in eval mode."""
    layout = require_layout(THEIR_LAYOUTS.get(request.layout, request.layout))
    state = read_state(request.checkpoint)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    num_persons = request.num_persons or NUM_PERSONS
    network = entry.build(NetworkRequest(layout, request.num_classes, num_persons, shapes=shapes))
    load_strictly(network, state, entry.unread)
    return network.eval()


def read_labels(path: Path | None, num_classes: int) -> list[str]:
    """One label per line; without a file, class_0, class_1, ... Raises CheckpointMismatch on another number."""
    if path is None:
        return [f"class_{index}" for index in range(num_classes)]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CheckpointMismatch(f"{path.name}: is not UTF-8 text: {error.reason}") from error
    labels = [line.strip() for line in text.splitlines() if line.strip()]
    if len(labels) != num_classes:
        raise CheckpointMismatch(f"{path.name}: {len(labels)} labels, expected {num_classes}")
    return labels


def _contract(taken: _Import) -> dict[str, object]:
    """All of it but inputs, outputs and what is known once the file is written."""
    request, network = taken.request, taken.network
    num_values = network.person_shape[1] if isinstance(network, PeopleNetwork) else 3
    features = features_of(taken.entry, taken.layout, num_values)
    is_everyday = features == "everyday13"
    chosen = serving_fields(request.settings, features, taken.layout, taken.labels)
    window_s, rate_hz = timing(request.settings, features, taken.layout)
    num_frames = round(window_s * rate_hz) if is_everyday else request.num_frames or taken.entry.num_frames
    return {
        "name": request.folder.resolve().name,
        "task": "action",
        "network": taken.entry.name,
        "layout": "coco17" if is_everyday else taken.layout.name,
        "num_persons": 1 if is_everyday else request.num_persons or NUM_PERSONS,
        "num_frames": num_frames,
        "labels": taken.labels,
        "sha256": "",
        "defaults": _defaults(request),
        **chosen,
    }


def _defaults(request: ImportRequest) -> list[str]:
    """Fields that neither the checkpoint nor the request settles."""
    given: Mapping[str, object] = {
        "labels": request.labels, "num_persons": request.num_persons, "num_frames": request.num_frames
    }  # fmt: skip
    return [*(name for name, value in given.items() if not value), *request.settings.unset]


def _num_values(module: nn.Module) -> int:
    parameters: list[Tensor] = list(module.parameters())
    return sum(parameter.numel() for parameter in parameters)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
