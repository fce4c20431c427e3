"""`python -m models.export.importer`: a checkpoint of PYSKL or MMAction2 becomes a folder that the runtime serves.

The folder holds model.onnx, model.json (the contract) and model.pth (the weights under our names).
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

import click
import torch
from torch import Tensor, nn

from models.atomic_file import replacing
from models.errors import CheckpointMismatch, FolderUnwritable, ModelError
from models.export.checkpoints import load_strictly, read_state
from models.export.continual import as_step, export_continual, step_fields
from models.export.onnx import Exported, export_onnx
from models.export.servable import Extent, Servable, from_keypoints, num_maps, wrap
from models.export.settings import NUM_PERSONS, Settings, UnknownMethod, checked, features_of, serving_fields, timing
from models.nets.build import NETWORKS, NetworkEntry, NetworkRequest, require_network
from models.nets.layers import PeopleNetwork
from models.skeleton.layouts import LAYOUTS, Layout, require_layout

# PYSKL's and MMAction2's names of our layouts.
_THEIR_LAYOUTS = MappingProxyType(
    {"coco": "coco17", "nturgb+d": "nturgbd25", "openpose": "openpose18", "handmp": "hand21"}
)

_INPUTS = MappingProxyType({"keypoint": ("keypoint",), "heatmap": ("heatmap", "keypoint"), "rgbpose": ("heatmap",)})
_STREAMS = ("joint", "bone", "joint_motion", "bone_motion", "limb")


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
    layout = require_layout(_THEIR_LAYOUTS.get(request.layout, request.layout))
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
    layout = require_layout(_THEIR_LAYOUTS.get(request.layout, request.layout))
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


class _UnknownRule(click.ParamType[object]):
    """`off`, a probability, or `energy:X`."""

    name = "rule"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[UnknownMethod, float]:
        """The method and its threshold."""
        text = str(value)
        try:
            if text == "off":
                return "off", 0.0
            if text.startswith("energy:"):
                return "energy", float(text.removeprefix("energy:"))
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{text!r} is neither off, a probability 0..1, nor energy:NUMBER", param, ctx)
        return "max_probability", share


_SHARE = click.FloatRange(0, 1)
_SECONDS = click.FloatRange(0, 60)


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--arch", "network", required=True, type=click.Choice(list(NETWORKS)))
@click.option("--layout", required=True, type=click.Choice([*LAYOUTS, *_THEIR_LAYOUTS]))
@click.option("--num-classes", required=True, type=click.IntRange(1))
@click.option(
    "--labels", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A text file, one name per line."
)
@click.option("--persons", "num_persons", type=click.IntRange(1, 16), help="People per window [default: 2].")
@click.option(
    "--frames",
    "num_frames",
    default=0,
    type=click.IntRange(0, 1800),
    help="That the network gets [default: the paper's].",
)
@click.option(
    "--window", "window_s", type=click.FloatRange(0, 30, min_open=True), help="Seconds [default: 3; hands: 1]."
)
@click.option(
    "--rate",
    "rate_hz",
    type=click.FloatRange(0, 60, min_open=True),
    help="Samples per second [default: 30; hands: 10].",
)
@click.option("--stream", type=click.Choice(_STREAMS), help="What it was trained on [default: joint].")
@click.option(
    "--normalise", type=click.Choice(["fixed", "auto"]), help="PreNormalize2D's mode [default: fixed; hands: auto]."
)
@click.option("--threshold", type=_SHARE, help="Probability from which a label counts [default: 0.5].")
@click.option("--min-duration", "min_duration_s", type=_SECONDS, help="Seconds until it is sure [default: 0.4].")
@click.option("--merge-gap", "merge_gap_s", type=_SECONDS, help="Longest pause inside one event [default: 0.6].")
@click.option("--unknown", type=_UnknownRule(), help="off, the least probability, or energy:X [default: 0.3].")
@click.option("--temperature", type=click.FloatRange(0, min_open=True), help="Divides the logits [default: 1].")
@click.option("--input", "input_kind", type=click.Choice(["keypoint", "heatmap"]), help="Of networks over heatmaps.")
@click.option("--size", "side_px", default=0, type=click.IntRange(0, 1024), help="Side of its pictures or heatmaps.")
@click.option("--continual", "is_continual", is_flag=True, help="A step per frame instead of a window.")
@click.option("-o", "--out", "folder", required=True, type=click.Path(path_type=Path, file_okay=False))
def main(input_kind: str | None, **options: object) -> None:
    """Import a checkpoint; on failure one `actogram: code: text` on stderr and status 2."""
    chosen = {name: options.pop(name) for name in Settings.__dataclass_fields__}
    try:
        taken = _INPUTS[require_network(str(options["network"])).input]
        if input_kind not in {None, *taken}:
            raise CheckpointMismatch(f"network {options['network']} takes {' or '.join(taken)}, not {input_kind}")
        settings = Settings(**chosen)  # type: ignore[arg-type]
        request = ImportRequest(**options, has_keypoints=input_kind != "heatmap", settings=settings)  # type: ignore[arg-type]
        folder = import_checkpoint(request)
    except ModelError as error:
        click.echo(f"actogram: {error.code}: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"actogram: {FolderUnwritable.code}: {options['folder']}: {error.strerror or error}", err=True)
        sys.exit(2)
    click.echo(f"{folder}: model.onnx, model.json, model.pth")


if __name__ == "__main__":
    main()
