"""A trained network as a folder that the runtime serves: model.onnx, model.json, card.md."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from models.export.onnx import Exported, Port, export_onnx
from models.skeleton.features import EVERYDAY13_CHANNELS
from models.skeleton.layouts import require_layout
from pipelines.training.calibrate import FAMILY_THRESHOLD, UnknownChoice
from pipelines.training.config import TrainConfig
from pipelines.training.labels import LabelTable
from pipelines.training.networks import LAYOUT, OnePerson

OFFSET_SHARE = 0.6
Quality = Literal["solid", "experimental"]


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen on held-out data after the training.

    thresholds: action → probability at which its event begins. quality: action → solid or experimental.
    unknown:    the rule by which a window is like nothing that was trained.
    families:   name → part of its probability that one member needs, see `FamilyRule`.
    """

    temperature: float
    thresholds: Mapping[str, float]
    unknown: UnknownChoice
    quality: Mapping[str, Quality]
    families: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the card and the contract say of where the weights come from and what was measured; JSON values."""

    data: Mapping[str, object] = field(default_factory=dict)
    protocol: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)


def write_package(
    network: OnePerson, config: TrainConfig, table: LabelTable, choices: Choices, facts: Facts, folder: Path
) -> Exported:
    """Export, check against torch, and write the contract beside it; raises ExportMismatch."""
    shape = ("batch", config.window.num_frames, len(require_layout(LAYOUT)), EVERYDAY13_CHANNELS)
    exported = export_onnx(network, [Port("features", shape)], ["logits"], folder / "model.onnx")
    contract = {
        "name": config.name,
        "task": "action",
        "network": config.network.name,
        "layout": "coco17",
        "features": config.window.features,
        "window_s": config.window.window_s,
        "rate_hz": config.window.rate_hz,
        "num_frames": config.window.num_frames,
        "inputs": [{"name": "features", "shape": list(shape), "dtype": "float32"}],
        "outputs": ["logits"],
        "labels": list(table.labels),
        "temperature": round(choices.temperature, 4),
        **doubt(table, choices),
        "actions": {name: _rule(table, choices, name) for name in table.actions},
        "sha256": hashlib.sha256(exported.path.read_bytes()).hexdigest(),
        "data": dict(facts.data),
        "protocol": dict(facts.protocol)
        | {"unknown": unknown_words(choices.unknown), "config": config.model_dump(mode="json")},
        "metrics": dict(facts.metrics) | {"onnx_max_difference": float(f"{exported.max_difference:.2g}")},
    }
    (folder / "model.json").write_text(json.dumps(contract, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return exported


def doubt(table: LabelTable, choices: Choices) -> dict[str, object]:
    """What the contract says of when an answer is `unknown`."""
    return {
        "unknown": {"method": choices.unknown.method, "threshold": choices.unknown.threshold},
        "families": {
            name: {"labels": list(table.families[name]), "threshold": FAMILY_THRESHOLD, "share": share}
            for name, share in choices.families.items()
        },
    }


def unknown_words(choice: UnknownChoice) -> str:
    """How the open-set rule was chosen, for contract and card."""
    if not choice.auroc:
        return f"max_probability: only {choice.foreign} held-out windows are like no label, too few to choose a rule by"
    rows = ", ".join(f"{name} {choice.auroc[name]:.3f} ({100 * choice.said[name]:.0f} % pass)" for name in choice.auroc)
    return (
        f"{choice.method}, by AUROC on held-out people: {choice.known} windows with a label against {choice.foreign} "
        f"of what was never learnt: {rows}; 3 % of the right answers are given up"
    )


def _rule(table: LabelTable, choices: Choices, name: str) -> dict[str, object]:
    action, threshold = table.actions[name], choices.thresholds[name]
    return {
        "threshold": round(threshold, 3),
        "offset_threshold": round(threshold * OFFSET_SHARE, 3),
        "min_duration_s": action.min_duration_s,
        "merge_gap_s": action.merge_gap_s,
        "quality": choices.quality.get(name, "experimental"),
        "severity": action.severity,
    }
