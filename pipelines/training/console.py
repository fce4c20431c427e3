"""What the training commands share on the terminal: progress, and one line per failure."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.errors import ModelError
from pipelines.errors import PipelineError

CONSOLE = Console(stderr=True)


def bar(text: str) -> Progress:
    """A progress bar with this text behind it."""
    return Progress(BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn(text), console=CONSOLE)


@contextmanager
def failures() -> Iterator[None]:
    """One line per failure: status 2 for what can be put right in the call, 1 for the rest."""
    try:
        yield
    except (PipelineError, ModelError) as failure:
        click.echo(f"actogram: {failure.code}: {failure}", err=True)
        sys.exit(2 if failure.code in ("config_invalid", "dataset_invalid") else 1)
