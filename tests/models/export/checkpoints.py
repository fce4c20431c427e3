"""Checkpoints of every network under the reference's names, with random weights that do something."""

from pathlib import Path

import torch
from click.testing import CliRunner
from torch import Tensor, nn

from models.export.import_command import main
from models.nets.build import NETWORKS, NetworkRequest
from models.nets.options import BlockOptions, TemporalOptions
from models.skeleton.layouts import require_layout

SMALL = {"base_channels": 12, "num_stages": 2, "inflate_stages": (2,), "down_stages": (2,), "dropout": 0.0}
"""For networks whose width and depth are free; the others are as published."""


def published(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors under the reference's names."""
    heads = ("fc", "heads.")
    return {
        ("cls_head." if key.startswith(heads) else "backbone.") + key: value
        for key, value in network.state_dict().items()
    }


def write_checkpoint(name: str, path: Path, num_classes: int, layout: str = "coco17", num_persons: int = 2) -> None:
    """Random weights as PYSKL would have stored them; norms that begin at zero, or at one, do something."""
    torch.manual_seed(0)
    entry = NETWORKS[name]
    # STF's size cannot be read off a checkpoint.
    is_free = issubclass(entry.options, BlockOptions | TemporalOptions) and not name.startswith("stf-")
    options = {key: value for key, value in SMALL.items() if is_free and key in entry.options.model_fields}
    network = entry.build(NetworkRequest(require_layout(layout), num_classes, num_persons, options=options))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    torch.save({"state_dict": published(network), "meta": {"epoch": 24}}, path)


def import_small(folder: Path, labels: tuple[str, ...] = ("wave", "kick", "fall")) -> Path:
    """A small ST-GCN++ imported by the command into `folder`; any probability is enough for a label."""
    work = folder.with_name(f"{folder.name}-checkpoint")
    work.mkdir(parents=True)
    write_checkpoint("stgcn++", work / "their.pth", len(labels))
    (work / "labels.txt").write_text("\n".join(labels))
    options = f"--arch stgcn++ --layout coco17 --num-classes {len(labels)} --threshold 0 --unknown off".split()
    files = [str(work / "their.pth"), "--labels", str(work / "labels.txt"), "-o", str(folder)]
    result = CliRunner().invoke(main, [*files, *options])
    assert result.exit_code == 0, result.output
    return folder
