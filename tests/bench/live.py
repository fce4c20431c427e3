"""Measures the live part: label age, drops, CPU and memory for many cameras, outages, kills, and growth over time.

python -m tests.bench.live cameras|outages|kills|memory --data FOLDER --weights FOLDER [--minutes 30]
"""

import json
import os
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import av
import click
from av.video.frame import PictureType
from websockets.sync.client import connect

from tests.e2e.live_house import Ear, House, Told, data_of
from tests.rtsp_server import Footage, RtspServer, Unit

CLIPS = ("upfall_a1_t1_c1", "upfall_a2_t1_c1", "upfall_a6_t1_c1", "upfall_a7_t1_c1")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class TimedFootage(Footage):
    """A clip that remembers when each of its pictures had left the camera.

    sent_s: time in the endless clip, milliseconds → monotonic seconds.
    """

    sent_s: dict[int, float] = field(default_factory=dict)

    def iter_live(self, loops: bool) -> Iterator[Unit]:
        for unit in super().iter_live(loops):
            yield unit
            self.sent_s[round(unit.time_s * 1000)] = time.monotonic()

    def age_s(self, media_time_s: float, now_s: float) -> float | None:
        """Seconds since the picture of a media time left the camera; None when none was sent about then."""
        wanted = round((self.units[0].time_s + media_time_s) * 1000)
        for off in sorted(range(-20, 21), key=abs):
            if wanted + off in self.sent_s:
                return now_s - self.sent_s[wanted + off]
        return None


@dataclass
class Usage:
    """CPU seconds and resident bytes of a process and its children."""

    cpu_s: float
    rss_bytes: int

    @classmethod
    def of(cls, pids: Sequence[int]) -> "Usage":
        cpu, pages = 0, 0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += int(fields[11]) + int(fields[12])
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(cpu / _TICKS, pages * _PAGE)


@click.group()
def main() -> None:
    """Measure the live part on this machine."""


def _common(command: Callable[..., None]) -> Callable[..., None]:
    for name in ("--weights", "--data"):
        command = click.option(name, type=click.Path(exists=True, path_type=Path), required=True)(command)
    return command


@main.command()
@_common
@click.option("--seconds", default=20.0)
@click.option("--counts", default="1,2,4,8")
@click.option("--fps", default=15.0)
@click.option(
    "--steady/--bursts", default=False, help="Encode anew without B-frames, as cameras do; else in bursts of 4."
)
@click.option("--engine", default="local", show_default=True, type=click.Choice(["local", "ray"]))
def cameras(data: Path, weights: Path, seconds: float, counts: str, fps: float, steady: bool, engine: str) -> None:
    """Label age, drops, CPU and memory for a number of cameras."""
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "home", weights, engine=engine) as house:
        clips = [data / "video" / f"{name}.mp4" for name in CLIPS]
        if steady:
            clips = [without_b_frames(clip, Path(folder) / clip.name) for clip in clips]
        for count in (int(number) for number in counts.split(",")):
            click.echo(json.dumps(_measure(house, clips, count, seconds, fps)))


def without_b_frames(clip: Path, target: Path) -> Path:
    """The clip encoded as cameras do, every picture sent when it was taken.

    Sent by their times, the reordered pictures of the clips leave in bursts of four, which no camera does.
    """
    options = {"tune": "zerolatency", "preset": "veryfast", "crf": "18", "g": "18"}
    with av.open(str(clip)) as source, av.open(str(target), "w") as sink:
        pictures = source.streams.video[0]
        stream = sink.add_stream("libx264", rate=pictures.average_rate, options=options)
        stream.width, stream.height, stream.pix_fmt = pictures.width, pictures.height, "yuv420p"
        for number, picture in enumerate(source.decode(pictures)):
            picture.pts, picture.time_base = number, 1 / stream.codec_context.framerate
            picture.pict_type = PictureType.NONE
            sink.mux(stream.encode(picture))
        sink.mux(stream.encode(None))
    return target


def _measure(house: House, clips: Sequence[Path], count: int, seconds: float, fps: float) -> dict[str, object]:
    with ExitStack() as stack:
        footages = {}
        for index in range(count):
            plain = Footage.load(clips[index % len(clips)])
            footage = TimedFootage(plain.parameter_sets, plain.units, plain.duration_s)
            camera = stack.enter_context(RtspServer(footage))
            footages[house.add(f"cam {index}", camera.url, analysis={"fps": fps})] = footage
        house.until(lambda: all(house.status(one)["state"] == "running" for one in footages))
        time.sleep(5)
        found = _listen(house, footages, seconds)
        statuses = [house.status(one) for one in footages]
        for stream_id in footages:
            house.http.delete(f"/v1/streams/{stream_id}")
    return {"cameras": count, **found, **_mean_of(statuses), "load": round(os.getloadavg()[0], 1)}


def _listen(house: House, footages: Mapping[str, TimedFootage], seconds: float) -> dict[str, object]:
    ages, people, labels = [], 0, 0
    worker = [int(str(one["pid"])) for one in house.workers() if one["name"] == "w0"]
    web = [house.process.pid]
    before = Usage.of(worker), Usage.of(web)
    began_s = time.monotonic()
    with connect(f"ws://127.0.0.1:{house.port}/v1/ws", max_queue=None) as live:
        live.send(json.dumps({"type": "subscribe", "messages": ["frame"]}))
        while (now_s := time.monotonic()) - began_s < seconds:
            told = json.loads(live.recv(timeout=10))
            if told["type"] != "frame":
                continue
            people += len(told["data"]["persons"])
            labels += 1
            age_s = footages[told["stream_id"]].age_s(told["media_time_s"], time.monotonic())
            ages += [] if age_s is None else [1000 * age_s]
    spent_s = now_s - began_s
    after = Usage.of(worker), Usage.of(web)
    return {
        "label_age_ms": _percentiles(ages), "labels_per_camera_s": round(labels / spent_s / len(footages), 1),
        "people_per_frame": round(people / max(1, labels), 2),
        "worker_cores": round((after[0].cpu_s - before[0].cpu_s) / spent_s, 2),
        "web_cores": round((after[1].cpu_s - before[1].cpu_s) / spent_s, 2),
        "worker_mib": after[0].rss_bytes >> 20, "web_mib": after[1].rss_bytes >> 20,
    }  # fmt: skip


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    return {f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)]) for share in (50, 95, 99)}


