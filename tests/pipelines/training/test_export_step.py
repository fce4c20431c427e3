"""A trained graph network is served a frame at a time; what has no such form is refused before anything is written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import ContractMismatch
from models.runtime.continual import ContinualModel
from pipelines.stream.build import open_action
from pipelines.training.fit.batches import Share
from pipelines.training.fit.devices import Place
from pipelines.training.fit.loop import RecipeTrainer
from pipelines.training.fit.package import export_step
from pipelines.training.fit.sequences import load_parts
from pipelines.training.fit.state import RunState
from pipelines.training.fit.views import build_maker
from pipelines.training.recipe import Recipe
from tests.fakes import waving_keypoints
from tests.pipelines.training.recipes import tiny_recipe, write_flat_set


def run_of(recipe: Recipe, folder: Path) -> RunState:
    write_flat_set(folder)
    trainer = RecipeTrainer(
        recipe, load_parts(recipe, [folder]), build_maker(recipe), Place(torch.device("cpu"), Share())
    )
    trainer.run(lambda _: None)
    return trainer.state()


def test_trained_network_is_served_a_step_at_a_time(tmp_path: Path) -> None:
    export_step(run_of(tiny_recipe("stgcn++"), tmp_path), tmp_path / "step")

    model = open_action(tmp_path / "step")
    assert isinstance(model, ContinualModel)
    assert model.labels == ("stand", "wave")
    T = model.contract.num_samples
    keypoints = np.stack([waving_keypoints(tick / model.contract.rate_hz) for tick in range(T)])[None]
    judged = model.judge(keypoints, np.ones((1, T), np.bool_), np.array([[640, 480]], np.float32))
    assert judged.probabilities.sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (tiny_recipe("posec3d-x3d"), "X3DShallow has no continual form"),
        (tiny_recipe("stgcn++", input={"stream": "bone_motion"}), "bone_motion needs two"),
    ],
    ids=["network", "stream"],
)
def test_run_without_a_continual_form_is_refused(tmp_path: Path, recipe: Recipe, message: str) -> None:
    state = run_of(recipe, tmp_path)

    with pytest.raises(ContractMismatch, match=message):
        export_step(state, tmp_path / "step")

    assert not (tmp_path / "step").exists()
