"""`actogram visualize`: skeletons that move, heatmap volumes, a confusion matrix, the focus of a label."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.command_line import DATA, failures

if TYPE_CHECKING:
    from pipelines.training.visualize.bodies import Bodies

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.option("-o", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
_SEQUENCE = click.option("--sequence", help="Name of the sequence, or its number from 0; default: the first.")
_LAYOUT = click.option("--layout", help="Order of the joints, where the file does not say it: coco17, nturgbd25, ...")
_SIZE = click.option("--size", default=480, show_default=True, type=click.IntRange(64, 2048), help="Pixels of a side.")


@click.group(help=__doc__)
def visualize() -> None:
    """See the subcommands."""


@visualize.command(
    help="A sequence of a set (.npz or .pkl) as a moving skeleton, .mp4 or .gif; 3D ones are seen from around."
)
@click.argument("file", type=_FILE)
@_SEQUENCE
@_LAYOUT
@_SIZE
@click.option("--turn/--front", default=True, help="Go round people in 3D, or look at them from the front.")
@_OUT
def skeleton(file: Path, sequence: str | None, layout: str | None, size: int, turn: bool, out: Path) -> None:
    """One sequence to a movie."""
    from pipelines.training.visualize.movie import write_movie
    from pipelines.training.visualize.skeleton import frames_of

    with failures():
        bodies, title, _ = _read(file, sequence, layout)
        count = write_movie(frames_of(bodies, (size, size), title, turns=turn), out, bodies.rate_hz)
        click.echo(f"{out}: {count} pictures")


@visualize.command(help="A 2D sequence as PoseConv3D sees it: a movie (.mp4, .gif), or a sheet of frames (.png, .jpg).")
@click.argument("file", type=_FILE)
@_SEQUENCE
@_LAYOUT
@click.option("--limbs", is_flag=True, help="Limbs instead of joints.")
@click.option("--side", default=56, show_default=True, type=click.IntRange(16, 256), help="Pixels of a heatmap's side.")
@click.option("--channels", type=click.IntRange(0), help="A sheet of every map of this frame, instead of many frames.")
@_OUT
def heatmap(
    file: Path, sequence: str | None, layout: str | None, limbs: bool, side: int, channels: int | None, out: Path
) -> None:
    """One sequence to its heatmaps."""
    from pipelines.training.visualize import movie, volume

    with failures():
        movie.require_ending(out, movie.STILL if channels is not None else movie.MOVING + movie.STILL)
        bodies, _, shape_hw = _read(file, sequence, layout)
        height, width = shape_hw or (1080, 1920)
        maps = volume.volume_of(bodies, (width, height), side, has_limbs=limbs)
        if out.suffix.lower() in movie.MOVING:
            movie.write_movie(volume.frames_of(maps), out, bodies.rate_hz)
        elif channels is None:
            movie.write_still(volume.sheet(maps), out)
        elif channels < maps.shape[1]:
            movie.write_still(volume.channels(maps, channels), out)
        else:
            raise ConfigInvalid(f"frame {channels} of {maps.shape[1]}")
        click.echo(f"{out}: {maps.shape[0]} maps, {maps.shape[1]} frames")


@visualize.command(help="The confusion matrix of a run that was measured, as .png.")
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_OUT
def confusion(run: Path, out: Path) -> None:
    """A run's result to a picture."""
    import numpy as np

    from pipelines.training.fit import folder as files
    from pipelines.training.fit.run import load_run
    from pipelines.training.visualize.matrix import confusion_picture
    from pipelines.training.visualize.movie import write_still

    with failures():
        found = [path for path in (run / files.RESULT, run / "evaluation" / files.RESULT) if path.is_file()]
        if not found:
            raise DatasetInvalid(f"{run}: no {files.RESULT}; measure it with `actogram evaluate`")
        counts = np.array(json.loads(found[0].read_text("utf-8"))["test"]["confusion"], np.int64)
        write_still(confusion_picture(counts, load_run(run).classes), out)
        click.echo(f"{out}: {len(counts)} classes, {int(counts.sum())} sequences")


@visualize.command(help="Where a trained network looks for a label, on a sequence of its test part, .mp4 or .gif.")
@click.argument("run", type=click.Path(exists=True, path_type=Path))
@DATA
@click.option("--sequence", help="Name of the sequence; default: the first.")
@click.option("--label", help="The label whose focus is drawn; default: what the network says.")
@_SIZE
@_OUT
def focus(run: Path, data: tuple[Path, ...], sequence: str | None, label: str | None, size: int, out: Path) -> None:
    """A run and a sequence to a movie."""
    from pipelines.training.visualize.focus_map import focus_of
    from pipelines.training.visualize.movie import MOVING, require_ending, write_movie
    from pipelines.training.visualize.skeleton import frames_of

    with failures():
        require_ending(out, MOVING)
        found = focus_of(run, data, sequence, label)
        title = f"{found.label} {100 * found.probability:.0f} %"
        pictures = frames_of(found.bodies, (size, size), title, found.weight, turns=False)
        write_movie(pictures, out, found.bodies.rate_hz)
        click.echo(f"{out}: {title}")


def _read(file: Path, sequence: str | None, layout: str | None) -> "tuple[Bodies, str, tuple[int, int] | None]":
    from pipelines.training.datasets import load_set
    from pipelines.training.visualize.bodies import bodies_of, find_sequence

    skeletons = load_set(file)
    annotation = find_sequence(skeletons, sequence)
    name = skeletons.classes[annotation.label] if 0 <= annotation.label < len(skeletons.classes) else annotation.name
    return bodies_of(skeletons, annotation, layout), name, annotation.shape_hw
