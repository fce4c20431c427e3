"""The table of results: every run once, taken up where it stopped, mean and spread beside the published number."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from pipelines.training.accuracy import PLAN, Job, jobs, page, run_job
from pipelines.training.fit import folder as files
from pipelines.training.fit.dropped import dropped
from pipelines.training.fit.sequences import load_test
from pipelines.training.recipe import Recipe
from tests.pipelines.training.recipes import tiny_recipe, write_flat_set

ROW: dict[str, object] = {"set": "Ours", "networks": ["tcn"], "streams": ["joint", "bone"], "published": "90.0"}
PLAN_OF_ONE = {"row": [ROW]}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_flat_set(folder)
    return folder


def own_jobs() -> list[Job]:
    """Two streams of two seeds."""
    return [
        Job("Ours", "tcn", stream, seed, "test", _recipe(stream, seed))
        for stream in ("joint", "bone")
        for seed in (0, 1)
    ]


def _recipe(stream: str, seed: int) -> Recipe:
    recipe = tiny_recipe("tcn", input={"stream": stream})
    return recipe.model_copy(update={"seed": seed, "name": f"tcn-{stream}"})


def test_plan_names_recipes_that_exist() -> None:
    plan = tomllib.loads(PLAN.read_text("utf-8"))

    found = jobs(plan, range(3), {})

    assert len(found) > 300
    # A folder may stand in two tables, but for the same run.
    assert len({job.folder for job in found}) == len({(job.recipe.model_dump_json(), job.split) for job in found})


def test_table_shows_mean_and_spread_of_seeds_and_of_fused_streams(sets: Path, tmp_path: Path) -> None:
    mine = own_jobs()
    for job in mine:
        run_job(job, [sets], tmp_path)

    text = page(PLAN_OF_ONE, mine, tmp_path)

    row = next(line for line in text.splitlines() if line.startswith("| tcn |"))
    assert "Published: 90.0." in text
    assert row.count("±") == 3
    top1 = [json.loads((tmp_path / job.folder / files.RESULT).read_text())["test"]["top1"] for job in mine[:2]]
    assert f"{100 * np.mean(top1):.1f} ± {100 * np.std(top1):.1f}" in row


def test_measured_run_is_not_run_again_and_what_is_missing_says_so(sets: Path, tmp_path: Path) -> None:
    mine = own_jobs()
    run_job(mine[0], [sets], tmp_path)
    before = (tmp_path / mine[0].folder / files.BEST).stat().st_mtime_ns

    run_job(mine[0], [sets], tmp_path)

    assert (tmp_path / mine[0].folder / files.BEST).stat().st_mtime_ns == before
    row = next(line for line in page(PLAN_OF_ONE, mine, tmp_path).splitlines() if line.startswith("| tcn |"))
    assert "(1 of 2)" in row
    assert row.count("not run") == 2


def test_dropped_joints_are_gone_in_that_share_of_the_frames(sets: Path) -> None:
    test = load_test(tiny_recipe("tcn"), [sets])

    shares = [
        np.mean([(item.keypoint[..., 2] == 0).any(axis=2).mean() for item in dropped(test, chance).items])
        for chance in (0.0, 0.25, 1.0)
    ]  # fmt: skip

    assert shares[0] == 0
    assert 0.15 < shares[1] < 0.35
    assert shares[2] == 1
