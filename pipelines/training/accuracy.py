"""Fills docs/measurements/accuracy.md: every run of accuracy.toml once, resumed where it was broken off.

`python -m pipelines.training.accuracy --data FOLDER --work FOLDER --page FILE`. Each run is chosen on a validation part
of its training split and measured once on the test split. A row is the mean and the spread of its seeds, the fusion of
its streams by their averaged probabilities, weighted 2:2:1:1.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from pipelines.training.command_line import CONSOLE, DATA, SETTINGS, failures, pairs
from pipelines.training.fit import folder as files
from pipelines.training.fit.dropped import measure_dropped
from pipelines.training.fit.finish import finish, fused_top1
from pipelines.training.fit.run import train
from pipelines.training.recipe import Recipe, load_recipe
from pipelines.training.report import table

PLAN = Path(__file__).with_name("accuracy.toml")
_WEIGHT = {"joint": 2.0, "limb": 2.0, "bone": 2.0, "joint_motion": 1.0, "bone_motion": 1.0}
_NAME = "what"


@dataclass(frozen=True, slots=True)
class Job:
    """One run: a line of the page, the recipe, and which fusion it is part of."""

    group: str
    line: str
    stream: str
    seed: int
    split: str
    recipe: Recipe
    dropped: tuple[float, ...] = ()

    @property
    def folder(self) -> str:
        """Its own, by what it is."""
        return f"{self.recipe.name}-{self.split or 'one'}-seed{self.seed}".replace("/", "-")


def jobs(
    plan: Mapping[str, list[dict[str, object]]], seeds: Sequence[int], settings: Mapping[str, str], only: str = ""
) -> list[Job]:
    """Every run of a plan; the settings are for the tables whose name contains `only`."""
    found: list[Job] = []
    for row in plan.get("row", []):
        found += _row_jobs(row, seeds, settings if _is_named(str(row["set"]), only) else {})
    for study in plan.get("study", []):
        found += _study_jobs(study, seeds, settings if _is_named(str(study["name"]), only) else {})
    return found


def _is_named(group: str, only: str) -> bool:
    return only.lower() in group.lower()


def _row_jobs(row: Mapping[str, object], seeds: Sequence[int], settings: Mapping[str, str]) -> Iterator[Job]:
    for network in _strings(row["networks"]):
        for train_split, test_split in _splits(row):
            for stream in _strings(row["streams"]):
                for seed in seeds:
                    name = str(row["recipe"]).format(network=network, stream=stream)
                    own = _of_split(train_split, test_split) | {"seed": str(seed)} | dict(settings)
                    recipe = load_recipe(name, own)
                    yield Job(str(row["set"]), network, stream, seed, test_split, recipe)


def _study_jobs(study: Mapping[str, object], seeds: Sequence[int], settings: Mapping[str, str]) -> Iterator[Job]:
    own = {str(key): str(value) for key, value in dict(study.get("overrides", {})).items()}  # type: ignore[call-overload]
    dropped = tuple(float(share) for share in study.get("drop_joint", ()))  # type: ignore[attr-defined]
    for variant in _strings(study["variants"]):
        for seed in seeds:
            name = str(study["recipe"]).format(variant=variant)
            recipe = load_recipe(name, own | {"seed": str(seed)} | dict(settings))
            yield Job(str(study["name"]), variant, "joint", seed, "", recipe, dropped)


def _of_split(train_split: str, test_split: str) -> dict[str, str]:
    return {"data.train": f'"{train_split}"', "data.test": f'"{test_split}"'} if train_split else {}


def _splits(row: Mapping[str, object]) -> list[tuple[str, str]]:
    given = row.get("splits")
    return [(str(a), str(b)) for a, b in given] if isinstance(given, list) else [("", "")]


def _strings(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]


def run_job(job: Job, data: Sequence[Path], work: Path) -> None:
    """Train and measure, unless that is done already."""
    out = work / job.folder
    if not (out / files.RESULT).is_file():
        resume = (out / files.RECIPE).is_file()
        train(job.recipe, data, out, lambda *_: None, resume=resume)
        finish(out, data)
    if job.dropped and not (out / "dropped.json").is_file():
        shares = measure_dropped(out, data, job.dropped)
        (out / "dropped.json").write_text(json.dumps(shares) + "\n", "utf-8")


def page(plan: Mapping[str, list[dict[str, object]]], done: Sequence[Job], work: Path) -> str:
    """The page, from every run that has been measured."""
    parts = [_HEAD]
    for row in plan.get("row", []):
        group = str(row["set"])
        mine = [job for job in done if job.group == group]
        parts += [f"## {group}", f"Published: {row['published']}.", _row_table(mine, work)]
    for study in plan.get("study", []):
        mine = [job for job in done if job.group == str(study["name"])]
        parts += [f"## {study['name']}", f"Published: {study['published']}.", _study_table(mine, work)]
    return "\n\n".join([*parts, _TAIL]) + "\n"


_TAIL = """## What cannot be run with the data at hand

