"""`actogram models`: which networks there are, which are installed, and how to get the others."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from service.commands import export_people, fuse, model_import
from service.commands.failures import reported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from models.weights.fetch import Progress
    from models.weights.registry import ModelSpec
    from models.weights.store import WeightStore

_DEFAULT_PROFILE = "auto"


@click.group(help="List, download, describe and import networks.")
def command() -> None:
    """The group; each subcommand imports what it needs when it runs."""


@command.command("list", help="List every network, with its licence and whether it is installed.")
def list_models() -> None:
    """Print a table; a network is cached (ready to use), available (can be pulled) or missing."""
    from rich.console import Console
    from rich.table import Table

    from models.weights.registry import load_registry

    with reported():
        store = _store()
    table = Table("name", "task", "licence", "size", "state", box=None, pad_edge=False)
    for spec in load_registry():
        size = sum(file.size_bytes for file in spec.files.values())
        table.add_row(spec.name, spec.task, spec.licence, _megabytes(size), store.state(spec))
    for name, task, licence in _own_models():
        table.add_row(name, task, licence, "", "your own")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


@command.command("pull", help="Download one network, or all that a profile needs, into the cache.")
@click.argument("name", required=False)
@click.option("--profile", help=f"Download a profile's networks [default: {_DEFAULT_PROFILE}, if no NAME is given].")
def pull(name: str | None, profile: str | None) -> None:
    """Download, check and convert; says which network was chosen for each task."""
    if name and profile:
        raise click.UsageError("give either NAME or --profile, not both")
    with reported():
        if name:
            _pull_model(name)
        else:
            _pull_profile(profile or _DEFAULT_PROFILE)


@command.command("card", help="Show what a network is, where it comes from, and what is known about it.")
@click.argument("name")
def card(name: str) -> None:
    """Print the card of one network: by its name in the registry, or a folder with model.json."""
    from service.settings import load_settings

    with reported():
        folder = load_settings().model_folder(name)
        if folder is None or _is_registered(name):
            _print_card(name)
        else:
            _print_contract(folder)


def _own_models() -> "Iterator[tuple[str, str, str]]":
    """Name, task and licence of the networks in the folder where those of one's own are looked for."""
    from models.errors import ModelError
    from models.runtime.people_folder import is_people_folder, read_people_folder
    from service.settings import load_settings

    for path in sorted(load_settings().models_folder.glob("*/model.json")):
        if not is_people_folder(path.parent):
            yield path.parent.name, "action", ""
            continue
        try:
            spec = read_people_folder(path.parent)
        except ModelError as error:
            click.echo(f"actogram: {error.code}: {error}", err=True)
            continue
        yield path.parent.name, spec.task, spec.licence


def _pull_model(name: str) -> None:
    from models.weights.registry import load_registry

    store = _store()
    spec = load_registry().require(name)
    with _bars() as bars:
        path = store.require(spec, progress=_progress(bars))
    click.echo(f"{spec.name}: {path}")


def _pull_profile(name: str) -> None:
    from models.weights.registry import load_registry

    store = _store()
    for task, specs in load_registry().require_profile(name).items():
        with _bars() as bars:
            # Who asks for a profile by name wants the best of it; the default makes do with what is at hand.
            spec, path = store.choose(specs, _progress(bars), prefer_at_hand=name == _DEFAULT_PROFILE)
        click.echo(f"{task}: {spec.name} ({path})")
        if spec is not specs[0]:
            click.echo(f"  {specs[0].name} would be better; get it with: actogram models pull {specs[0].name}")


def _is_registered(name: str) -> bool:
    from models.weights.registry import load_registry

    return name in load_registry().specs


def _print_contract(folder: "Path") -> None:
    from models.runtime.card import card_text
    from models.runtime.contract import load_contract
    from models.runtime.people_folder import is_people_folder, load_people_folder

    if is_people_folder(folder):
        spec, _ = load_people_folder(folder)
        _show_card(spec, "your own")
    else:
        click.echo(card_text(load_contract(folder / "model.json")))


def _print_card(name: str) -> None:
    from models.weights.registry import load_registry

    store = _store()
    spec = load_registry().require(name)
    _show_card(spec, store.state(spec))


def _show_card(spec: "ModelSpec", state: str) -> None:
    for key, value in _facts(spec, state).items():
        click.echo(f"{key + ':':10}{value}")
    click.echo(f"\n{spec.card.strip()}")


def _facts(spec: "ModelSpec", state: str) -> Mapping[str, str]:
    facts = {
        "name": spec.name,
        "task": spec.task,
        "family": spec.family,
        "licence": spec.licence,
        "terms": spec.terms,
        "input": "x".join(str(side) for side in spec.input.size_wh) if any(spec.input.size_wh) else "",
        "layout": spec.layout,
        "labels": ", ".join(spec.labels),
        "state": state,
        "sha256": next((file.sha256 for file in spec.files.values() if file.sha256), ""),
    }
    return {key: value for key, value in facts.items() if value}


def _store() -> "WeightStore":
    from models.weights.store import WeightStore
    from service.settings import load_settings

    settings = load_settings()
    return WeightStore(settings.cache, settings.weights, settings.offline)


def _bars() -> "Bars":
    """A progress display on standard error; silent when that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _progress(bars: "Bars") -> "Progress":
    tasks: dict[str, TaskID] = {}

    def show(what: str, done_bytes: int, total_bytes: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total_bytes or None)
        bars.update(tasks[what], completed=done_bytes, total=total_bytes or None)

    return show


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes else "-"


command.add_command(model_import.command)
command.add_command(fuse.command)
command.add_command(export_people.export_yolo)
command.add_command(export_people.export_mmpose)
