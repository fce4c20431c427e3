"""A recipe from the command line to a model that is served, and back to the same numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from models.runtime.action import ActionModel
from models.runtime.contract import load_contract, verify_weights
from models.runtime.session import Session
from pipelines.training.__main__ import main
from pipelines.training.fit.finish import fused_top1
from tests.pipelines.training.recipes import write_deep_set, write_flat_set

OURS = """
extends = ["tcn", "everyday13"]
[data]
sets = ["flat"]
group = "subject"
validation_share = 0.4
[optim]
passes = 4
warmup = 0
batch_size = 4
[test]
clips = 2
flip = true
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets, a recipe, and two runs of it."""
    folder = tmp_path_factory.mktemp("commands")
    write_flat_set(folder)
    write_deep_set(folder)
    (folder / "ours.toml").write_text(OURS)
    for name, more in (("one", ()), ("two", ("--set", "optim.lr=0.01"))):
        done = call(folder, "train", folder / "ours.toml", "--out", folder / name, *more)
        assert done.exit_code == 0, done.output
    return folder


def call(folder: Path, command: str, *arguments: object) -> Result:
    data = [] if command in {"compare", "recipes"} else ["--data", str(folder)]
    return CliRunner().invoke(main, [command, *map(str, arguments), *data])


def test_run_leaves_a_page_without_any_reference_to_elsewhere(folder: Path) -> None:
    page = (folder / "one" / "report.html").read_text()

    assert all(f"<h2>{title}" in page for title in ("Result", "Curves", "Confusion", "Per class", "Calibration"))
    assert not any(
        word in page.replace("http://www.w3.org/2000/svg", "") for word in ("http", "<script", "src=", "url(")
    )


def test_runs_are_compared_by_what_differs(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "compare", folder / "one", folder / "two", "--out", tmp_path / "page.html")

    assert done.exit_code == 0, done.output
    assert "| run | top-1 % | mean of classes % | ECE % | sequences | optim.lr |" in done.output
    assert "0.01" in (tmp_path / "page.html").read_text()


def test_comparing_what_is_no_run_says_so(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "compare", folder / "one", tmp_path)

    assert done.exit_code == 2
    assert "actogram: config_invalid" in done.output


def test_exported_model_is_served_and_measures_as_its_run(folder: Path, tmp_path: Path) -> None:
    exported = call(folder, "export", folder / "one", "-o", tmp_path / "model")
    assert exported.exit_code == 0, exported.output
    contract = load_contract(tmp_path / "model" / "model.json")
    verify_weights(contract, tmp_path / "model" / "model.onnx")
    model = ActionModel(contract, Session(tmp_path / "model" / "model.onnx"))

    results = []
    for path in (folder / "one", tmp_path / "model"):
        done = call(folder, "evaluate", path, "--out", tmp_path / path.name)
        assert done.exit_code == 0, done.output
        results.append(json.loads((tmp_path / path.name / "result.json").read_text())["test"])

    assert model.labels == ("stand", "wave")
    assert np.allclose(results[0]["confusion"], results[1]["confusion"])


def test_other_set_split_clips_and_mirror_can_be_measured(folder: Path, tmp_path: Path) -> None:
    done = call(
        folder, "evaluate", folder / "one", "--split", "train", "--clips", "3", "--no-flip", "--out", tmp_path
    )  # fmt: skip

    assert "8 sequences" in done.output
    recipe = json.loads((tmp_path / "result.json").read_text())["recipe"]
    assert (recipe["data"]["test"], recipe["test"]["clips"], recipe["test"]["flip"]) == ("train", 3, False)


def test_run_measures_in_half_precision_as_in_full(folder: Path, tmp_path: Path) -> None:
    done = call(folder, "evaluate", folder / "one", "--precision", "bf16", "--out", tmp_path)

    assert done.exit_code == 0, done.output
    full, half = (json.loads((path / "result.json").read_text())["test"] for path in (folder / "one", tmp_path))
    assert half["top1"] == full["top1"]


def test_fusion_of_two_runs_weighs_their_probabilities(folder: Path) -> None:
    answers = [folder / name / "answers.npz" for name in ("one", "two")]

    alone = fused_top1(answers[:1], [2.0])

    assert alone == json.loads((folder / "one" / "result.json").read_text())["test"]["top1"]
    assert 0 <= fused_top1(answers, [2.0, 1.0]) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nwucla/nothing", "--out", "x"], "config_invalid: recipe part 'nothing' does not exist"),
        (["train", "nwucla/stgcn", "--preset", "everyday", "--out", "x"], "both RECIPE"),
        (["train", "everyday", "--out", "x", "--freeze", "backbone"], "--init and --freeze are for recipes"),
        (["train", "nwucla/stgcn", "--out", "x", "--set", "run.device=cuda"], "device_unavailable: cuda"),
    ],
)
def test_wrong_call_is_one_line_and_status_2(
    arguments: list[str], message: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = call(folder, arguments[0], *arguments[1:])

    assert done.exit_code == 2
    assert message in done.output


def test_recipes_lists_parts_and_published_settings(folder: Path) -> None:
    parts, published = call(folder, "recipes"), call(folder, "recipes", "--published")

    assert "data: jhmdb14" in parts.output
    assert "ntu60-xsub-2d/posec3d-slowonly/limb" in published.output.splitlines()