- NTU RGB+D 60 and 120, Kinetics: the recipes of `actogram recipes --published`, with PYSKL's annotation files in
  `--data`.
- Early against late fusion of pictures and poses: `ntu60-xsub-2d/rgbpose/joint/lateral-both` and its three siblings,
  with the videos in `data.videos`; no labelled set of videos with skeletons is at hand.
- Joints of another estimator in the test than in training: `actogram evaluate RUN --data OTHER`, where OTHER holds the
  set under the same name with the other joints, as `actogram prepare` makes it of the same videos."""


_HEAD = """# Accuracy

Filled by `make accuracy` (resumable; its plan is `pipelines/training/accuracy.toml`). Top-1 in per cent, mean ± spread
(standard deviation) over seeds and, where a set has several splits, over them too. Everything was chosen on a
validation part of the training split, never on what is reported. Published numbers are quoted from memory of the
papers. "not run" stands where nothing has been measured yet: the recipe that the plan names is ready. `small` is the
network of the paper, `lite` a tenth of it in a third of the passes, `tcn` plain convolutions over time: what a
processor trains in minutes, and no match for the published networks."""


def _row_table(mine: Sequence[Job], work: Path) -> str:
    streams = list(dict.fromkeys(job.stream for job in mine))
    rows = []
    for line in dict.fromkeys(job.line for job in mine):
        own = [job for job in mine if job.line == line]
        cells = [_cell([_top1(job, work) for job in own if job.stream == stream]) for stream in streams]
        rows.append([line, str(own[0].recipe.optim.passes), *cells, _cell(_fused(own, work))])
    return table([_NAME, "passes", *streams, "all streams"], rows) if rows else "not run"


def _study_table(mine: Sequence[Job], work: Path) -> str:
    rows = []
    shares = next((job.dropped for job in mine if job.dropped), ())
    for line in dict.fromkeys(job.line for job in mine):
        own = [job for job in mine if job.line == line]
        cells = [_cell([_dropped(job, work, index) for job in own]) for index in range(len(shares))]
        rows.append([line, *(cells or [_cell([_top1(job, work) for job in own])])])
    header = [f"p = {share:g}" for share in shares] or ["top-1"]
    return table([_NAME, *header], rows) if rows else "not run"


def _top1(job: Job, work: Path) -> float:
    path = work / job.folder / files.RESULT
    return float(json.loads(path.read_text("utf-8"))["test"]["top1"]) if path.is_file() else float("nan")


def _dropped(job: Job, work: Path, index: int) -> float:
    path = work / job.folder / "dropped.json"
    return float(json.loads(path.read_text("utf-8"))[index]) if path.is_file() else float("nan")


def _fused(own: Sequence[Job], work: Path) -> list[float]:
    """Top-1 of the fused streams, per seed and split; nan where a stream is missing."""
    found = []
    for key in dict.fromkeys((job.seed, job.split) for job in own):
        members = [job for job in own if (job.seed, job.split) == key]
        paths = [work / job.folder / files.ANSWERS for job in members]
        whole = len(members) > 1 and all(path.is_file() for path in paths)
        found.append(fused_top1(paths, [_WEIGHT[job.stream] for job in members]) if whole else float("nan"))
    return found


def _cell(values: Sequence[float]) -> str:
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return "not run"
    spread = f" ± {100 * known.std():.1f}" if len(known) > 1 else ""
    missing = f" ({len(known)} of {len(values)})" if len(known) < len(values) else ""
    return f"{100 * known.mean():.1f}{spread}{missing}"


@click.command(help=__doc__)
@DATA
@click.option("--work", required=True, type=click.Path(path_type=Path), help="Folder of the runs.")
@click.option("--page", "target", required=True, type=click.Path(path_type=Path), help="The page that is written.")
@click.option("--seeds", default=3, show_default=True, help="Seeds of each row.")
@click.option("--only", default="", help="Rows and studies whose name contains this.")
@click.option("--limit", type=click.IntRange(0), help="Stop after so many runs; 0 writes the page alone.")
@SETTINGS
def main(
    data: tuple[Path, ...],
    work: Path,
    target: Path,
    seeds: int,
    only: str,
    limit: int | None,
    overrides: tuple[str, ...],
) -> None:
    """Run what is left, and write the page after each run."""
    plan = tomllib.loads(PLAN.read_text("utf-8"))
    with failures():
        everything = jobs(plan, range(seeds), pairs(overrides), only)
        wanted = [job for job in everything if _is_named(job.group, only)]
        left = [job for job in wanted if not (work / job.folder / files.RESULT).is_file()]
        for job in left[:limit]:
            CONSOLE.print(f"{job.folder}: {len(left)} runs were left")
            run_job(job, data, work)
            target.write_text(page(plan, everything, work), "utf-8")
        target.write_text(page(plan, everything, work), "utf-8")
        click.echo(f"{target}")


if __name__ == "__main__":
    main(prog_name="accuracy")
