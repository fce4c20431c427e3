"""`python -m models.export.importer`: a checkpoint of PYSKL or MMAction2 becomes a folder that the runtime can serve.

The folder holds model.onnx, model.json (the contract) and model.pth (the weights under our names).
"""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import click
import torch
from torch import Tensor, nn

from models.errors import CheckpointMismatch, ModelError
from models.export.checkpoints import load_strictly, read_state
from models.export.onnx import Exported, export_onnx
from models.export.servable import Servable, from_keypoints, wrap
from models.nets.build import NETWORKS, NetworkEntry, NetworkRequest, require_network
from models.skeleton.layouts import LAYOUTS, require_layout

# PYSKL's and MMAction2's names of our layouts.
_THEIR_LAYOUTS = MappingProxyType(
    {"coco": "coco17", "nturgb+d": "nturgbd25", "openpose": "openpose18", "handmp": "hand21"}
)

_INPUTS = MappingProxyType({"keypoint": ("keypoint",), "heatmap": ("heatmap", "keypoint"), "rgbpose": ("heatmap",)})


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import and as what.

    num_frames: window for which the export is tuned; 0 takes the paper's. Graph networks take other lengths too.
    has_keypoints: a network over heatmaps is exported with its heatmaps made inside, from keypoints.
    """

    checkpoint: Path
    network: str
    layout: str
    num_classes: int
    folder: Path
    labels: Path | None = None
    num_persons: int = 2
    num_frames: int = 0
    has_keypoints: bool = False


def import_checkpoint(request: ImportRequest) -> Path:
    """Write the folder and return it; raises ModelError when anything does not fit, before anything is written."""
    entry = require_network(request.network)
    labels = read_labels(request.labels, request.num_classes)
    network = load_network(entry, request)
    servable = _servable(entry, network, request)
    exported = export_onnx(servable.module, servable.inputs, entry.outputs, request.folder / "model.onnx")
    torch.save(network.state_dict(), request.folder / "model.pth")
    contract = _contract(request, entry, servable, exported, labels)
    (request.folder / "model.json").write_text(json.dumps(contract, indent=2) + "\n", encoding="utf-8")
    return request.folder


def _servable(entry: NetworkEntry, network: nn.Module, request: ImportRequest) -> Servable:
    if request.has_keypoints and entry.input == "heatmap":
        return from_keypoints(network, request.num_frames or entry.num_frames)
    return wrap(entry, network, request.num_frames)


def load_network(entry: NetworkEntry, request: ImportRequest) -> nn.Module:
    """The network that the checkpoint's shapes ask for, with its weights, in eval mode."""
    layout = require_layout(_THEIR_LAYOUTS.get(request.layout, request.layout))
    state = read_state(request.checkpoint)
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    network = entry.build(NetworkRequest(layout, request.num_classes, request.num_persons, shapes=shapes))
    load_strictly(network, state, entry.unread)
    return network.eval()


def read_labels(path: Path | None, num_classes: int) -> list[str]:
    """One label per line; without a file, class_0, class_1, ... Raises CheckpointMismatch on another number."""
    if path is None:
        return [f"class_{index}" for index in range(num_classes)]
    labels = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(labels) != num_classes:
        raise CheckpointMismatch(f"{path.name}: {len(labels)} labels, expected {num_classes}")
    return labels


def _contract(
    request: ImportRequest, entry: NetworkEntry, servable: Servable, exported: Exported, labels: list[str]
) -> dict[str, object]:
    return {
        "name": request.folder.name,
        "task": "action",
        "network": entry.name,
        "layout": _THEIR_LAYOUTS.get(request.layout, request.layout),
        "features": "reference",
        "num_persons": request.num_persons,
        "num_frames": request.num_frames or entry.num_frames,
        "inputs": [asdict(port) | {"dtype": "float32"} for port in servable.inputs],
        "outputs": list(entry.outputs),
        "labels": labels,
        "sha256": exported.sha256,
        "opset": exported.opset,
        "parity": {"max_difference": exported.max_difference, "scale": exported.scale},
        "source": {"file": request.checkpoint.name, "sha256": _sha256(request.checkpoint)},
        "weights": {"file": "model.pth", "num_values": _num_values(servable.module)},
    }


def _num_values(module: nn.Module) -> int:
    parameters: list[Tensor] = list(module.parameters())
    return sum(parameter.numel() for parameter in parameters)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--arch", "network", required=True, type=click.Choice(list(NETWORKS)))
@click.option("--layout", required=True, type=click.Choice([*LAYOUTS, *_THEIR_LAYOUTS]))
@click.option("--num-classes", required=True, type=click.IntRange(1))
@click.option("--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--persons", "num_persons", default=2, show_default=True, type=click.IntRange(1, 16))
@click.option("--frames", "num_frames", default=0, help="Window length; the paper's by default.")
@click.option("--input", "input_kind", type=click.Choice(["keypoint", "heatmap"]))
@click.option("-o", "--out", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(input_kind: str | None, **options: object) -> None:
    """Import a checkpoint; on failure one `actogram: code: text` on stderr and status 2."""
    request = ImportRequest(**options, has_keypoints=input_kind == "keypoint")  # type: ignore[arg-type]
    try:
        taken = _INPUTS[require_network(request.network).input]
        if input_kind not in {None, *taken}:
            raise CheckpointMismatch(f"network {request.network} takes {' or '.join(taken)}, not {input_kind}")
        folder = import_checkpoint(request)
    except ModelError as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    click.echo(f"{folder}: model.onnx, model.json, model.pth")


if __name__ == "__main__":
    main()
