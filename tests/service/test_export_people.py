"""`actogram models export-yolo` and `export-mmpose`: environments of their own, and what is made of what they write."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.runtime.people_folder import write_people_folder
from models.weights.registry import InputContract, ModelSpec
from service.commands.models import command
from service.commands.own_environment import EnvironmentFailed, Recipe, interpreter, make, run_apart
from tests.models.runtime.networks import write_constant

RECIPE = Recipe("framework", "framework", (("framework==1",), ("--no-deps", "other==2")))


def test_export_yolo_tells_the_network_its_licence_and_its_use_when_the_exporter_wrote_one(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f'cp -r "{exported(tmp_path)}" "$last"')

    result = invoke("export-yolo", "yolo11n.pt", "-o", tmp_path / "out", "--venv", python, "--size", "320")

    assert result.exit_code == 0, result.output
    assert "mine: yolo, licence AGPL-3.0" in result.output
    assert f"use it with --detector {tmp_path / 'out'}" in result.output
    words = (tmp_path / "words").read_text().split()
    assert Path(words[2]).name == "from_ultralytics.py"
    assert words[3:] == ["yolo11n.pt", "--size", "320", "-o", str(tmp_path / "out")]


def test_export_mmpose_hands_on_configuration_checkpoint_and_licence(tmp_path: Path) -> None:
    python = fake_python(tmp_path, f'cp -r "{exported(tmp_path)}" "$last"')

    invoke("export-mmpose", "a.py", "b.pth", "-o", tmp_path / "out", "--venv", python, "--licence", "MIT")

    words = (tmp_path / "words").read_text().split()
    assert Path(words[2]).name == "from_openmmlab.py"
    assert words[3:] == ["a.py", "b.pth", "--licence", "MIT", "-o", str(tmp_path / "out")]


@pytest.mark.parametrize(("status", "expected"), [(2, 2), (1, 1), (139, 1)])
def test_export_ends_with_the_exporters_status_when_it_refuses(status: int, expected: int, tmp_path: Path) -> None:
    python = fake_python(tmp_path, f"exit {status}")

    result = invoke("export-yolo", "yolo11n.pt", "-o", tmp_path / "out", "--venv", python)

    assert result.exit_code == expected
    assert not (tmp_path / "out").exists()


def test_export_names_what_is_wrong_when_the_folder_it_wrote_cannot_be_served(tmp_path: Path) -> None:
    folder = exported(tmp_path)
    (folder / "model.onnx").write_bytes(b"no network")
    python = fake_python(tmp_path, f'cp -r "{folder}" "$last"')

    result = invoke("export-yolo", "yolo11n.pt", "-o", tmp_path / "out", "--venv", python)

    assert result.exit_code != 0
    assert "weights_corrupt" in result.output


def test_export_names_the_folder_when_it_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").touch()

    result = invoke("export-yolo", "yolo11n.pt", "-o", tmp_path / "out", "--venv", tmp_path / "photos")

    assert result.exit_code == 1
    assert "environment_failed" in result.output
    assert "found no bin/python, expected a Python environment" in result.output


def test_environment_is_made_once_by_its_recipe(tmp_path: Path) -> None:
    said: list[str] = []
    fake_python(tmp_path, f'echo "$@" >> {tmp_path / "calls"}')

    for _ in range(2):
        python = interpreter(RECIPE, tmp_path, None, said.append)

    assert python == tmp_path / "framework" / "bin" / "python"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.split("--no-input ")[1] for call in calls] == ["framework==1", "--no-deps other==2"]
    assert len(said) == 1


def test_environment_says_what_pip_said_last_when_it_failed(tmp_path: Path) -> None:
    fake_python(tmp_path, 'echo "Looking"; echo "ERROR: No matching distribution"; echo "a notice"; exit 1')

    with pytest.raises(EnvironmentFailed, match=r"framework==1: ERROR: No matching distribution .*install\.log"):
        make(RECIPE, tmp_path / "framework", print)


def test_environment_is_completed_when_pip_failed_before(tmp_path: Path) -> None:
    fake_python(tmp_path, "exit 1")
    with pytest.raises(EnvironmentFailed):
        make(RECIPE, tmp_path / "framework", print)
    fake_python(tmp_path, "exit 0")

    python = interpreter(RECIPE, tmp_path, tmp_path / "framework", print)

    assert python.is_file()
    assert (tmp_path / "framework" / ".actogram-environment").is_file()


def test_environment_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    fake_python(tmp_path, "exit 1")

    python = interpreter(RECIPE, tmp_path / "home", tmp_path / "framework", print)

    assert python == tmp_path / "framework" / "bin" / "python"
    assert not (tmp_path / "home").exists()


def test_exporter_sees_nothing_of_our_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    python = fake_python(tmp_path, f'echo "found:$PYTHONPATH" > {tmp_path / "seen"}')

    run_apart(python, Path("script.py"), [])

    assert (tmp_path / "seen").read_text() == "found:\n"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def fake_python(folder: Path, script: str) -> Path:
    """An environment `framework` whose Python is a shell script; `$last` is the last word that it was called with."""
    python = folder / "framework" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    head = f'#!/bin/sh\necho "$@" > {folder / "words"}\nfor last; do :; done\n'
    python.write_text(f"{head}{script}\n")
    python.chmod(0o755)
    return python


def exported(folder: Path) -> Path:
    """A folder as the exporter of YOLO networks writes it."""
    rows = np.zeros((84, 2100), np.float32)
    network = write_constant(folder / "net.onnx", ("batch", 3, "height", "width"), {"output0": rows})
    spec = ModelSpec(
        "mine", "detect", "yolo", {}, labels=("person", "dog"), licence="AGPL-3.0",
        input=InputContract((320, 320), "rgb", std=(255.0, 255.0, 255.0)), decode={"end_to_end": False},
    )  # fmt: skip
    return write_people_folder(folder / "exported", spec, network, "a test")
