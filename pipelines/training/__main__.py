"""The training commands: prepare, train, evaluate, export. `actogram <command>` hands over to this module."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.errors import DatasetInvalid
from pipelines.training.command_evaluate import compare, evaluate, export
from pipelines.training.command_line import CONSOLE as _CONSOLE
from pipelines.training.command_line import bar as _bar
from pipelines.training.command_line import failures as _failures
from pipelines.training.command_train import pretrain, recipes, train

if TYPE_CHECKING:
    from pipelines.training.segments import SegmentTable


@click.group(help=__doc__)
def main() -> None:
    """See the subcommands."""


@main.command(help="Make a skeleton set from videos, with the same stages that the service runs.")
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The set: .npz (open) or .pkl (PYSKL).")
@click.option("--min-seconds", default=1.0, show_default=True, help="Shorter tracks are dropped.")
@click.option("--by-folder", is_flag=True, help="Take the name of each video's folder as its class.")
@click.option(
    "--segments", help="What each part of a video shows: a .toml file, or `everyday`. Only videos named in it are read."
)
@click.option("--cache", required=True, type=click.Path(path_type=Path), help="Folder for downloaded weights.")
@click.option("--weights", type=click.Path(path_type=Path), help="A folder with your own weight files.")
@click.option("--offline", is_flag=True, help="Download nothing.")
def prepare(
    videos: tuple[Path, ...], out: Path, min_seconds: float, by_folder: bool, segments: str | None, cache: Path,
    weights: Path | None, offline: bool,
) -> None:  # fmt: skip
    """Videos to a set."""
    from models.weights.store import WeightStore
    from pipelines.stream.build import NetworkChoice, load_people_networks
    from pipelines.training import prepare as stage
    from pipelines.training.datasets import check_target, save_set
    from pipelines.training.segments import cut_segments, load_segments

    with _failures():
        check_target(out)
        found, table = stage.find_videos(videos), load_segments(segments) if segments else None
        if table is not None:
            found = _named(found, table)
        networks = load_people_networks(NetworkChoice(), WeightStore(cache, weights, offline))
        with _bar("{task.fields[what]}") as bar:
            task = bar.add_task("", total=float(len(found)), what="starting")
            skeletons = stage.prepare(
                found, networks, out.stem, min_seconds, by_folder,
                on_frame=lambda index, share: bar.update(task, completed=index + share, what=found[index].name),
                on_refused=lambda path, why: _CONSOLE.print(f"skipped {path.name}: {why}"),
            )  # fmt: skip
            bar.update(task, completed=float(len(found)), what="done")
        if table is not None:
            skeletons = cut_segments(skeletons, table)
        save_set(skeletons, out)
        what = "tracks" if table is None else "pieces"
        click.echo(f"{out}: {len(skeletons.annotations)} {what} of {len(found)} videos")


def _named(videos: list[Path], table: "SegmentTable") -> list[Path]:
    """The videos whose segments are known; says which of those are not there."""
    found = [path for path in videos if path.stem in table]
    for name in sorted(set(table) - {path.stem for path in found}):
        _CONSOLE.print(f"skipped {name}: no such video was given")
    if not found:
        raise DatasetInvalid(
            f"none of the {len(videos)} videos has segments; there are segments for {', '.join(table)}"
        )
    return found


main.add_command(train)
main.add_command(evaluate)
main.add_command(export)
main.add_command(compare)
main.add_command(recipes)
main.add_command(pretrain)

if __name__ == "__main__":
    main(prog_name="actogram")
