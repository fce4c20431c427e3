"""What the training commands share: options, overrides, progress bars, and failures as one line with a status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.errors import ModelError
from pipelines.errors import PipelineError

CONSOLE = Console(stderr=True)
_USERS_FAULTS = ("config_invalid", "dataset_invalid", "option_invalid", "run_exists", "device_unavailable")
DATA = click.option(
    "--data", type=click.Path(path_type=Path), required=True, multiple=True,
    help="Folder with skeleton sets (.npz or .pkl); repeat for several. ACTOGRAM_DATA names its parent.",
)  # fmt: skip
DATA_IF_NEEDED = click.option(
    "--data", type=click.Path(path_type=Path), multiple=True,
    help="Folder with skeleton sets (.npz or .pkl), where the command needs them.",
)  # fmt: skip
SETTINGS = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting, e.g. optim.steps=500."
)


def pairs(overrides: tuple[str, ...]) -> dict[str, str]:
    """Overrides as keys and values; raises UsageError for one without a value."""
    strange = [item for item in overrides if "=" not in item]
    if strange:
        raise click.UsageError(f"--set {strange[0]}: expected KEY=VALUE")
    return dict(item.split("=", 1) for item in overrides)


def bar(text: str) -> Progress:
    """A progress bar that ends in `text`."""
    return Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn(text), console=CONSOLE)


@contextmanager
def failures() -> Iterator[None]:
    """One line per failure: status 2 for what can be put right in the call, 1 for the rest."""
    try:
        yield
    except (PipelineError, ModelError) as failure:
        click.echo(f"actogram: {failure.code}: {failure}", err=True)
        sys.exit(2 if failure.code in _USERS_FAULTS else 1)
