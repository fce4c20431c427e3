"""`actogram examine`: one command that makes the table by which an action model is judged."""

from pathlib import Path

import click

from pipelines.training.command_line import DATA_IF_NEEDED, SETTINGS, failures, pairs

_PATH = click.Path(exists=True, path_type=Path)
_SHIPPED = "everyday-tcn"


@click.command(
    help="Examine an action model: sources left out whole, people held out inside sets, whole videos event by event, "
    "what is like no label, calibration. MODELS are runs or exported folders that differ in their seed; without any, "
    "the shipped model. Called again after it was interrupted, it goes on where it was."
)
@click.argument("models", nargs=-1, type=_PATH)
@DATA_IF_NEEDED
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder of examination.json and .md.")
@click.option("--tracks", multiple=True, type=_PATH, help="Videos as `actogram prepare` makes them (.npz).")
@click.option(
    "--truth", multiple=True, type=_PATH,
    help="What is seen in them: a manifest.json, or a .toml file as tests/bench/first_path.toml.",
)  # fmt: skip
@click.option("--runs", type=click.Path(path_type=Path), help="Folder of the runs that leave sources out.")
@click.option("--train", "recipe", help="Make the runs that are missing by this everyday preset.")
@click.option("--seeds", default="0,1,2", show_default=True, help="Of the runs that leave sources out.")
@click.option(
    "--together", default=1, show_default=True, type=click.IntRange(1, 10),
    help="Sources that one run leaves out: more is cheaper, and harder on the network.",
)  # fmt: skip
@SETTINGS
def examine(
    models: tuple[Path, ...], data: tuple[Path, ...], out: Path, tracks: tuple[Path, ...], truth: tuple[Path, ...],
    runs: Path | None, recipe: str | None, seeds: str, together: int, overrides: tuple[str, ...],
) -> None:  # fmt: skip
    """A model to a table."""
    from models.weights.registry import ZOO_PATH
    from pipelines.training.examine import Asked, examine, write
    from pipelines.training.examine_page import page
    from pipelines.training.left_out import LeftOut

    if recipe is not None and runs is None:
        raise click.UsageError("--train makes runs: name the folder for them by --runs")
    study = None if runs is None else LeftOut(runs, _seeds(seeds), together)
    chosen = models or (ZOO_PATH / _SHIPPED,)
    with failures():
        asked = Asked(chosen, data, out / "work", tracks, truth, study, recipe, pairs(overrides))
        found = examine(asked, lambda line: click.echo(line, err=True))
        for path in write(found, out, page(found)):
            click.echo(f"{path}")


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise click.UsageError(f"--seeds {text!r}: expected whole numbers such as 0,1,2")
    return tuple(map(int, parts))
