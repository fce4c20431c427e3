"""`actogram analyze`: who does what, when, in a video file."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from pipelines.orientation import Orientation, Rotation
from service.commands.failures import reported
from service.commands.network_options import WantedNetworks, network_choice, network_options
from service.commands.turn_options import turn_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from models.runtime.contract import ActionContract
    from pipelines.exercises.signals import ExerciseName
    from pipelines.results import PersonTimeline, Summary
    from pipelines.stream.analyze import Sink
    from pipelines.stream.build import Networks
    from pipelines.stream.render.blur import FaceRecord
    from pipelines.stream.sources import FileSource
    from service.settings import Settings

_FORMATS = ("jsonl", "json", "csv")
_EXERCISES = ("squat", "sit_to_stand", "arm_raise", "jump")
_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Where results go; `out` is None for nowhere, `-` for standard output."""

    form: str
    out: Path | None
    video: Path | None
    timeline: Path | None
    blurs: bool = False
    exercises: "tuple[ExerciseName, ...]" = ()


@click.command(help="Say who does what, when, in VIDEO: print a table, and write the files that the options name.")
@click.argument("video", type=_PATH)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="Of --out [default: by its extension, else jsonl].",
)
@click.option("--out", type=_PATH, help="Write the results to this file; - is standard output.")
@click.option("--video", "video_out", type=_PATH, help="Write the annotated video to this file (mp4).")
@click.option("--timeline", type=_PATH, help="Write a picture of who did what, when, to this file (png).")
@click.option("--blur-faces", is_flag=True, help="Make heads unrecognisable in the annotated video.")
@click.option(
    "--exercise",
    "exercises",
    type=click.Choice(_EXERCISES),
    multiple=True,
    help="Count its repetitions; may be repeated.",
)
@network_options
@click.option(
    "--fps",
    type=click.FloatRange(5, 240),
    default=30.0,
    show_default=True,
    help="Frames to read per second of video, at most.",
)
@turn_options
@click.option(
    "--every-frame",
    is_flag=True,
    help="Run the networks on every frame read, not on 14 a second with the joints interpolated in between.",
)
def command(
    video: Path,
    form: str | None,
    out: Path | None,
    video_out: Path | None,
    timeline: Path | None,
    blur_faces: bool,
    exercises: "tuple[ExerciseName, ...]",
    networks: WantedNetworks,
    fps: float,
    turn: Orientation,
    every_frame: bool,
) -> None:
    """Analyse one file; the table goes to standard error when the results go to standard output."""
    from service.settings import load_settings

    if blur_faces and video_out is None:
        raise click.UsageError("--blur-faces is about the annotated video: name one with --video")
    outputs = _outputs(video, form, out, video_out, timeline)
    _end_cleanly_when_told()
    with reported():
        settings = load_settings()
        outputs = replace(outputs, blurs=blur_faces or settings.blur_faces, exercises=exercises)
        with _open(video, fps, turn) as source:
            loaded = load_networks_of(settings, networks)
            summary = _analyze(video.name, source, loaded, outputs, every_frame=every_frame)
    _show(summary, loaded.action.contract, to_stderr=outputs.out == Path("-"))
    _show_exercises(summary, to_stderr=outputs.out == Path("-"))
    show_turn(summary.stats.rotate_deg, turn)


def _outputs(
    video: Path, form: str | None, out: Path | None, video_out: Path | None, timeline: Path | None
) -> _Outputs:
    """Complete what the options leave open; raises UsageError when two of the files are the same."""
    if form is not None and out is None:
        out = Path("-")
    files = [path.resolve() for path in (video, out, video_out, timeline) if path is not None and path != Path("-")]
    if len(set(files)) < len(files):
        raise click.UsageError("the video and the output files must all be different files")
    ending = out.suffix.lstrip(".").lower() if out is not None else ""
    return _Outputs(form or (ending if ending in _FORMATS else "jsonl"), out, video_out, timeline)


def _open(video: Path, fps: float, turn: Orientation) -> "FileSource":
    """The file, opened before the networks load, so that a bad one is reported at once."""
    from pipelines.stream.sources import FileSource

    return FileSource(video, rate_hz=fps, turn=turn)


def _analyze(
    name: str, source: "FileSource", networks: "Networks", outputs: _Outputs, *, every_frame: bool
) -> "Summary":
    from pipelines.stream.analyze import Run, analyze
    from pipelines.stream.config import PipelineConfig
    from pipelines.stream.file_names import printable
    from pipelines.stream.interpolate import ENOUGH_HZ
    from pipelines.stream.render.blur import FaceRecord

    with _bar() as bar:
        task = bar.add_task(_short(printable(name)), total=100.0, fps="")

        def show(frames: int, percent: float | None, fps: float, eta_s: float | None) -> None:  # noqa: ARG001
            bar.update(task, completed=percent or 0.0, fps=f"{frames} frames, {fps:.1f} per second")

        faces = FaceRecord() if outputs.blurs and outputs.video is not None else None
        run = Run(name, on_progress=show, enough_hz=None if every_frame else ENOUGH_HZ)
        run = replace(run, exercises=outputs.exercises)
        if faces is not None:
            run = replace(run, on_result=faces.add)
        return analyze(source, networks, PipelineConfig(), _sinks(outputs, faces), run)


