"""`actogram models export-yolo` and `export-mmpose`: other frameworks' networks become folders that are served here.

The framework runs in an environment of its own; only the folder that its exporter wrote is read here.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.failures import reported

if TYPE_CHECKING:
    from service.commands.own_environment import Recipe

_OUTPUT = click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write."
)
_VENV = click.option(
    "--venv", type=click.Path(path_type=Path), help="A Python environment (or its Python) to use, or where to make one."
)
_NAME = click.option("--name", default="", help="What the network is called [default: as its file].")
_PERSON = click.option("--person", default="", help="The class that is people, where none is called person.")


@click.command("export-yolo", short_help="Export a YOLO checkpoint of Ultralytics.")
@click.argument("checkpoint")
@_OUTPUT
@_VENV
@click.option("--size", "size_px", default=640, show_default=True, help="Longer side of the input in pixels.")
@_PERSON
@_NAME
@click.option("--end-to-end", is_flag=True, help="YOLO26: the head that needs no suppression; the other is more exact.")
def export_yolo(
    checkpoint: str, output: Path, venv: Path | None, size_px: int, person: str, name: str, end_to_end: bool
) -> None:
    """Export CHECKPOINT, a .pt file of the task detect or pose, or the name of one that Ultralytics publishes.

    Ultralytics' package is AGPL-3.0 and is installed in an environment of its own, never beside the service. A
    checkpoint is a program: open none that you do not trust.
    """
    from service.commands.own_environment import ULTRALYTICS

    options = _given({"--size": str(size_px), "--person": person, "--name": name})
    flags = ["--end-to-end"] if end_to_end else []
    _export(ULTRALYTICS, "from_ultralytics.py", [checkpoint, *options, *flags], output, venv)


@click.command("export-mmpose", short_help="Export a network of mmpose or mmdet.")
@click.argument("config")
@click.argument("checkpoint")
@_OUTPUT
@_VENV
@_PERSON
@_NAME
@click.option("--licence", default="", help="The licence of the weights, shown to whoever uses the network.")
def export_mmpose(
    config: str, checkpoint: str, output: Path, venv: Path | None, person: str, name: str, licence: str
) -> None:
    """Export a network of mmpose or mmdet: CONFIG (.py) with the weights of CHECKPOINT (.pth).

    RTMPose and other SimCC heads, HRNet and other heatmap heads, RTMO, RTMDet, YOLOX. A configuration and a checkpoint
    are programs: open none that you do not trust.
    """
    from service.commands.own_environment import OPENMMLAB

    options = _given({"--person": person, "--name": name, "--licence": licence})
    _export(OPENMMLAB, "from_openmmlab.py", [config, checkpoint, *options], output, venv)


def _given(options: dict[str, str]) -> list[str]:
    """Options as words of a command line, without the empty ones."""
    return [word for option, value in options.items() if value for word in (option, value)]


def _export(recipe: "Recipe", script: str, arguments: Sequence[str], output: Path, venv: Path | None) -> None:
    """Run the exporter in its environment, read what it wrote, and say what it is."""
    from service.commands.own_environment import interpreter, run_apart
    from service.settings import load_settings

    with reported():
        home = load_settings().cache / "environments"
        if venv is None and importlib.util.find_spec(recipe.module) is not None:
            python = Path(sys.executable)
        else:
            python = interpreter(recipe, home, venv, lambda line: click.echo(line, err=True))
        status = run_apart(python, _exporter(script), [*arguments, "-o", str(output)])
        if status != 0:
            raise SystemExit(status if status == 2 else 1)
        click.echo(_described(output))


def _exporter(script: str) -> Path:
    """The exporter's file; it is never imported here."""
    spec = importlib.util.find_spec("models")
    if spec is None or not spec.submodule_search_locations:
        raise click.ClickException("the package `models` is not installed as files")
    return Path(spec.submodule_search_locations[0]) / "export" / "people" / script


def _described(folder: Path) -> str:
    """What the folder holds, after the network was loaded as the service loads it. Raises ModelError."""
    from models.runtime.build import build_detector, build_pose
    from models.runtime.people_folder import load_people_folder

    spec, path = load_people_folder(folder)
    if spec.task in ("detect", "detect_pose"):
        build_detector(spec, path)
    if spec.task in ("pose", "detect_pose"):
        build_pose(spec, path)
    places = {"detect": "--detector", "pose": "--pose", "detect_pose": "--detector and --pose"}
    lines = [
        f"{spec.name}: {spec.family}, licence {spec.licence}",
        spec.terms,
        f"use it with {places[spec.task]} {folder}",
    ]
    return "\n".join(line for line in lines if line)