def _mean_of(statuses: Sequence[Mapping[str, object]]) -> dict[str, object]:
    stages: dict[str, list[float]] = {}
    dropped: Counter[str] = Counter()
    for status in statuses:
        assert isinstance(status["stage_ms"], dict)
        assert isinstance(status["dropped"], dict)
        dropped.update(status["dropped"])
        for stage, ms in status["stage_ms"].items():
            stages.setdefault(stage, []).append(float(ms))
    return {"stage_ms": {k: round(statistics.mean(v), 1) for k, v in stages.items()}, "dropped": dict(dropped)}


@main.command()
@_common
@click.option("--count", default=10)
def outages(data: Path, weights: Path, count: int) -> None:
    """Seconds from the camera's return to its next label."""
    footage = Footage.load(data / "video" / f"{CLIPS[0]}.mp4")
    with (
        tempfile.TemporaryDirectory() as folder,
        House(Path(folder) / "home", weights) as house,
        RtspServer(footage) as camera,
        Ear(house, "frame") as ear,
    ):
        stream_id = house.add("out", camera.url)
        found = []
        for turn in range(count):
            house.until(lambda: house.status(stream_id)["state"] == "running")
            time.sleep(1)
            camera.go_away()
            house.until(lambda: house.status(stream_id)["state"] == "reconnecting")
            time.sleep(0.5 + turn % 5)
            seen = len(ear.told)
            camera.come_back()
            found.append(house.until(lambda seen=seen: len(ear.told) > seen))  # type: ignore[misc]
        shown = [round(one, 2) for one in sorted(found)]
        click.echo(json.dumps({"outages": count, "back_s": shown, "load": round(os.getloadavg()[0], 1)}))


@main.command()
@_common
def kills(data: Path, weights: Path) -> None:
    """Kill the worker, the web process or both while an event is provisional, confirmed or just ended."""
    footage = Footage.load(data / "video" / f"{CLIPS[0]}.mp4")
    for kind in ("action.provisional", "action.started", "action.ended"):
        for who in ("worker", "web", "both"):
            with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "home", weights) as house:
                click.echo(json.dumps({"at": kind, "killed": who, **_kill(house, footage, kind, who)}))


def _kill(house: House, footage: Footage, kind: str, who: str) -> dict[str, object]:
    with RtspServer(footage) as camera, Ear(house) as ear:
        stream_id = house.add("victim", camera.url)
        house.until(lambda: bool(ear.of(kind, stream_id)))
        if who in ("worker", "both"):
            house.kill_worker()
        if who in ("web", "both"):
            house.kill()
            house.start()
        seen = len(ear.of("action.started", stream_id))
        house.until(lambda: len(ear.of("action.started", stream_id)) > seen)
        house.http.patch(f"/v1/streams/{stream_id}", json={"enabled": False})
        house.until(lambda: all(event["state"] in ("ended", "retracted") for event in house.events(stream_id)))
        time.sleep(1)
        return _account(house, ear.told, stream_id)


def _account(house: House, told: Sequence[Told], stream_id: str) -> dict[str, object]:
    ended = {str(event["event_id"]) for event in house.events(stream_id) if event["state"] == "ended"}
    with sqlite3.connect(house.home / "actogram.sqlite3") as database:
        numbers = [seq for (seq,) in database.execute("select seq from event_log order by seq")]
    starts = Counter(str(data_of(one)["event_id"]) for one in told if one["type"] == "action.started")
    ends = Counter(str(data_of(one)["event_id"]) for one in told if one["type"] == "action.ended")
    return {
        "confirmed": len(ended), "lost": len(ended - starts.keys()) + len(ended - ends.keys()),
        "twice": sum(n - 1 for n in starts.values()) + sum(n - 1 for n in ends.values()),
        "holes": len(numbers) - (numbers[-1] if numbers else 0),
    }  # fmt: skip


@main.command()
@_common
@click.option("--minutes", default=30.0)
@click.option("--count", default=2)
def memory(data: Path, weights: Path, minutes: float, count: int) -> None:
    """Resident memory each ten seconds."""
    with tempfile.TemporaryDirectory() as folder, House(Path(folder) / "home", weights) as house, ExitStack() as stack:
        for index in range(count):
            camera = RtspServer(Footage.load(data / "video" / f"{CLIPS[index]}.mp4"))
            stack.enter_context(camera)
            house.add(f"cam {index}", camera.url)
        stack.enter_context(Ear(house))
        began_s = time.monotonic()
        while time.monotonic() - began_s < 60 * minutes:
            pids = {str(one["name"]): int(str(one["pid"])) for one in house.workers() if one["pid"]}
            sizes = {name: Usage.of([pid]).rss_bytes >> 20 for name, pid in {**pids, "web": house.process.pid}.items()}
            click.echo(json.dumps({"s": round(time.monotonic() - began_s), "mib": sizes}))
            time.sleep(10)


if __name__ == "__main__":
    main()