def load_networks_of(settings: "Settings", wanted: WantedNetworks) -> "Networks":
    """The networks that the settings and options name, downloaded with a progress bar when they are missing."""
    from models.weights.store import WeightStore
    from pipelines.stream.build import load_networks

    store = WeightStore(settings.cache, settings.weights, settings.offline)
    choice = network_choice(settings, wanted, _threads(settings))
    with _bar() as bar:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done_bytes: int, total_bytes: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=100.0, fps="")
            bar.update(tasks[what], completed=100.0 * done_bytes / max(total_bytes, 1))

        return load_networks(choice, store, show)


def _threads(settings: "Settings") -> int:
    """The setting if it is set; else two if there are two cores, one of which a single video would leave idle."""
    if "threads" in settings.model_fields_set:
        return settings.threads
    return min(2, len(os.sched_getaffinity(0)))


def _sinks(outputs: _Outputs, faces: "FaceRecord | None") -> "list[Sink]":
    from pipelines.stream.sinks import CsvSink, JsonlSink, JsonSink, TimelineSink, VideoSink

    text: dict[str, type[JsonlSink | JsonSink | CsvSink]] = {"jsonl": JsonlSink, "json": JsonSink, "csv": CsvSink}
    sinks: list[Sink] = []
    if outputs.out is not None:
        sinks.append(text[outputs.form](None if outputs.out == Path("-") else outputs.out))
    if outputs.video is not None:
        sinks.append(VideoSink(outputs.video, faces=faces))
    if outputs.timeline is not None:
        sinks.append(TimelineSink(outputs.timeline))
    return sinks


@contextmanager
def _bar() -> "Iterator[Progress]":
    """A progress display on standard error; silent when that is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[fps]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


def _end_cleanly_when_told() -> None:
    """Make SIGTERM end like Ctrl-C: through the sinks, which leave nothing half-written."""

    def end(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - signal's signature
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


def _show(summary: "Summary", contract: "ActionContract", to_stderr: bool) -> None:
    """The table of people and actions, and one line about the time and memory used."""
    from rich.console import Console
    from rich.table import Table

    stream = sys.stderr if to_stderr else sys.stdout
    console = Console(file=stream, width=None if stream.isatty() else 100)
    table = Table("person", "seen", "action", "from", "to", "seconds", "score", "", box=None, pad_edge=False)
    for number, track in summary.numbered():
        for row in _rows(number, track, contract):
            table.add_row(*row)
    if summary.tracks:
        console.print(table)
    else:
        console.print("Nobody was seen.")
    stats = summary.stats
    pace = summary.duration_s / stats.seconds if stats.seconds > 0 else 0.0
    console.print(
        f"{stats.frames} frames in {stats.seconds:.1f} s: {stats.fps:.1f} per second, {pace:.2f} times real time, "
        f"{stats.peak_rss_bytes / 2**20:.0f} MiB at most",
        style="dim",
    )
    if stats.camera_moved:
        click.echo(
            f"actogram: note: the camera moved in {stats.camera_moved} of {stats.analysed} analysed frames; nobody is "
            "judged while it does",
            err=True,
        )
    if stats.breaks:
        found = ", ".join(f"{count} {reason}" for reason, count in stats.breaks.items())
        click.echo(f"actogram: note: nobody is followed across the breaks in this video: {found}", err=True)
    if stats.slow_motion:
        click.echo(
            f"actogram: note: the file plays {stats.slow_motion:g} times slower than life; actions are judged as shown",
            err=True,
        )
    if stats.is_truncated:
        click.echo("actogram: note: the file ends earlier than it says; what there is was analysed", err=True)


def _show_exercises(summary: "Summary", to_stderr: bool) -> None:
    """A line per person and exercise."""
    for number, track in summary.numbered():
        for found in summary.exercises.get(track.track_id, ()):
            told = f"not assessable ({found.reason})" if found.count is None else str(found.count)
            times = ", ".join(f"{one.turn_s:.1f}" for one in found.repetitions)
            click.echo(f"person {number}, {found.exercise}: {told}{f', at {times} s' if times else ''}", err=to_stderr)


def show_turn(rotate_deg: Rotation, turn: Orientation) -> None:
    """What to do about a picture that is turned though it was read with `turn`."""
    if rotate_deg == 0:
        return
    rotation, mirror = turn.then(Orientation.turned(rotate_deg)).rotation_and_mirror
    click.echo(
        "actogram: note: people stand on their heads or lie along one side throughout: turn the picture by "
        f"{rotate_deg} degrees clockwise, with --rotate {rotation}{' --mirror' if mirror else ''}; nobody was judged",
        err=True,
    )


def _rows(number: int, track: "PersonTimeline", contract: "ActionContract") -> Iterator[tuple[str, ...]]:
    seen = f"{track.start_s:.1f}-{track.end_s:.1f} s"
    if not track.actions:
        yield (str(number), seen, "-", "", "", "", "", "")
    for index, one in enumerate(track.actions):
        rule = contract.actions.get(one.action)
        yield (
            str(number) if index == 0 else "",
            seen if index == 0 else "",
            one.action,
            f"{one.start_s:.1f}",
            f"{one.end_s:.1f}",
            f"{one.end_s - one.start_s:.1f}",
            f"{one.score:.2f}",
            "experimental" if rule is not None and rule.quality == "experimental" else "",
        )


def _short(name: str) -> str:
    return name if len(name) <= 40 else f"{name[:24]}…{name[-14:]}"
