"""`actogram prepare`: videos, or other people's skeleton files, to a set that trains as it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.command_line import CONSOLE, bar, failures

if TYPE_CHECKING:
    from pipelines.stream.build import PeopleNetworks
    from pipelines.training.formats.convert import Conversion
    from pipelines.training.formats.recordings import Recording
    from pipelines.training.segments import SegmentTable
    from pipelines.training.skeletons import SkeletonSet

_PATH = click.Path(path_type=Path)
_SHOWN = 20
_FORMATS = ("auto", "videos", "ntu", "kinetics", "openpose", "bvh", "sets")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the user asked for, as the options give it."""

    inputs: tuple[Path, ...]
    out: Path
    format: str
    by_folder: bool
    split: str
    seed: int
    labels: Path | None
    layout: str | None
    channels: str
    fps: float | None
    classes: str | None
    parts: str | None
    people: int | None
    dim: str
    size: str | None
    joint_map: Path | None
    scale: float
    min_seconds: float
    segments: str | None
    workers: int
    cache: Path | None
    weights: Path | None
    offline: bool


@click.command(
    help="Make a skeleton set from videos, with the same stages that the service runs, or from NTU .skeleton files, "
    "Kinetics-Skeleton JSON, OpenPose JSON, BVH motion capture, PYSKL and MMAction2 pickles. INPUTS are files, "
    "folders, or lists (.csv, .tsv: video,label[,start,end,split,subject]; .txt: path label). Called again after "
    "it was interrupted, it goes on where it was."
)
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=_PATH, help="The set: .npz (open) or .pkl (PYSKL).")
@click.option("--format", type=click.Choice(_FORMATS), default="auto", show_default=True, help="What the inputs are.")
@click.option("--by-folder", is_flag=True, help="Take the name of each recording's folder as its class.")
@click.option(
    "--split", default="auto", show_default=True,
    help="csv, folders (train/val/test), subjects:NAME,NAME (those learn), share:0.8, none; auto takes what there is.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Of a split by share.")
@click.option("--labels", type=_PATH, help="Names of the classes: .txt, .json, .csv or .toml.")
@click.option("--layout", help="Order of the joints: of sets that do not say it, and what BVH joints are mapped to.")
@click.option(
    "--channels", type=click.Choice(["auto", "xyz", "xys"]), default="auto", show_default=True,
    help="What three channels of a set are: x, y, z, or x, y and score.",
)  # fmt: skip
@click.option("--fps", type=click.FloatRange(0, 1000, min_open=True), help="Frames per second, where files do not say.")
@click.option("--classes", help="Keep only these classes: NAME,NAME.")
@click.option("--parts", help="Keep only these splits of a set: NAME,NAME.")
@click.option(
    "--people", type=click.IntRange(1, 20),
    help="Most people per sequence: default 2, and for videos one sequence per person.",
)  # fmt: skip
@click.option("--dim", type=click.Choice(["2", "3"]), default="3", show_default=True, help="NTU: colour pixels or 3D.")
@click.option("--size", metavar="WxH", help="Size of the pictures that coordinates belong to, where files do not say.")
@click.option("--joint-map", type=_PATH, help='BVH: a TOML file with layout = "..." and [joints] left_hip = "LHip" ...')
@click.option("--scale", type=float, default=1.0, show_default=True, help="BVH: 0.01 makes centimetres metres.")
@click.option(
    "--min-seconds",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Videos: shorter tracks are dropped.",
)
@click.option(
    "--segments",
    help="What each part of a video shows: a .toml file, a manifest.json, or `everyday`. Others are not read.",
)
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes that read.")
@click.option("--cache", type=_PATH, help="Folder for downloaded weights.")
@click.option("--weights", type=_PATH, help="A folder with your own weight files.")
@click.option("--offline", is_flag=True, help="Download nothing.")
def prepare(**options: object) -> None:
    """Recordings to a set."""
    with failures():
        _prepare(_Asked(**options))  # type: ignore[arg-type]  # click gives what the options declare


