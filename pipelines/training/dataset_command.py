"""`actogram dataset info`: what is in a skeleton set, and what looks wrong about it."""

import json
from pathlib import Path

import click

from pipelines.training.command_line import failures


@click.group(help="Look into skeleton sets.")
def dataset() -> None:
    """See the subcommands."""


@dataset.command(help="Say what is in a set: sequences, classes, splits, people, frames, rate, and problems found.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="Names of the classes: .txt, .json, .csv or .toml.")
@click.option("--layout", help="Order of the joints, where the file does not say it: coco17, nturgbd25, ...")
@click.option(
    "--channels", type=click.Choice(["auto", "xyz", "xys"]), default="auto", show_default=True,
    help="What three channels are: x, y, z, or x, y and score.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def info(file: Path, labels: Path | None, layout: str | None, channels: str, is_json: bool) -> None:
    """A set to a summary; sequences that cannot be used are counted among the problems."""
    from pipelines.training.datasets import load_set
    from pipelines.training.formats.description import describe_options
    from pipelines.training.set_summary import as_text, summarize

    refused: list[str] = []
    with failures():
        said = describe_options(layout=layout, channels=channels)
        found = summarize(load_set(file, labels, said, on_refused=lambda _, why: refused.append(why)))
        summary = found.as_json() | {"problems": [*found.problems, *refused]}
        click.echo(
            json.dumps(summary) if is_json else "\n".join([as_text(found), *(f"          - {why}" for why in refused)])
        )
