"""Every network of the table trains, is exported, and answers as an ONNX file: a new row cannot be forgotten."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from models.arrays import FloatArray
from models.nets.build import NETWORKS
from models.skeleton.pyskl_features import format_people, sample_for_test
from pipelines.training.fit.batches import Share
from pipelines.training.fit.devices import Place
from pipelines.training.fit.loop import RecipeTrainer
from pipelines.training.fit.package import export_run
from pipelines.training.fit.sequences import load_parts, load_test
from pipelines.training.fit.views import build_maker
from pipelines.training.recipe import Recipe
from tests.pipelines.training.recipes import PaintedPictures, tiny_recipe, write_deep_set, write_flat_set

CPU = Place(torch.device("cpu"), Share())


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_flat_set(folder)
    write_deep_set(folder)
    return folder


def trained(recipe: Recipe, sets: Path) -> RecipeTrainer:
    trainer = RecipeTrainer(recipe, load_parts(recipe, [sets]), build_maker(recipe, PaintedPictures()), CPU)
    trainer.run(lambda _: None)
    return trainer


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NETWORKS)
def test_network_trains_two_steps_and_is_served_as_it_was_trained(name: str, sets: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(name, loss={"name": _own_loss(name)})
    before = RecipeTrainer(recipe, load_parts(recipe, [sets]), build_maker(recipe, PaintedPictures()), CPU)
    trainer = trained(recipe, sets)

    export_run(trainer.state(), tmp_path)

    assert trainer.step == 2
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before.network.parameters(), trainer.network.parameters(), strict=True)
    )
    contract = json.loads((tmp_path / "model.json").read_text())
    assert (contract["network"], contract["labels"]) == (name, ["stand", "wave"])
    _check_file(tmp_path / "model.onnx", trainer, sets)


def _check_file(path: Path, trainer: RecipeTrainer, sets: Path) -> None:
    """The file's logits of one real clip are the network's."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    maker, test = trainer.maker, load_test(trainer.recipe, [sets])
    view = maker.test(maker.prepare(test).items[0], 1, has_flip=False)
    inputs = trainer.objective.drawn(tuple(torch.from_numpy(part) for part in view))
    network = trainer.network.eval()

    with torch.no_grad():
        expected = network(*inputs)

    feeds = {port.name: part.numpy() for port, part in zip(session.get_inputs(), inputs, strict=True)}
    if trainer.recipe.input.features == "heatmap":
        feeds = {"keypoint": _pixels(trainer, test.items[0].keypoint)}
    found = session.run(None, feeds)
    for one, other in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=2e-3, rtol=2e-3)


def _pixels(trainer: RecipeTrainer, keypoint: FloatArray) -> FloatArray:
    """The same clip in pixels of the picture, from which the file draws its maps."""
    index = sample_for_test(keypoint.shape[1], trainer.recipe.input.num_frames)
    return np.asarray(format_people(keypoint[:, index], trainer.recipe.input.num_persons), np.float32)


def _own_loss(name: str) -> str:
    if name.startswith("stf-"):
        return "stf"
    return "pseudo_multi_task" if name == "slnl-rfa" else "cross_entropy"


@pytest.mark.parametrize("loss", ["focal", "soft_margin_focal"])
def test_network_learns_with_a_loss_of_its_own(loss: str, sets: Path) -> None:
    trainer = trained(tiny_recipe("tcn", loss={"name": loss}), sets)

    assert trainer.step == 2


@pytest.mark.parametrize("stream", ["joint", "bone", "joint_motion", "bone_motion"])
@pytest.mark.parametrize("kind", ["flat", "deep"])
def test_graph_network_learns_from_every_stream(stream: str, kind: str, sets: Path) -> None:
    trainer = trained(tiny_recipe("stgcn++", kind, input={"stream": stream}), sets)

    assert trainer.step == 2


def test_heatmap_network_learns_from_limbs_and_its_file_draws_them(sets: Path, tmp_path: Path) -> None:
    trainer = trained(tiny_recipe("posec3d-x3d", input={"stream": "limb"}), sets)

    export_run(trainer.state(), tmp_path)

    assert json.loads((tmp_path / "model.json").read_text())["stream"] == "limb"
    _check_file(tmp_path / "model.onnx", trainer, sets)


def test_network_learns_the_products_own_features_from_either_kind_of_set(sets: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        "tcn", input={"features": "everyday13", "num_persons": 1, "num_frames": 30}, augment={"rotate_deg": 30.0}
    )
    trainer = trained(recipe, sets)

    exported = export_run(trainer.state(), tmp_path)

    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 30, 13, 5]