def _prepare(asked: _Asked) -> None:
    from pipelines.training.datasets import check_target, save_set

    check_target(asked.out)
    refused: list[str] = []

    def on_refused(name: str, why: str) -> None:
        refused.append(f"{name}: {why}" if not why.startswith(name) else why)
        if len(refused) <= _SHOWN:
            CONSOLE.print(f"skipped {refused[-1]}", markup=False, highlight=False, soft_wrap=True)

    how = _conversion(asked)
    sources, format_name = _sources(asked, on_refused)
    if format_name == "videos":
        skeletons = _videos(asked, sources, how, on_refused)
    elif format_name == "sets":
        skeletons = _sets(asked, how, on_refused)
        save_set(skeletons, asked.out)
    else:
        skeletons = _converted(asked, format_name, sources, how, on_refused)
        save_set(skeletons, asked.out)
    _tell(asked, skeletons, refused)


def _sources(asked: _Asked, on_refused: Callable[[str, str], None]) -> "tuple[list[Recording], str]":
    """What is to be read, and its format; sets are found later, as files."""
    from pipelines.training.formats.assemble import distinct
    from pipelines.training.formats.convert import find_sources, from_lists
    from pipelines.training.formats.detect import detect_format
    from pipelines.training.formats.listing import LIST_SUFFIXES, read_list
    from pipelines.training.prepare import find_videos

    lists = [path for path in asked.inputs if path.suffix.lower() in LIST_SUFFIXES and path.is_file()]
    listed = [source for path in lists for source in read_list(path, on_refused)]
    others = [path for path in asked.inputs if path not in lists]
    if lists and not listed and not others:
        raise DatasetInvalid(f"{lists[0].name}: none of its rows can be used")
    given = [*others, *(source.path for source in listed)]
    name = detect_format(given) if asked.format == "auto" else asked.format
    if name == "sets":
        return [], name
    find = find_videos if name == "videos" else partial(find_sources, name)
    found = [*from_lists(listed, name), *from_lists(find(others) if others else [], "", asked.by_folder)]
    return distinct(found), name


def _conversion(asked: _Asked) -> "Conversion":
    from pipelines.training.formats.convert import Conversion
    from pipelines.training.formats.description import describe_options, with_labels
    from pipelines.training.formats.recordings import ReadOptions
    from pipelines.training.formats.splits import parse_rule

    said = describe_options(layout=asked.layout, channels=asked.channels, fps=asked.fps)
    if asked.labels is not None:
        said = with_labels(said, asked.labels)
    reading = ReadOptions(
        asked.people or 2, int(asked.dim), asked.fps, _size_hw(asked.size), asked.joint_map, asked.layout, asked.scale
    )
    return Conversion(asked.out.stem, reading, parse_rule(asked.split, asked.seed), said, asked.workers)


def _size_hw(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 0 < int(width) < 10**5 and 0 < int(height) < 10**5):
        raise ConfigInvalid(f"size {text!r}: expected width and height in pixels, such as 1920x1080")
    return int(height), int(width)


def _converted(
    asked: _Asked,
    format_name: str,
    sources: "list[Recording]",
    how: "Conversion",
    on_refused: Callable[[str, str], None],
) -> "SkeletonSet":
    from pipelines.training.formats.convert import convert
    from pipelines.training.formats.merge import subset

    with bar("{task.fields[what]}") as progress:
        task = progress.add_task("", total=len(sources), what="starting")
        skeletons = convert(
            format_name, sources, how,
            lambda source: progress.update(task, advance=1, what=source.name), on_refused,
        )  # fmt: skip
    return subset(skeletons, _words(asked.classes), _words(asked.parts))


