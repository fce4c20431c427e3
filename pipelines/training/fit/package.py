"""A run as a folder that the service loads: model.onnx, and model.json as models/runtime/contract.py reads it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
from torch import nn

from models.export.continual import as_step, export_continual, step_fields
from models.export.onnx import OPSET, Exported, Port, export_onnx
from models.export.servable import Servable, wrap
from models.export.settings import MERGE_GAP_S, MIN_DURATION_S, OFFSET_SHARE, THRESHOLD, UNKNOWN_BELOW, checked
from models.nets.build import require_network
from models.nets.heatmap_input import KeypointsToHeatmaps
from models.runtime.contract import NONE_LABEL
from pipelines.actions import load_actions
from pipelines.training.fit.objective import Objective
from pipelines.training.fit.run import objective_of
from pipelines.training.fit.sequences import Sequences
from pipelines.training.fit.state import RunState
from pipelines.training.fit.views import in_channels, network_layout
from pipelines.training.networks import OnePerson
from pipelines.training.recipe import Recipe

_LONGEST_WINDOW_S = 10.0
_SEVERITY = "info"


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """What serving needs to know and the recipe does not say. Chosen on the validation part where there is one.

    window_s, rate_hz: length and rate of the sequences that were learnt from.
    """

    window_s: float
    rate_hz: float
    temperature: float = 1.0
    unknown: float = UNKNOWN_BELOW
    thresholds: Mapping[str, float] | None = None


def timing_of(recipe: Recipe, sequences: Sequences) -> tuple[float, float]:
    """Seconds and samples per second of a served window."""
    given = recipe.input
    if given.features == "everyday13":
        return given.num_frames / given.rate_hz, given.rate_hz
    rate_hz = float(np.median([item.rate_hz for item in sequences.items]))
    median_s = float(np.median([item.num_frames / item.rate_hz for item in sequences.items]))
    return round(given.window_s or min(max(median_s, 0.5), _LONGEST_WINDOW_S), 2), min(rate_hz, 60.0)


def export_run(state: RunState, folder: Path) -> Exported:
    """Write the folder and check it against torch; raises ExportMismatch."""
    recipe = state.recipe
    entry = require_network(recipe.network.name)
    servable = serve_form(recipe, objective_of(state))
    exported = export_onnx(servable.module, servable.inputs, entry.outputs, folder / "model.onnx")
    _write(folder, _contract(state, servable, exported))
    return exported


def export_step(state: RunState, folder: Path) -> Exported:
    """The same as a network that takes one frame per step; raises ContractMismatch where it has no such form."""
    path = folder / "model.onnx"
    step = as_step(objective_of(state).network)
    servable, fields = Servable(step, step.ports), step_fields(step, facts_of(state).rate_hz)
    # What cannot be served is refused before anything is written.
    checked(_contract(state, servable, Exported(path, OPSET, "", 0, 0.0, 1.0)) | fields)
    exported = export_continual(step, path)
    _write(folder, _contract(state, servable, exported) | fields)
    return exported


def _write(folder: Path, contract: Mapping[str, object]) -> None:
    text = json.dumps(contract, indent=1, ensure_ascii=False)
    (folder / "model.json").write_text(text + "\n", "utf-8")


def serve_form(recipe: Recipe, objective: Objective) -> Servable:
    """A trained network as it is exported: joints in, also where the network itself sees heatmaps."""
    network, given = objective.network, recipe.input
    if given.features == "everyday13":
        port = Port("features", ("batch", given.num_frames, len(network_layout(recipe)), in_channels(recipe)))
        return Servable(OnePerson(network).eval(), (port,))
    if given.features == "heatmap":
        joints = len(network_layout(recipe))
        port = Port("keypoint", ("batch", "persons", given.num_frames, joints, 3))
        return Servable(_FromKeypoints(network, KeypointsToHeatmaps(given.side, objective.limbs)).eval(), (port,))
    if given.features == "rgbpose":
        maps = Port("heatmap", ("batch", len(network_layout(recipe)), given.num_frames, given.side, given.side))
        picture = 4 * given.side
        return Servable(network, (Port("imgs", ("batch", 3, given.num_frames // 4, picture, picture)), maps))
    return wrap(require_network(recipe.network.name), network, given.num_frames)


class _FromKeypoints(nn.Sequential):
    """Heatmaps of joints or limbs, then the network that takes them."""

    def __init__(self, network: nn.Module, heatmaps: KeypointsToHeatmaps) -> None:
        super().__init__(heatmaps, network)


def _contract(state: RunState, servable: Servable, exported: Exported) -> dict[str, object]:
    recipe, given = state.recipe, state.recipe.input
    facts = facts_of(state)
    return {
        "name": recipe.name,
        "task": "action",
        "network": recipe.network.name,
        "layout": given.layout,
        "features": given.features,
        "stream": given.stream,
        "normalise": given.normalise,
        "num_persons": given.num_persons,
        "window_s": facts.window_s,
        "rate_hz": facts.rate_hz,
        "num_frames": given.num_frames,
        "sampling": "resample" if given.features == "everyday13" else "uniform",
        "inputs": [asdict(port) | {"dtype": "float32"} for port in servable.inputs],
        "outputs": list(require_network(recipe.network.name).outputs),
        "labels": list(state.classes),
        "temperature": round(facts.temperature, 4),
        "unknown": {"method": "max_probability", "threshold": facts.unknown},
        "actions": {name: _rule(name, facts) for name in state.classes if name != NONE_LABEL},
        "members": [],
        "is_continual": False,
        "defaults": [] if facts.thresholds else ["actions", "unknown", "temperature"],
        "sha256": exported.sha256,
        "protocol": {"recipe": recipe.model_dump(mode="json"), "step": state.step},
        "metrics": {"onnx_max_difference": float(f"{exported.max_difference:.2g}")} | _measured(state),
    }


def facts_of(state: RunState) -> ServingFacts:
    """What a run noted for serving."""
    noted = cast("dict[str, object]", state.notes.get("serving", {}))
    return ServingFacts(**({"window_s": 2.0, "rate_hz": 30.0} | noted))  # type: ignore[arg-type]  # our own JSON


def _measured(state: RunState) -> dict[str, object]:
    return {"test": state.notes["test"]} if "test" in state.notes else {}


def _rule(name: str, facts: ServingFacts) -> dict[str, object]:
    known = load_actions().actions.get(name)
    threshold = (facts.thresholds or {}).get(name, THRESHOLD)
    return {
        "threshold": round(threshold, 3),
        "offset_threshold": round(threshold * OFFSET_SHARE, 3),
        "min_duration_s": known.min_duration_s if known else MIN_DURATION_S,
        "merge_gap_s": known.merge_gap_s if known else MERGE_GAP_S,
        "quality": "experimental",
        "severity": known.severity if known else _SEVERITY,
    }
