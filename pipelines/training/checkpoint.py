"""A run that can be taken up again: weights, averaged weights, optimiser, generators and settings in one file."""

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.atomic_file import replacing
from models.errors import CheckpointMismatch
from pipelines.training.config import TrainConfig, parse_config

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a run leaves behind.

    network, ema: tensors by name; ema is the average that is measured and exported.
    optimiser:    its state, None where a run has ended.
    numpy_state:  state of the numpy generator that draws batches, torch_state of torch's.
    labels:       order of the outputs.
    notes:        what was measured, JSON values only.
    """

    config: TrainConfig
    step: int
    labels: tuple[str, ...]
    network: dict[str, Tensor]
    ema: dict[str, Tensor]
    optimiser: dict[str, Any]
    numpy_state: dict[str, Any]
    torch_state: Tensor
    notes: dict[str, Any]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write it whole or not at all."""
    content = {
        "format": FORMAT,
        "config": checkpoint.config.model_dump_json(),
        "step": checkpoint.step,
        "labels": list(checkpoint.labels),
        "network": checkpoint.network,
        "ema": checkpoint.ema,
        "optimiser": checkpoint.optimiser,
        "numpy_state": json.dumps(checkpoint.numpy_state),
        "torch_state": checkpoint.torch_state,
        "notes": json.dumps(checkpoint.notes),
    }
    # Into an open file: given a path, torch writes its name into what it saves.
    with replacing(path) as part, part.open("wb") as file:
        torch.save(content, file)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one without executing what is in it; raises CheckpointMismatch."""
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    # The restricted reader fails on what is no checkpoint with nearly any of Python's own errors.
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, pickle.UnpicklingError) as cause:
        raise CheckpointMismatch(f"{path}: not a checkpoint ({type(cause).__name__})") from cause
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise CheckpointMismatch(f"{path}: not a training checkpoint of format {FORMAT}")
    return Checkpoint(
        config=parse_config(json.loads(raw["config"]), path.name),
        step=int(raw["step"]),
        labels=tuple(raw["labels"]),
        network=raw["network"],
        ema=raw["ema"],
        optimiser=raw["optimiser"],
        numpy_state=json.loads(raw["numpy_state"]),
        torch_state=raw["torch_state"],
        notes=json.loads(raw["notes"]),
    )


def load_weights(network: nn.Module, weights: dict[str, Tensor], where: str) -> None:
    """Put tensors into a network; raises CheckpointMismatch that names the first one that does not fit."""
    own = network.state_dict()
    strange = sorted(own.keys() ^ weights.keys())
    if strange:
        raise CheckpointMismatch(f"{where}: tensor {strange[0]!r} is on one side only")
    for name, tensor in own.items():
        if tensor.shape != weights[name].shape:
            raise CheckpointMismatch(f"{where}: {name} is {tuple(weights[name].shape)}, expected {tuple(tensor.shape)}")
    network.load_state_dict(weights)
