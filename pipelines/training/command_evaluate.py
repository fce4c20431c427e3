"""`actogram evaluate`, `export` and `compare`: what is done with a run or a model once it is there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.errors import ConfigInvalid
from pipelines.training.command_line import DATA, DATA_IF_NEEDED, failures
from pipelines.training.labels import load_labels

if TYPE_CHECKING:
    from pipelines.training.fit.pace import Precision


@click.command(help="Measure a run, a checkpoint or an exported model on sets, and write the report.")
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@DATA
@click.option("--sets", help="Comma-separated names; default: all sets that the network was trained on.")
@click.option("--part", type=click.Choice(["test", "train", "all"]), default="test", show_default=True)
@click.option("--split", help="Name of the split that is measured, for recipes.")
@click.option("--clips", type=click.IntRange(1, 100), help="Clips per sequence; default: what the recipe says.")
@click.option("--flip/--no-flip", default=None, help="See each clip in a mirror too; default: what the recipe says.")
@click.option(
    "--precision", type=click.Choice(["fp32", "bf16", "fp16"]), default="fp32", show_default=True,
    help="Of a run of a recipe: the shorter ones are for GPUs.",
)  # fmt: skip
@click.option("--compile", "is_compiled", is_flag=True, help="Compile the network first; pays for large sets.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the report; default: beside the model.")
def evaluate(
    model: Path, data: tuple[Path, ...], sets: str | None, part: str, split: str | None, clips: int | None,
    flip: bool | None, precision: "Precision", is_compiled: bool, out: Path | None,
) -> None:  # fmt: skip
    """A network to a report."""
    from pipelines.training.fit.evaluation import Wanted, evaluate_recipe, is_of_recipe
    from pipelines.training.fit.pace import Pace

    pace = Pace(precision, is_compiled)

    with failures():
        named = tuple(sets.split(",")) if sets else ()
        if is_of_recipe(model):
            page, scores = evaluate_recipe(model, data, Wanted(named, split, part, clips, flip, pace), out)
            click.echo(
                f"top-1 {100 * scores.top1:.1f} %, mean of classes {100 * scores.macro:.1f} %, {scores.count} sequences"
            )
            click.echo(f"{page}")
            return
        if split or clips or flip or pace != Pace():
            raise ConfigInvalid(
                f"{model}: --split, --clips, --flip, --precision and --compile are for recipes, this is an everyday "
                "network"
            )
        from pipelines.training.everyday_report import report_run

        report_run(model, data, named, part, out)


@click.command(
    help="Export a trained network to a folder that the service can load: ONNX with a parity check, contract and card. "
    "Several everyday runs that differ only in their seed become one model: the mean of their logits. An exported "
    "everyday model is packed anew: the same weights, with rules for `unknown` that are chosen on held-out people."
)
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@DATA_IF_NEEDED
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Folder of the served model.")
@click.option(
    "--measured", type=click.Path(exists=True, path_type=Path), help="JSON file with measurements for the card.",
)  # fmt: skip
@click.option("--continual", is_flag=True, help="A step per frame instead of a window; for runs of recipes.")
def export(models: tuple[Path, ...], data: tuple[Path, ...], out: Path, measured: Path | None, continual: bool) -> None:
    """Checkpoints to one model.onnx, model.json and, for everyday networks, card.md."""
    with failures():
        if _is_recipe_run(models):
            from pipelines.training.fit.package import export_run, export_step
            from pipelines.training.fit.run import load_run

            exported = (export_step if continual else export_run)(load_run(models[0]), out)
        elif continual:
            raise ConfigInvalid("an everyday network judges whole windows: --continual is for runs of recipes")
        else:
            from pipelines.training.release import release, repack

            if not data:
                raise ConfigInvalid("--data is missing: thresholds are chosen on held-out people of the training sets")
            if len(models) == 1 and (models[0] / "model.json").is_file():
                contract = repack(models[0], data, load_labels(), out)
                click.echo(
                    f"{out}: the same weights, unknown by {contract.unknown.method} {contract.unknown.threshold}"
                )
                return
            extra = json.loads(measured.read_text("utf-8")) if measured else {}
            exported = release(models, data, load_labels(), extra, out)
        click.echo(f"{exported.path}: {exported.size_bytes} bytes, differs from torch by {exported.max_difference:.1e}")


def _is_recipe_run(models: Sequence[Path]) -> bool:
    from pipelines.training.fit.evaluation import is_of_recipe

    kinds = {is_of_recipe(model) for model in models}
    if kinds == {True} and len(models) > 1:
        raise ConfigInvalid(f"{len(models)} runs of recipes: export them one by one and join them with `actogram fuse`")
    return kinds == {True}


@click.command(help="Hold runs against each other: a table of what was measured and of the settings that differ.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write a page (.html).")
def compare(runs: tuple[Path, ...], out: Path | None) -> None:
    """Folders of runs to a table."""
    from pipelines.training.fit.compare import compare as compared

    with failures():
        click.echo(compared(runs, out))
        if out is not None:
            click.echo(f"{out}")
