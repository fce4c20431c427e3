"""`actogram bench gpu` as its user calls it, at small sizes on the CPU."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.commands.bench import command
from service.commands.bench_gpu import find_clips


def test_clips_are_a_file_or_those_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MKV", "notes.txt"):
        (tmp_path / name).touch()

    assert [path.name for path in find_clips(tmp_path)] == ["a.MKV", "b.mp4"]
    assert find_clips(tmp_path / "b.mp4") == (tmp_path / "b.mp4",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--parts bukets", "--parts: found 'bukets', expected buckets, torch, clips, cameras"),
        ("--cameras 1,x", "--cameras: found '1,x', expected numbers from 1 to 1000"),
        ("--cameras 0", "--cameras: found '0', expected numbers"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: str, message: str) -> None:
    (tmp_path / "a.mp4").touch()

    result = CliRunner().invoke(command, ["gpu", "--small", "--clips", str(tmp_path), *options.split()])

    assert result.exit_code == 2
    assert message in result.stderr


def test_folder_without_clips_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["gpu", "--small", "--clips", str(tmp_path)])

    assert result.exit_code == 2
    assert "no clip in it" in result.stderr


@pytest.mark.e2e
def test_small_run_measures_every_part_on_the_cpu(data_dir: Path, weights_dir: Path, tmp_path: Path) -> None:
    clip = data_dir / "video" / "upfall_a1_t1_c1.mp4"
    options = ["--small", "--minutes", "4", "--clips", str(clip), "--json", str(tmp_path / "found.json")]
    environment = {"ACTOGRAM_WEIGHTS": str(weights_dir)}

    result = CliRunner(env=environment).invoke(command, ["gpu", *options], catch_exceptions=False)

    found = json.loads((tmp_path / "found.json").read_text())
    assert result.exit_code == 0
    assert {name for names in found["providers"].values() for name in names} == {"CPUExecutionProvider"}
    assert {row["kind"] for row in found["buckets"]} == {"session", "stage"}
    assert found["torch"]["ceilings"]["bytes_per_s"] > 0
    assert [row["same_labels"] for row in found["clips"]] == [True]
    assert [row["cameras"] for row in found["cameras"]] == [1, 2]
    assert min(row["labels_per_s"] for row in found["cameras"]) > 0
    assert "| upfall_a1_t1_c1.mp4 |" in result.stdout
