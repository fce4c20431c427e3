"""`actogram bench`: compares networks on this machine."""

import json
import os
from pathlib import Path

import click

from service.commands.bench_gpu import gpu
from service.commands.failures import reported
from service.commands.needs_torch import run_module
from service.commands.network_options import WantedNetworks, network_options


@click.group(help="Compare the speed of networks on this machine, each pair within one run.")
def command() -> None:
    """The group of the measurements."""


command.add_command(gpu)


@command.command(
    "nets",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="All networks: size, torch against ONNX Runtime, empty slots, steps against windows.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def nets(arguments: tuple[str, ...]) -> None:
    """Measure all networks; `--help` lists the options."""
    run_module("bench nets", "models.bench.command", arguments)


@command.command("noise", short_help="Whether the same is said of clips when joints tremble by a fraction of a pixel.")
@click.option("--clips", default="", help="Names separated by commas; else the 24 of pipelines/bench/noise.toml.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of the clips, or of their folders; else ACTOGRAM_DATA.",
)
@click.option(
    "--sigmas", default="0.001,0.1", show_default=True, help="Pixels of the 256-pixel crop, and of the logits."
)
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1, 100), help="Runs per clip and sigma.")
@click.option(
    "--fps", default=15.0, show_default=True, type=click.FloatRange(5, 60), help="Pictures analysed a second."
)
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1), help="Of each clip at most.")
@click.option("--logits/--no-logits", "on_scores", default=True, help="The noise also on visibility and presence.")
@click.option("--quick", is_flag=True, help="Look once at crops that differ by less than a pixel: a tenth of the time.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="File for all the numbers.")
def noise(
    clips: str, folder: Path | None, sigmas: str, seeds: int, fps: float, seconds: float, on_scores: bool, quick: bool,
    json_path: Path | None,
) -> None:  # fmt: skip
    """Replay clips with seeded noise; each run goes to stderr as it ends, the table to stdout."""
    from pipelines.bench.clip_set import load_clips
    from pipelines.bench.noise import NoiseSetting, measure, report_object, table
    from pipelines.stream.config import PipelineConfig
    from service.commands.analyze import load_networks_of
    from service.settings import load_settings

    with reported():
        setting = NoiseSetting(
            folder or _shared_clips(),
            tuple(float(part) for part in sigmas.split(",")),
            seeds,
            fps,
            seconds,
            on_scores,
            quick,
        )
        chosen = load_clips([name for name in clips.split(",") if name])
        networks = load_networks_of(load_settings(), WantedNetworks())
        reports = measure(chosen, networks, PipelineConfig(), setting, lambda line: click.echo(line, err=True))
    if json_path is not None:
        json_path.write_text(json.dumps(report_object(reports, setting), indent=1) + "\n")
    click.echo(table(reports, setting))


@command.command(
    "track", short_help="Our tracker beside ByteTrack and OC-SORT: numbers that break, falls that are lost."
)
@click.option("--clips", default="", help="Names separated by commas; else the 24 of pipelines/bench/noise.toml.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Of the clips, or of their folders; else ACTOGRAM_DATA.",
)
@click.option(
    "--peers", default="bytetrack,ocsort", show_default=True, help="Trackers of the package `trackers`; empty for none."
)
@click.option("--fps", default=15.0, show_default=True, type=click.FloatRange(5, 60), help="Pictures a second.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(1), help="Of each clip at most.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="File for the numbers of each clip.")
@network_options
def track(
    clips: str, folder: Path | None, peers: str, fps: float, seconds: float, json_path: Path | None,
    networks: WantedNetworks,
) -> None:  # fmt: skip
    """Follow the people of clips; each clip goes to stderr as it ends, the table to stdout."""
    from pipelines.bench.clip_set import find_video, load_clips, read_frames
    from pipelines.bench.followers import PEERS, followers
    from pipelines.bench.tracking import compare, report_object, table
    from service.commands.analyze import load_networks_of
    from service.settings import load_settings

    named = [name for name in peers.split(",") if name]
    if unknown := sorted(set(named) - set(PEERS)):
        raise click.UsageError(f"--peers: found {', '.join(unknown)}, expected some of {', '.join(PEERS)}")
    with reported():
        where = folder or _shared_clips()
        ways = followers(load_networks_of(load_settings(), networks), named)
        reports = []
        for clip in load_clips([name for name in clips.split(",") if name]):
            frames = read_frames(find_video(where, clip.name), fps, seconds)
            reports += list(compare([(clip, frames)], ways, fps))
            click.echo("; ".join(f"{one.tracker} {one.breaks} breaks" for one in reports[-len(ways) :]), err=True)
    if json_path is not None:
        json_path.write_text(json.dumps(report_object(reports), indent=1) + "\n")
    click.echo(table(reports))


def _shared_clips() -> Path:
    """ACTOGRAM_DATA; raises UsageError where the variable names no folder."""
    data = os.environ.get("ACTOGRAM_DATA")
    if not data:
        raise click.UsageError("name the folder of the clips with --folder, or set ACTOGRAM_DATA")
    return Path(data)
