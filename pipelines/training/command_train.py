"""`actogram train` and `actogram recipes`: one door for recipes and for the everyday presets."""

from pathlib import Path

import click

from pipelines.errors import ConfigInvalid
from pipelines.training.command_line import DATA, SETTINGS, bar, failures, pairs
from pipelines.training.labels import load_labels


@click.command(
    help="Train an action network. RECIPE is a .toml file, parts joined by slashes (nwucla/stgcn++/bone; `actogram "
    "recipes` lists them), or an everyday preset."
)
@click.argument("recipe", required=False)
@click.option("--preset", help="The same as RECIPE; without either, the preset `everyday`.")
@DATA
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for checkpoint and report.")
@SETTINGS
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out.")
@click.option("--init", type=click.Path(exists=True, path_type=Path), help="Begin from the weights of a run or file.")
@click.option("--freeze", type=click.Choice(["none", "backbone"]), help="`backbone` learns the classifier alone.")
def train(
    recipe: str | None, preset: str | None, data: tuple[Path, ...], out: Path, overrides: tuple[str, ...], resume: bool,
    init: Path | None, freeze: str | None,
) -> None:  # fmt: skip
    """A recipe or a preset to a checkpoint and a report."""
    from pipelines.training.recipe import is_recipe

    settings = pairs(overrides)
    with failures():
        if recipe and preset:
            raise ConfigInvalid(f"both RECIPE {recipe!r} and --preset {preset!r} are given; one of the two")
        name = recipe or preset or "everyday"
        if not is_recipe(name):
            if init or freeze:
                raise ConfigInvalid(f"{name}: --init and --freeze are for recipes, this is an everyday preset")
            _train_everyday(name, data, out, settings, resume)
            return
        if init is not None:
            settings["network.init"] = f'"{init}"'
        if freeze is not None:
            settings["network.freeze"] = f'"{freeze}"'
        _train_recipe(name, data, out, settings, resume)


@click.command(
    help="Learn from skeletons without labels: hidden joints must be told from the others. RECIPE as for `train`, with "
    "a graph network; `train --init` begins from the result."
)
@click.argument("recipe")
@DATA
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the checkpoint.")
@SETTINGS
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out.")
def pretrain(recipe: str, data: tuple[Path, ...], out: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """A recipe to a checkpoint that knows no classes yet."""
    own = {"loss.name": "masked_joints", "loss.smoothing": "0", "augment.mixup": "0"}
    with failures():
        _run_recipe(recipe, data, out, pairs(overrides) | own, resume)
        click.echo(f"{out}")


def _train_recipe(name: str, data: tuple[Path, ...], out: Path, settings: dict[str, str], resume: bool) -> None:
    from pipelines.training.fit.finish import finish
    from pipelines.training.fit.folder import REPORT

    if _run_recipe(name, data, out, settings, resume):
        scores = finish(out, data)
        click.echo(
            f"top-1 {100 * scores.top1:.1f} %, mean of classes {100 * scores.macro:.1f} %, {scores.count} tested"
        )
        click.echo(f"{out / REPORT}")


def _run_recipe(name: str, data: tuple[Path, ...], out: Path, settings: dict[str, str], resume: bool) -> bool:
    """Whether this process should go on to report."""
    from pipelines.training.fit.loop import Look
    from pipelines.training.fit.run import train as run
    from pipelines.training.recipe import load_recipe

    recipe = load_recipe(name, settings)
    with bar("loss {task.fields[loss]:.3f}  {task.fields[note]}") as shown:
        task = shown.add_task("", total=None, loss=float("nan"), note="reading the sets")

        def show(look: Look, steps: int) -> None:
            seen = look.validation_macro
            note = shown.tasks[0].fields["note"] if seen != seen else f"validation {seen:.3f}"
            shown.update(task, completed=look.step, total=steps, loss=look.loss, note=note)

        return run(recipe, data, out, show, resume)


def _train_everyday(name: str, data: tuple[Path, ...], out: Path, settings: dict[str, str], resume: bool) -> None:
    from pipelines.training.config import load_config
    from pipelines.training.corpus import with_sets
    from pipelines.training.own_sets import with_own_sets

    config = load_config(name, settings)
    table = with_own_sets(load_labels().with_split(config.data.split), config.data.sets, data)
    config = with_sets(config, table, data)
    # torch takes seconds to import: report a wrong preset before that.
    from pipelines.training import runs
    from pipelines.training.everyday_report import report_run
    from pipelines.training.loop import Progress as Step

    table = table.taught_by(runs.sets_of(config, table))
    with bar("loss {task.fields[loss]:.3f}  {task.fields[note]}") as shown:
        task = shown.add_task("", total=config.optim.steps, loss=float("nan"), note="reading the sets")
        parts = runs.load_parts(config, table, data, lambda name: shown.update(task, note=f"reading {name}"))

        def show(step: Step) -> None:
            seen = f"validation {step.validation.macro:.3f}" if step.validation else shown.tasks[0].fields["note"]
            shown.update(task, completed=step.step, loss=step.loss, note=seen)

        shown.update(task, note=f"{len(parts.learn)} clips, {len(parts.validation)} held")
        runs.run(config, table, parts, out, show, resume)
    report_run(out, data, runs.sets_of(config, table), "test", None)


@click.command(
    help="List the parts that recipes are made of, and with --published every setting with a published result."
)
@click.option("--published", "is_published", is_flag=True, help="Every setting with a published result.")
def recipes(is_published: bool) -> None:
    """Names that `train` takes."""
    from pipelines.training.recipe import part_names, published

    with failures():
        if is_published:
            click.echo("\n".join(published()))
            return
        for folder, names in part_names().items():
            click.echo(f"{folder}: {' '.join(names)}")
