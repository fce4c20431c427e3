"""Several runs that differ in their seed become one model."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from pipelines.errors import ConfigInvalid
from pipelines.training import runs
from pipelines.training.__main__ import main
from pipelines.training.checkpoint import Checkpoint, save_checkpoint
from pipelines.training.config import load_config
from pipelines.training.labels import load_labels
from pipelines.training.networks import build_network
from tests.pipelines.training.bodies import write_sets


def run_folder(folder: Path, seed: int, **overrides: str) -> Path:
    """A run that has ended, with random weights."""
    config = load_config("everyday-tcn", {"network.base_channels": "8", "seed": str(seed)} | overrides)
    labels = load_labels().labels
    torch.manual_seed(seed)
    weights = build_network(config.network, len(labels)).state_dict()
    folder.mkdir()
    generator = torch.Generator().get_state()
    save_checkpoint(
        Checkpoint(config, 1, labels, weights, weights, {}, {}, generator, {}), folder / runs.CHECKPOINT
    )  # fmt: skip
    return folder


def test_network_of_several_runs_answers_with_the_mean_of_their_logits(tmp_path: Path) -> None:
    paths = [run_folder(tmp_path / str(seed), seed) for seed in range(3)]
    features = torch.randn(4, 30, 13, 5, generator=torch.Generator().manual_seed(0))

    network, first = runs.load_networks(paths)

    with torch.no_grad():
        expected = torch.stack([runs.load_network(path)[0](features) for path in paths]).mean(dim=0)
        torch.testing.assert_close(network(features), expected)
        assert (expected[0] - runs.load_network(paths[0])[0](features)[0]).abs().max() > 1e-3
    assert first.config.seed == 0


def test_network_of_one_run_is_that_run(tmp_path: Path) -> None:
    path = run_folder(tmp_path / "run", 5)

    network, checkpoint = runs.load_networks([path])

    assert network.state_dict().keys() == runs.load_network(path)[0].state_dict().keys()
    assert checkpoint.config.seed == 5


@pytest.mark.parametrize("other", [{"optim.lr": "0.5"}, {"data.leave_out": '["urfd"]'}], ids=["rate", "sets"])
def test_runs_that_differ_in_more_than_the_seed_are_refused_by_name(tmp_path: Path, other: dict[str, str]) -> None:
    first, second = run_folder(tmp_path / "a", 0), run_folder(tmp_path / "b", 1, **other)

    with pytest.raises(
        ConfigInvalid, match=r"b: its settings or labels differ from those of .*a; only the seed may differ"
    ):
        runs.load_networks([first, second])


def test_exported_model_and_its_card_name_the_members(tmp_path: Path) -> None:
    write_sets(tmp_path / "sets")
    names = '["utkinect", "jhmdb14"]'
    paths = [str(run_folder(tmp_path / str(seed), seed, **{"data.sets": names})) for seed in (3, 4)]

    done = CliRunner().invoke(
        main, ["export", *paths, "--data", str(tmp_path / "sets"), "--out", str(tmp_path / "model")]
    )

    assert done.exit_code == 0, done.output
    contract = json.loads((tmp_path / "model" / "model.json").read_text())
    assert contract["protocol"]["members"] == "the mean of 2 networks' logits; they differ in their seed: 3, 4"
    assert "The mean of 2 networks' logits" in (tmp_path / "model" / "card.md").read_text()
