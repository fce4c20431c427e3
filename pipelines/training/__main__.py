"""The training commands: prepare, dataset, train, evaluate, export. `actogram <command>` hands over to this module."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from pipelines.training.command_line import bar as _bar
from pipelines.training.command_line import failures as _failures
from pipelines.training.dataset_command import dataset
from pipelines.training.labels import load_labels
from pipelines.training.prepare_command import prepare
from pipelines.training.starter import end_with_starter

_DATA = click.option(
    "--data", type=click.Path(path_type=Path), required=True, multiple=True,
    help="Folder with skeleton sets (.npz or .pkl); repeat for several. ACTOGRAM_DATA names its parent.",
)  # fmt: skip


@click.group(help=__doc__)
def main() -> None:
    """See the subcommands."""
    end_with_starter()


main.add_command(prepare)
main.add_command(dataset)


@main.command(help="Train an action network: a preset by name or a TOML file.")
@click.option("--preset", default="everyday", show_default=True, help="Name of a preset or path of a .toml file.")
@_DATA
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for checkpoint and report.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. optim.steps=500."
)
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out.")
def train(preset: str, data: tuple[Path, ...], out: Path, overrides: tuple[str, ...], resume: bool) -> None:
    """A configuration to a checkpoint and a report."""
    from pipelines.training.config import load_config
    from pipelines.training.corpus import with_sets
    from pipelines.training.own_sets import with_own_sets

    with _failures():
        config = load_config(preset, _pairs(overrides))
        table = with_own_sets(load_labels().with_split(config.data.split), config.data.sets, data)
        config = with_sets(config, table, data)
        # torch takes seconds to import: report a wrong preset before that.
        from pipelines.training import runs
        from pipelines.training.loop import Progress as Step

        with _bar("loss {task.fields[loss]:.3f}  {task.fields[note]}") as bar:
            task = bar.add_task("", total=config.optim.steps, loss=float("nan"), note="reading the sets")
            parts = runs.load_parts(config, table, data, lambda name: bar.update(task, note=f"reading {name}"))

            def show(step: Step) -> None:
                seen = f"validation {step.validation.macro:.3f}" if step.validation else bar.tasks[0].fields["note"]
                bar.update(task, completed=step.step, loss=step.loss, note=seen)

            bar.update(task, note=f"{len(parts.learn)} clips, {len(parts.validation)} held")
            runs.run(config, table, parts, out, show, resume)
        _report(out, config.name, data, runs.sets_of(config, table), "test")


@main.command(help="Evaluate a trained network on sets: accuracy, confusion and calibration, written to report.md.")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@_DATA
@click.option("--sets", help="Comma-separated names; default: all sets that the network was trained on.")
@click.option("--part", type=click.Choice(["test", "train", "all"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report; default: beside the model.")
def evaluate(model: Path, data: tuple[Path, ...], sets: str | None, part: str, out: Path | None) -> None:
    """A checkpoint to a report."""
    from pipelines.training import runs

    with _failures():
        _, checkpoint = runs.load_network(model)
        names = sets.split(",") if sets else runs.sets_of(checkpoint.config, load_labels())
        _report(model, checkpoint.config.name, data, names, part, out)


@main.command(
    help="Export a trained network to a folder that the service can load: ONNX with a parity check, contract and card. "
    "Several runs that differ only in their seed become one model: the mean of their logits."
)
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@_DATA
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of the served model.")
@click.option(
    "--measured",
    type=click.Path(exists=True, path_type=Path),
    help="JSON file with measurements to include in the card.",
)
def export(models: tuple[Path, ...], data: tuple[Path, ...], out: Path, measured: Path | None) -> None:
    """Checkpoints to one model.onnx, model.json and card.md."""
    from pipelines.training.release import release

    with _failures():
        extra = json.loads(measured.read_text("utf-8")) if measured else {}
        exported = release(models, data, load_labels(), extra, out)
        click.echo(f"{exported.path}: {exported.size_bytes} bytes, differs from torch by {exported.max_difference:.1e}")


def _report(model: Path, name: str, data: Sequence[Path], sets: list[str], part: str, out: Path | None = None) -> None:
    """Measure a run's network and say where the report lies."""
    from pipelines.training import runs
    from pipelines.training.evaluate import answer
    from pipelines.training.own_sets import with_own_sets
    from pipelines.training.report import sets_table

    network, checkpoint = runs.load_network(model)
    table = load_labels().with_split(checkpoint.config.data.split)
    table = with_own_sets(table, [*checkpoint.config.data.sets, *sets], data)
    held = runs.load_parts(checkpoint.config, table, data, lambda _: None).validation
    choices = runs.choose(answer(network, held, checkpoint.config.window), table)
    answers = runs.measure_sets(network, checkpoint.config, table, data, sets, None if part == "all" else part)
    folder = out or (model if model.is_dir() else model.parent)
    scores = runs.write_report(answers, table, choices.temperature, f"{name}, {part} part of {len(sets)} sets", folder)
    click.echo(sets_table(scores))
    click.echo(f"{folder / 'report.md'}")


def _pairs(overrides: tuple[str, ...]) -> dict[str, str]:
    strange = [item for item in overrides if "=" not in item]
    if strange:
        raise click.UsageError(f"--set {strange[0]}: expected KEY=VALUE")
    return dict(item.split("=", 1) for item in overrides)


if __name__ == "__main__":
    main(prog_name="actogram")