def _sets(asked: _Asked, how: "Conversion", on_refused: Callable[[str, str], None]) -> "SkeletonSet":
    from pipelines.training.formats.merge import divided, find_sets, merge, read_sets, subset

    paths = [path for path in find_sets(asked.inputs) if path.absolute() != asked.out.absolute()]
    if not paths:
        raise ConfigInvalid(f"{asked.out}: is the only input and the output")
    with bar("{task.fields[what]}") as progress:
        task = progress.add_task("", total=len(paths), what="starting")
        sets = read_sets(paths, how.said, lambda path: progress.update(task, advance=1, what=path.name), on_refused)
    whole = merge(sets, how.name)
    return divided(subset(whole, _words(asked.classes), _words(asked.parts)), how.rule)


def _videos(
    asked: _Asked, sources: "list[Recording]", how: "Conversion", on_refused: Callable[[str, str], None]
) -> "SkeletonSet":
    from pipelines.training.prepare_parts import Parts
    from pipelines.training.prepare_videos import PrepareProgress, Videos, prepare_videos
    from pipelines.training.segments import cut_segments, load_segments

    table = load_segments(asked.segments) if asked.segments else None
    if table is not None:
        sources = _named(sources, table)
        how = replace(how, rule=replace(how.rule, kind="none"))
    load = partial(_networks, asked.cache, asked.weights, asked.offline)
    # Opened here first, so that weights are fetched once and a wrong setting is told before anything starts.
    networks = load()
    videos = Videos(load, networks.pose.layout, asked.min_seconds, asked.people or 0)
    with Parts(asked.out, networks.names) as parts, bar("{task.fields[what]}") as progress:
        del networks
        task = progress.add_task("", total=len({source.path for source in sources}), what="starting")
        told = PrepareProgress(lambda done, what: progress.update(task, completed=done, what=what), on_refused)
        skeletons = prepare_videos(sources, how, videos, parts, told)
        if table is not None:
            skeletons = cut_segments(skeletons, table)
        skeletons = replace(skeletons, name=asked.out.stem)
        parts.finish(_kept(asked, skeletons))
    return skeletons


def _kept(asked: _Asked, skeletons: "SkeletonSet") -> "SkeletonSet":
    from pipelines.training.formats.merge import subset

    return subset(skeletons, _words(asked.classes), _words(asked.parts))


def _networks(cache: Path | None, weights: Path | None, offline: bool) -> "PeopleNetworks":
    """The detector and the pose estimator; also what worker processes call."""
    from models.weights.store import WeightStore
    from pipelines.stream.build import NetworkChoice, load_people_networks

    if cache is None:
        raise ConfigInvalid("videos need --cache, a folder for the networks' weights")
    return load_people_networks(NetworkChoice(), WeightStore(cache, weights, offline))


def _named(sources: "list[Recording]", table: "SegmentTable") -> "list[Recording]":
    """The videos whose segments are known; says which of those are not there."""
    from pipelines.training.segments import find_segments

    found = [source for source in sources if find_segments(table, source.name) is not None]
    there = {name for source in found for name in (source.name, source.name.rsplit("/", 1)[-1])}
    for name in sorted(set(table) - there):
        CONSOLE.print(f"skipped {name}: no such video was given", markup=False, highlight=False)
    if not found:
        raise DatasetInvalid(
            f"none of the {len(sources)} videos has segments; there are segments for {', '.join(table)}"
        )
    return found


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _tell(asked: _Asked, skeletons: "SkeletonSet", refused: list[str]) -> None:
    """One line of what was made, and how much was left out."""
    if len(refused) > _SHOWN:
        path = asked.out.with_name(f"{asked.out.name}.skipped.txt")
        path.write_text("\n".join(refused) + "\n", "utf-8", errors="replace")
        CONSOLE.print(f"all {len(refused)} that were skipped are in {path}", markup=False, highlight=False)
    for note in skeletons.notes:
        CONSOLE.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    splits = ", ".join(f"{name} {len(items)}" for name, items in skeletons.splits.items())
    click.echo(
        f"{asked.out}: {len(skeletons.annotations)} sequences, {len(skeletons.classes)} classes, splits {splits}; "
        f"{len(refused)} skipped"
    )
