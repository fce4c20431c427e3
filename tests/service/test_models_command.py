"""`actogram models`: the table, the card, pulling, and what a failure looks like."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from models.weights.registry import load_registry
from service.commands.models import command
from tests.people_folders import one_stage_folder


@pytest.fixture
def runner(tmp_path: Path) -> CliRunner:
    """Runs the command with an empty cache and no network."""
    (tmp_path / "weights").mkdir()
    environment = {
        "ACTOGRAM_HOME": str(tmp_path / "home"),
        "ACTOGRAM_WEIGHTS": str(tmp_path / "weights"),
        "ACTOGRAM_OFFLINE": "1",
    }
    return CliRunner(env=environment)


def test_list_shows_every_network_with_licence_and_state(runner: CliRunner) -> None:
    result = runner.invoke(command, ["list"])

    assert result.exit_code == 0
    for spec in load_registry():
        line = next(line for line in result.stdout.splitlines() if line.startswith(f"{spec.name} "))
        assert spec.licence in line
        assert line.split()[-1] == ("cached" if spec.task == "action" else "missing")


def test_list_shows_cached_when_the_folder_has_the_file(runner: CliRunner, weights_dir: Path) -> None:
    result = runner.invoke(command, ["list"], env={"ACTOGRAM_WEIGHTS": str(weights_dir)})

    line = next(line for line in result.stdout.splitlines() if line.startswith("rtmdet-nano-person "))
    assert line.split()[-1] == "cached"


def test_card_shows_what_is_known(runner: CliRunner) -> None:
    result = runner.invoke(command, ["card", "blazepose-full"])

    assert result.exit_code == 0
    assert "licence:  Apache-2.0" in result.stdout
    assert "Bazarevsky" in result.stdout


def test_pull_says_which_file_it_took(runner: CliRunner, weights_dir: Path) -> None:
    result = runner.invoke(command, ["pull", "rtmdet-nano-person"], env={"ACTOGRAM_WEIGHTS": str(weights_dir)})

    assert result.exit_code == 0
    assert result.stdout.startswith("rtmdet-nano-person: ")


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        pytest.param(["pull", "nope"], 2, "actogram: model_unknown: found model 'nope'", id="unknown network"),
        pytest.param(["card", "nope"], 2, "actogram: model_unknown: found model 'nope'", id="unknown card"),
        pytest.param(["pull", "--profile", "x"], 2, "actogram: model_unknown: found profile 'x'", id="profile"),
        pytest.param(["pull", "rtmpose-t"], 1, "actogram: weights_missing: rtmpose-t", id="offline"),
        pytest.param(["pull", "rtmpose-t", "--profile", "auto"], 2, "not both", id="both"),
    ],
)
def test_failure_is_one_line_with_a_stable_code(
    runner: CliRunner, arguments: list[str], status: int, text: str
) -> None:
    result = runner.invoke(command, arguments)

    assert result.exit_code == status
    assert text in result.stderr


def test_networks_of_ones_own_are_listed_and_described_by_what_they_do(runner: CliRunner, tmp_path: Path) -> None:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    one_stage_folder(models / "mine")
    (models / "broken").mkdir()
    (models / "broken" / "model.json").write_text('{"format": "actogram-people-1"}')

    listed, card = runner.invoke(command, ["list"]), runner.invoke(command, ["card", "mine"])

    line = next(line for line in listed.stdout.splitlines() if line.startswith("mine "))
    assert line.split() == ["mine", "detect_pose", "AGPL-3.0", "your", "own"]
    assert "actogram: contract_mismatch" in listed.stderr
    assert card.exit_code == 0
    assert "terms:    It reaches what is built on it." in card.stdout
