"""`actogram bench gpu`: this machine's GPU, or small sizes on its CPU, from networks to sixty-four cameras."""

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.commands.failures import reported
from service.commands.network_options import WantedNetworks

if TYPE_CHECKING:
    from pipelines.bench.device import DevicePlan, Loading, Part, Recorded
    from pipelines.stream.build import Networks
    from service.settings import Settings

_CLIPS = (
    "intel_one-by-one-person-detection", "upfall_a1_t1_c1", "upfall_a2_t1_c1", "upfall_a6_t1_c1", "upfall_a7_t1_c1",
)  # fmt: skip
_VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm")


@click.command("gpu", short_help="The GPU: networks, torch, clips against the CPU, and up to 64 cameras.")
@click.option("--device", help="cuda:N or cpu [default: cuda:0; with --small cpu].")
@click.option("--minutes", type=click.FloatRange(0.1, 60), help="For all parts [default: 7; with --small 1].")
@click.option("--parts", default="", help="Comma separated, of buckets, torch, clips, cameras; else all.")
@click.option(
    "--clips",
    "folder",
    type=click.Path(path_type=Path, exists=True),
    help="A clip, or a folder of clips; else those of ACTOGRAM_DATA.",
)
@click.option("--cameras", default="", help="Numbers of cameras at once, comma separated [default: 1,8,16,32,64].")
@click.option(
    "--recorded",
    type=click.Choice(["no", "pictures", "detections"]),
    default="no",
    show_default=True,
    help="Hold the cameras' pictures, or what the detector finds in them too, in memory: decoding is not the limit.",
)
@click.option("--small", "is_small", is_flag=True, help="Small sizes within a minute, for a CPU.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="File for all the numbers; - is stdout.")
def gpu(
    device: str | None, minutes: float | None, parts: str, folder: Path | None, cameras: str, recorded: "Recorded",
    is_small: bool,
    json_path: Path | None,
) -> None:  # fmt: skip
    """Measure in parts; each stops when its share of the time is used and says what it left out."""
    from pipelines.bench.device import DeviceBench, DevicePlan
    from pipelines.bench.device_report import report_object, tables
    from service.settings import load_settings

    with reported():
        settings = load_settings()
        wanted = _parts(parts)
        clips = find_clips(folder) if {"clips", "cameras"} & set(wanted) else ()
        plan = _small(device, clips) if is_small else DevicePlan(device or "cuda:0", clips)
        seconds = 60 * (minutes or (1 if is_small else 7))
        counts = _counts(cameras) or plan.cameras
        plan = replace(plan, seconds=seconds, parts=wanted, cameras=counts, recorded=recorded)
        report = DeviceBench(plan, _loading(settings), lambda line: click.echo(line, err=True)).run()
    text = json.dumps(report_object(report), indent=1)
    if json_path is not None and json_path != Path("-"):
        json_path.write_text(text + "\n", "utf-8")
    click.echo(text if json_path == Path("-") else tables(report))
    if report.is_empty:
        raise SystemExit(1)


def find_clips(folder: Path | None) -> tuple[Path, ...]:
    """The clip that was named, those of a folder, or a few of ACTOGRAM_DATA; raises UsageError without any."""
    if folder is not None and folder.is_file():
        return (folder,)
    if folder is not None:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _VIDEOS)
        if not found:
            raise click.UsageError(f"{folder}: no clip in it ({', '.join(_VIDEOS)})")
        return tuple(found)
    data = os.environ.get("ACTOGRAM_DATA")
    usual = [Path(data) / "video" / f"{name}.mp4" for name in _CLIPS] if data else []
    found = [path for path in usual if path.is_file()]
    if not found:
        raise click.UsageError("name a clip or a folder of clips with --clips, or set ACTOGRAM_DATA")
    return tuple(found)


def _small(device: str | None, clips: tuple[Path, ...]) -> "DevicePlan":
    from pipelines.bench.cameras import CameraPlan
    from pipelines.bench.device import DevicePlan

    return DevicePlan(
        device or "cpu", clips[:1], clip_seconds=2.0, cameras=(1, 2),
        camera=CameraPlan(settle_s=0.5, seconds=1.5), buckets=(1, 2), bucket_seconds=0.02, is_small=True,
    )  # fmt: skip


def _parts(text: str) -> "tuple[Part, ...]":
    from pipelines.bench.device import PARTS

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in PARTS:
            raise click.UsageError(f"--parts: found {name!r}, expected {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in names or not names)


def _counts(cameras: str) -> tuple[int, ...]:
    counts = tuple(int(part) if part.strip().isdecimal() else 0 for part in cameras.split(",") if part.strip())
    if not all(1 <= count <= 1000 for count in counts):
        raise click.UsageError(f"--cameras: found {cameras!r}, expected numbers from 1 to 1000, comma separated")
    return counts


def _loading(settings: "Settings") -> "Loading":
    from pipelines.bench.device import Loading

    return Loading(partial(_warm_networks, settings), _shared)


def _warm_networks(settings: "Settings", device: str) -> "Networks":
    from pipelines.stream.config import PipelineConfig
    from service.commands.analyze import load_networks_of
    from service.worker.warm import warm

    networks = load_networks_of(settings, WantedNetworks(device=device))
    for session in networks.sessions:
        session.warm_declared()
    warm(networks, PipelineConfig().track.max_persons)
    return networks


def _shared(networks: "Networks", device: str) -> "Networks":
    from service.worker.gauges import BatchSizes
    from service.worker.runners import shared_whole

    return shared_whole(networks, device, BatchSizes())
