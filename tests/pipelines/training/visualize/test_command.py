"""`actogram visualize`, from a set or a run to a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from models.nets.tcn import TCN
from pipelines.training.fit.finish import finish
from pipelines.training.fit.run import train
from pipelines.training.visualize.command import visualize
from pipelines.training.visualize.focus_map import focus_of, joint_weights
from tests.pipelines.training.recipes import tiny_recipe, write_deep_set, write_flat_set


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_flat_set(folder)
    write_deep_set(folder)
    return folder


@pytest.fixture(scope="module")
def runs(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of a network with a focus of its own, and of one without, in space."""
    folder = tmp_path_factory.mktemp("runs")
    train(tiny_recipe("stf-stgcn++"), [sets], folder / "stf", lambda look, steps: None)
    train(tiny_recipe("stgcn", "deep"), [sets], folder / "stgcn", lambda look, steps: None)
    return folder


def call(*args: object) -> Result:
    return CliRunner().invoke(visualize, [str(arg) for arg in args])


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (("skeleton", "flat.npz", "--sequence", "flat_1", "--size", 96), "a.mp4"),
        (("skeleton", "deep.npz", "--layout", "kinect20", "--size", 96), "a.gif"),
        (("heatmap", "flat.npz", "--side", 24), "a.mp4"),
        (("heatmap", "flat.npz", "--limbs"), "a.png"),
        (("heatmap", "flat.npz", "--channels", 3), "a.jpg"),
    ],
)
def test_sets_are_drawn(args: tuple[object, ...], name: str, sets: Path, tmp_path: Path) -> None:
    kind, file, *options = args

    result = call(kind, sets / str(file), *options, "-o", tmp_path / name)

    assert result.exit_code == 0, result.output
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ("skeleton", "flat.npz", "--sequence", "nobody", "-o", "a.mp4"),
            "dataset_invalid: flat: no sequence 'nobody'",
        ),
        (("skeleton", "flat.npz", "-o", "a.png"), "config_invalid: a.png: expected a name that ends in .mp4 or .gif"),
        (
            ("heatmap", "deep.npz", "--layout", "kinect20", "-o", "a.png"),
            "dataset_invalid: heatmaps are drawn of joints",
        ),
        (("heatmap", "flat.npz", "--channels", "30", "-o", "a.png"), "config_invalid: frame 30 of 30"),
        (("skeleton", "deep.npz", "-o", "a.mp4"), "dataset_invalid: deep"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(
    args: tuple[str, ...], said: str, sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    result = call(args[0], sets / args[1], *args[2:])

    assert result.exit_code == 2
    assert result.output.startswith(f"actogram: {said}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("run", ["stf", "stgcn"])
def test_focus_of_a_run_is_drawn(run: str, runs: Path, sets: Path, tmp_path: Path) -> None:
    result = call("focus", runs / run, "--data", sets, "--label", "wave", "--size", 96, "-o", tmp_path / "a.mp4")

    assert result.exit_code == 0, result.output
    assert "wave" in result.output


def test_focus_covers_the_frames_that_the_network_saw(runs: Path, sets: Path) -> None:
    found = focus_of(runs / "stgcn", (sets,), label="stand")

    M, T, V, _ = found.bodies.joints.shape
    assert found.weight.shape == (M, T, V) == (M, 16, 20)
    assert 0 <= found.weight.min() < found.weight.max() <= 1
    assert found.label == "stand"


def test_focus_of_unknown_names_is_refused(runs: Path, sets: Path, tmp_path: Path) -> None:
    for option, value, said in (("--label", "fly", "label 'fly'"), ("--sequence", "none", "no sequence 'none'")):
        result = call("focus", runs / "stf", "--data", sets, option, value, "-o", tmp_path / "a.mp4")

        assert result.exit_code == 2
        assert said in result.output


def test_confusion_needs_a_measured_run_and_then_is_drawn(runs: Path, sets: Path, tmp_path: Path) -> None:
    before = call("confusion", runs / "stf", "-o", tmp_path / "a.png")
    finish(runs / "stf", [sets])
    after = call("confusion", runs / "stf", "-o", tmp_path / "b.png")

    assert before.exit_code == 2
    assert "no result.json" in before.output
    assert after.exit_code == 0, after.output
    assert "2 classes, 4 sequences" in after.output
    assert [path.name for path in tmp_path.iterdir()] == ["b.png"]


def test_joints_that_decide_weigh_most() -> None:
    torch.manual_seed(0)
    network = TCN(5, 2, 3, 8).eval()
    with torch.no_grad():
        network.stem.weight.reshape(8, 5, 2)[:, [0, 1, 3, 4]] = 0
    x = torch.randn(1, 1, 12, 5, 2)

    weight = joint_weights(network, x, 1)

    assert weight.shape == (1, 12, 5)
    assert np.array_equal(np.unique(weight.nonzero()[:, 2]), [2])
