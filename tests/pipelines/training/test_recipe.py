"""Recipes: typed, merged from parts, and refused where they contradict themselves."""

from pathlib import Path

import pytest
import torch

from pipelines.errors import ConfigInvalid
from pipelines.training.config import PRESETS
from pipelines.training.fit.objective import build_network
from pipelines.training.recipe import Recipe, is_recipe, load_recipe, part_names, published

NWUCLA = "nwucla/stgcn++"


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (NWUCLA, {"optim.lr": "-1"}, r"optim\.lr: .*greater than 0 \(got -1\)"),
        (NWUCLA, {"optim.speed": "1"}, r"optim\.speed: Extra inputs"),
        (NWUCLA, {"network.name": "stgcm"}, r"network: network 'stgcm' is not one of stgcn, stgcn\+\+"),
        (NWUCLA, {"network.options.depth": "3"}, r"network\.options: depth: no such option; there are base_channels"),
        (NWUCLA, {"network.options.dropout": "2"}, r"network\.options: dropout: .*\(got 2\)"),
        (NWUCLA, {"network.options.down_stages": "[11]"}, "down_stages names stage 11, but num_stages is 10"),
        (NWUCLA, {"input.layout": "kinect21"}, "'kinect21'"),
        (NWUCLA, {"input.layout": "coco17"}, r"input: features 'pyskl-3d' do not go with layout 'coco17'"),
        (NWUCLA, {"input.stream": "limb"}, r"input: stream 'limb' does not go with features 'pyskl-3d': joint, bone"),
        (NWUCLA, {"optim.steps": "10"}, r"optim: passes is 80 and steps is 10: give one of the two"),
        (NWUCLA, {"optim.warmup": "81"}, r"optim: warmup is 81, but the run has 80"),
        (NWUCLA, {"optim.milestones": "[5]"}, "milestones go with schedule 'step', schedule is 'cosine'"),
        (NWUCLA, {"augment.kept": "[0.9, 0.5]"}, r"augment: kept is \[0\.9, 0\.5\]"),
        (NWUCLA, {"loss.name": "stf"}, r"loss\.name 'stf' needs a network of STF, network\.name is 'stgcn\+\+'"),
        (NWUCLA, {"loss.name": "pseudo_multi_task"}, "needs the branches of slnl-rfa"),
        (NWUCLA, {"loss.name": "focal", "loss.smoothing": "0.1"}, "smoothing 0.1 goes with cross_entropy only"),
        ("nwucla/stf-msg3d", {"augment.mixup": "0.2"}, r"augment\.mixup 0\.2 does not go with loss\.name 'stf'"),
        ("nwucla/posec3d-x3d", {}, "features 'heatmap' do not go with layout 'kinect20'"),
        ("pennaction/posec3d-x3d", {"network.name": "stgcn"}, r"network\.name 'stgcn' takes keypoint"),
        (NWUCLA, {"data.videos": "x"}, "data.videos is for features 'rgbpose'"),
        (NWUCLA, {"run.patience": "3", "data.validation_share": "0"}, r"run\.patience needs a validation part"),
        ("stgcn++", {}, "data: is not given"),
        ("nwucla/stgcn+++", {}, r"recipe part 'stgcn\+\+\+' does not exist; there are common"),
    ],
)  # fmt: skip
def test_recipe_says_which_key_is_wrong(name: str, overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigInvalid, match=message):
        load_recipe(name, overrides)


def test_later_parts_win_over_earlier_ones() -> None:
    recipe = load_recipe("nwucla/ctrgcn/bone/small", {"seed": "3"})

    assert (recipe.name, recipe.network.name, recipe.input.stream) == ("nwucla-ctrgcn-bone-small", "ctrgcn", "bone")
    assert (recipe.optim.batch_size, recipe.optim.passes, recipe.seed) == (16, 80, 3)


def test_file_extends_parts_and_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text('extends = "stgcn++"\n[data]\nsets = ["mine"]\n[input]\nlayout = "coco17"\n'
                                        'features = "pyskl-2d"\n')  # fmt: skip
    (tmp_path / "wide.toml").write_text('extends = ["ours", "bone"]\n[network.options]\nbase_channels = 96\n')

    recipe = load_recipe(str(tmp_path / "wide.toml"))

    assert (recipe.name, recipe.data.sets, recipe.input.stream) == ("wide", ("mine",), "bone")
    assert recipe.network.options == {"base_channels": 96}


def test_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('extends = "b"\n')
    (tmp_path / "b.toml").write_text('extends = "a"\n')

    with pytest.raises(ConfigInvalid, match="goes in a circle: a > b > a"):
        load_recipe(str(tmp_path / "a.toml"))


def test_presets_and_recipes_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('extends = "nwucla/stgcn"\n')

    assert is_recipe("nwucla/stgcn++/bone")
    assert is_recipe(str(tmp_path / "mine.toml"))
    assert not any(is_recipe(name) for preset in PRESETS.glob("*.toml") for name in (preset.stem, str(preset)))


def test_every_published_setting_loads_and_every_part_is_used_or_named() -> None:
    recipes = [load_recipe(name) for name in published()]

    assert len(recipes) > 500
    assert {recipe.network.name for recipe in recipes} >= set(part_names()["network"]) - {"tcn", "everyday-stgcnpp"}
    assert {part for name in published() for part in name.split("/")} >= set(part_names()["data"])


@pytest.mark.slow
def test_every_published_setting_builds_its_network() -> None:
    recipes = {_kind(recipe): recipe for recipe in map(load_recipe, published())}

    with torch.device("meta"):
        networks = [build_network(recipe, 60) for recipe in recipes.values()]

    assert all(sum(p.numel() for p in network.parameters()) > 10_000 for network in networks)


def _kind(recipe: Recipe) -> tuple[object, ...]:
    """What a network depends on, so that each is built once."""
    is_limb = recipe.input.stream == "limb"
    return recipe.network.name, repr(recipe.network.options), recipe.input.layout, is_limb, recipe.input.num_persons
