"""A measured network at another pace: half precision, compiled, channels-last; the answers stay what they were."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models.errors import DeviceUnavailable
from models.nets.build import NETWORKS
from pipelines.errors import ConfigInvalid
from pipelines.training.fit.evaluation import Wanted, evaluate_recipe
from pipelines.training.fit.measure import torch_answer
from pipelines.training.fit.objective import Objective, build_network
from pipelines.training.fit.pace import Pace, Precision, quicken
from pipelines.training.fit.sequences import load_test
from pipelines.training.fit.views import View, build_maker
from tests.pipelines.training.recipes import PaintedPictures, tiny_recipe, write_deep_set, write_flat_set

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_flat_set(folder)
    write_deep_set(folder)
    return folder


def _view(name: str, sets: Path) -> tuple[Objective, View]:
    recipe = tiny_recipe(name)
    torch.manual_seed(0)
    objective = Objective(recipe, build_network(recipe, 2).eval()).eval()
    maker = build_maker(recipe, PaintedPictures())
    return objective, maker.test(maker.prepare(load_test(recipe, [sets])).items[0], 1, has_flip=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_answers_in_half_precision_what_it_answers_in_full(name: str, sets: Path) -> None:
    objective, view = _view(name, sets)
    full = torch_answer(objective, CPU)(view)
    pace = Pace("bf16")
    quicken(objective, pace)

    half = torch_answer(objective, CPU, dtype=pace.dtype)(view)

    assert half.dtype == np.float32
    assert np.abs(half - full).max() <= 0.1 * np.abs(full).max()


@pytest.mark.parametrize(("precision", "is_laid"), [("fp32", False), ("bf16", True), ("fp16", True)])
def test_volumes_lie_channels_last_in_half_precision_alone(precision: Precision, is_laid: bool, sets: Path) -> None:
    objective, _ = _view("posec3d-c3d", sets)

    quicken(objective, Pace(precision))

    wide = [m.weight for m in objective.network.modules() if isinstance(m, nn.Conv3d) and min(m.weight.shape[1:]) > 1]
    assert wide
    assert all(w.is_contiguous(memory_format=torch.channels_last_3d) == is_laid for w in wide)


def test_compiled_network_answers_the_same(sets: Path) -> None:
    objective, view = _view("tcn", sets)
    expected = torch_answer(objective, CPU)(view)
    quicken(objective, Pace(is_compiled=True), backend="eager")

    found = torch_answer(objective, CPU)(view)

    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_compiler_that_fails_is_told(sets: Path) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("no g++ on this machine")

    objective, view = _view("tcn", sets)
    quicken(objective, Pace(is_compiled=True), backend=broken)

    with pytest.raises(DeviceUnavailable, match=r"cannot be compiled here: .*no g\+\+ on this machine"):
        torch_answer(objective, CPU)(view)


def test_exported_model_is_measured_at_its_own_pace(tmp_path: Path) -> None:
    for name in ("model.json", "model.onnx"):
        (tmp_path / name).touch()

    with pytest.raises(ConfigInvalid, match="--precision and --compile are for runs"):
        evaluate_recipe(tmp_path, (), Wanted(pace=Pace("bf16")), None)
