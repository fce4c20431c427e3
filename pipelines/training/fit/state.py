"""What a run stores so that it can be taken up, measured, or begun from; and how weights get into a network."""

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.atomic_file import replacing
from models.errors import CheckpointMismatch
from models.export.checkpoints import read_state
from pipelines.training.fit.exported_weights import exported_weights
from pipelines.training.recipe import Recipe, parse_recipe

FORMAT = 2
_HEADS = ("fc_cls.", "heads.", "head.", "fc_rgb.", "fc_pose.")
"""What the classifiers are called in the networks of models/nets."""


@dataclass(frozen=True, slots=True)
class RunState:
    """One moment of a run.

    network, average: tensors by name; average is what is measured, the same as network without averaging.
    optimiser: its state, empty in `best.pt`.  notes: best look so far, looks without a better one, temperature.
    """

    recipe: Recipe
    step: int
    classes: tuple[str, ...]
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimiser: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


def save_state(state: RunState, path: Path) -> None:
    """Write it whole or not at all."""
    content = {
        "format": FORMAT, "recipe": state.recipe.model_dump_json(), "step": state.step, "classes": list(state.classes),
        "network": state.network, "average": state.average, "optimiser": state.optimiser,
        "notes": json.dumps(state.notes),
    }  # fmt: skip
    # Into an open file: given a path, torch writes its name into what it saves.
    with replacing(path) as part, part.open("wb") as file:
        torch.save(content, file)


def load_state(path: Path) -> RunState:
    """Read one without executing what is in it; raises CheckpointMismatch."""
    raw = _read(path)
    if raw.get("format") != FORMAT:
        raise CheckpointMismatch(f"{path}: not a checkpoint of a recipe (format {raw.get('format')!r})")
    return RunState(
        parse_recipe(json.loads(raw["recipe"]), path.name), int(raw["step"]), tuple(raw["classes"]), raw["network"],
        raw["average"], raw["optimiser"], json.loads(raw["notes"]),
    )  # fmt: skip


def format_of(path: Path) -> int:
    """The format of a checkpoint of ours, 0 for anything else."""
    try:
        found = _read(path).get("format", 0)
    except CheckpointMismatch:
        return 0
    return found if isinstance(found, int) else 0


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    # The restricted reader fails on what is no checkpoint with nearly any of Python's own errors.
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as cause:
        raise CheckpointMismatch(f"{path}: not a checkpoint ({type(cause).__name__})") from cause
    if not isinstance(raw, dict):
        raise CheckpointMismatch(f"{path}: holds a {type(raw).__name__}, expected a checkpoint")
    return raw


def weights_of(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The tensors for a network: of a run's folder, an exported folder, a checkpoint of ours (averaged weights) or of
    PYSKL's; raises CheckpointMismatch.
    """
    if (path / "model.onnx").is_file():
        return exported_weights(path, network)
    if path.is_dir():
        found = [path / name for name in ("best.pt", "checkpoint.pt") if (path / name).is_file()]
        if not found:
            raise CheckpointMismatch(f"{path}: holds neither best.pt nor checkpoint.pt")
        path = found[0]
    kind = format_of(path)
    if kind == FORMAT:
        average = load_state(path).average
        if not any(name.startswith("decoder.") for name in average):
            return average
        # Pretrained: the network stands beside a decoder that nobody needs any more, its classifier knows nothing.
        inner = {name.removeprefix("network."): value for name, value in average.items() if name.startswith("network.")}
        return {name: value for name, value in inner.items() if not is_head(name)}
    if kind == 1:
        # The everyday networks stand in a wrapper for one person.
        return {name.removeprefix("network."): tensor for name, tensor in _read(path)["ema"].items()}
    return read_state(path)


def begin_from(network: nn.Module, weights: Mapping[str, Tensor], where: str, unread: tuple[str, ...] = ()) -> None:
    """Take over every tensor; a classifier for other classes stays random. Raises CheckpointMismatch."""
    own = network.state_dict()
    wanted = {name for name in own if not (is_head(name) and _differs(own[name], weights.get(name)))}
    misfits = [name for name in sorted(wanted) if _differs(own[name], weights.get(name))]
    left = sorted(name for name in weights if name not in own and name not in unread and not is_head(name))
    for name in [*misfits, *left]:
        found = tuple(weights[name].shape) if name in weights else "missing"
        expected = tuple(own[name].shape) if name in own else "nothing of that name"
        raise CheckpointMismatch(f"{where}: {name}: found {found}, expected {expected}")
    network.load_state_dict(own | {name: weights[name] for name in wanted})


def is_head(name: str) -> bool:
    """Whether a tensor belongs to a classifier."""
    return name.startswith(_HEADS)


def freeze_backbone(network: nn.Module) -> None:
    """Leave nothing to learn but the classifiers."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(is_head(name))


def _differs(own: Tensor, other: Tensor | None) -> bool:
    return other is None or own.shape != other.shape
