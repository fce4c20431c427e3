"""docs/notebooks: every notebook runs from its first cell to its last, and holds no output of somebody's machine."""

import json
import shutil
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"
FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def code_of(path: Path) -> list[str]:
    """The code cells, in order."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run(path: Path) -> dict[str, object]:
    """What the cells leave behind."""
    space: dict[str, object] = {"__name__": "notebook"}
    for number, code in enumerate(code_of(path)):
        exec(compile(code, f"{path.name}, cell {number}", "exec"), space)
    return space


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_notebook_is_one_and_holds_no_output(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))

    assert notebook["nbformat"] == 4
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])
    assert path.stat().st_size < 20_000


@pytest.mark.slow
def test_notebook_about_a_video_runs(
    data_dir: Path,
    weights_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(data_dir / "video2" / "gmdcsa_s3_adl07.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTOGRAM_WEIGHTS", str(weights_dir))

    run(NOTEBOOKS / "video.ipynb")

    assert "squat assessed 2" in capsys.readouterr().out
    assert (tmp_path / "drawn.mp4").is_file()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_notebook_that_trains_makes_a_model_that_knows_its_exercise(
    data_dir: Path,
    weights_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    shutil.copy(data_dir / "video2" / "gmdcsa_s3_adl07.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTOGRAM_WEIGHTS", str(weights_dir))

    run(NOTEBOOKS / "train.ipynb")

    assert "('squat', 'raise', 'stand')" in capsys.readouterr().out
    assert (tmp_path / "model" / "model.onnx").is_file()
