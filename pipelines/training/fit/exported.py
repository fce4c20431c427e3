"""An exported or imported model folder, measured by the protocol of a recipe: ONNX Runtime instead of torch."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import torch

from models.arrays import AnyArray, FloatArray
from models.runtime.contract import ActionContract, load_contract, verify_weights
from models.runtime.session import Session
from models.skeleton.layouts import require_layout
from models.skeleton.network_input import heatmap_sigma_px
from models.skeleton.pyskl_features import format_people, sample_for_test
from pipelines.errors import ConfigInvalid
from pipelines.training.fit.measure import Answer
from pipelines.training.fit.objective import DrawnHeatmaps
from pipelines.training.fit.run import pictures_of
from pipelines.training.fit.sequences import Sequences, SkeletonSequence
from pipelines.training.fit.views import FixedViews, View, build_maker
from pipelines.training.metrics import softmax
from pipelines.training.recipe import Recipe, parse_recipe


def is_model_folder(path: Path) -> bool:
    """Whether there is an exported model."""
    return (path / "model.json").is_file()


def recipe_of(folder: Path, overrides: dict[str, dict[str, object]]) -> Recipe:
    """The recipe by which a model folder is measured: its own where it has one, else what its contract says of inputs.

    overrides: sections that replace what is there. Raises ConfigInvalid where no data set is named.
    """
    raw = cast("dict[str, object]", json.loads((folder / "model.json").read_text("utf-8")))
    protocol = cast("dict[str, object]", raw.get("protocol") or {})
    own = cast("dict[str, dict[str, object]]", protocol.get("recipe") or _from_contract(raw))
    for key, section in overrides.items():
        own[key] = dict(own.get(key, {})) | section
    if not own["data"].get("sets"):
        raise ConfigInvalid(f"{folder}: the model does not say which sets it is measured on: name them with --sets")
    return parse_recipe(own, str(folder))


def _from_contract(raw: dict[str, object]) -> dict[str, dict[str, object]]:
    """A recipe for a model that none made, such as an imported one."""
    given = ("features", "layout", "stream", "num_frames", "num_persons", "rate_hz", "normalise")
    known = {key: raw[key] for key in given if key in raw}
    if known.get("features") == "everyday13":
        known["num_persons"] = 1
    sections: dict[str, object] = {
        "name": "model", "data": {"labels": raw["labels"]}, "input": known, "network": {"name": raw["network"]},
        "optim": {"steps": 1},
    }  # fmt: skip
    return cast("dict[str, dict[str, object]]", sections)


def onnx_answer(folder: Path, recipe: Recipe) -> tuple[Answer, ActionContract]:
    """What a model folder answers to views; raises ModelError where it cannot be opened, or wants other inputs."""
    contract = load_contract(folder / "model.json")
    verify_weights(contract, folder / "model.onnx")
    session = Session(folder / "model.onnx")
    names = [spec.name for spec in contract.inputs]
    draw = DrawnHeatmaps(recipe.input.side, sigma_px=heatmap_sigma_px(recipe.input.features))

    def answer(view: View) -> FloatArray:
        arrays = list(view)
        if recipe.input.features == "everyday13":
            arrays = [arrays[0][:, 0]] if len(contract.inputs[0].shape) == 4 else arrays
        if recipe.input.features == "rgbpose":
            arrays[-1] = draw(torch.from_numpy(arrays[-1])).numpy()
        found = session.run(dict(zip(names, arrays, strict=True)))
        return _fused([found[name] for name in contract.outputs])

    return answer, contract


class PixelViews:
    """Views for files that draw heatmaps inside: (views, M, T, V, 3) joints in pixels of the picture."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.layout = require_layout(recipe.input.layout)

    def prepare(self, sequences: Sequences) -> Sequences:
        """Sequences as they are."""
        return sequences

    def test(self, sequence: SkeletonSequence, clips: int, has_flip: bool) -> View:
        """(views, M, T, V, 3)."""
        given = self.recipe.input
        index = sample_for_test(sequence.num_frames, given.num_frames, clips)
        clip = sequence.keypoint[:, index]
        sides = [clip]
        if has_flip:
            width = (sequence.shape_hw or (1080, 1920))[1]
            other = clip[:, :, list(self.layout.mirrored)]
            x = np.where(other[..., :1] != 0, width - other[..., :1], 0)
            sides.append(np.concatenate([x, other[..., 1:]], axis=-1))
        views = [format_people(side, given.num_persons, clips) for side in sides]
        return (np.concatenate(views).astype(np.float32),)


def maker_of(recipe: Recipe) -> FixedViews:
    """What an exported file of a recipe is shown."""
    return PixelViews(recipe) if recipe.input.features == "heatmap" else build_maker(recipe, pictures_of(recipe))


def _fused(outputs: list[AnyArray]) -> FloatArray:
    """(N, K) logits; of several heads the logarithm of their mean probability."""
    if len(outputs) == 1:
        return np.asarray(outputs[0], np.float32)
    mean = np.mean([softmax(np.asarray(part, np.float32)) for part in outputs], axis=0)
    return np.asarray(np.log(np.maximum(mean, 1e-12)), np.float32)
