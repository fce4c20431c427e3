from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from service.commands.handover import with_data, with_weights
from service.settings import Settings


def _settings(tmp_path: Path, **values: object) -> Settings:
    return Settings(home=tmp_path, weights=None, **values)  # type: ignore[arg-type]


def test_data_folder_comes_from_the_settings_unless_it_was_said(tmp_path: Path) -> None:
    settings = _settings(tmp_path, data=tmp_path / "data")

    assert with_data(settings, ["--out", "x"]) == ["--data", str(tmp_path / "data" / "skeleton")]
    assert with_data(settings, ["--data", "mine"]) == []
    assert with_data(settings, ["--data=mine"]) == []
    assert with_data(_settings(tmp_path, data=None), []) == []


def test_weights_are_kept_in_the_cache_of_the_settings(tmp_path: Path) -> None:
    found = with_weights(_settings(tmp_path, offline=True), [])

    assert found == ["--cache", str(tmp_path / "weights"), "--offline"]


@pytest.mark.parametrize("name", ["prepare", "dataset", "train", "evaluate", "examine", "export"])
def test_command_is_listed(name: str) -> None:
    assert name in CliRunner().invoke(main, ["--help"]).output


def test_failure_of_the_handed_over_command_keeps_its_line_and_its_status(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    result = CliRunner().invoke(main, ["train", "--preset", "nothing", "--data", str(tmp_path), "--out", str(tmp_path)])

    assert result.exit_code == 2
    assert "actogram: config_invalid: preset 'nothing'" in capfd.readouterr().err


def test_prepare_of_a_folder_without_videos_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = CliRunner().invoke(main, ["prepare", str(tmp_path), "--out", str(tmp_path / "set.npz")])

    assert result.exit_code == 2
    assert "actogram: dataset_invalid: no video among" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
