"""What the server costs per label and per event, and the simulation held against measured runs and carried further.

`python -m tests.bench.scaling costs|compare|site`
"""

import json
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from pipelines.planning.simulate import Machine, Outcome, Site, Station, simulate
from service.database import Database, migrate
from service.event_log import EventLog
from service.events.ingest import EventIngest, Origin
from service.protocol.messages import FrameResults, Values, decode, encode
from tests.service.facts import report

MEASURED = {1: (8.8, 249), 2: (8.1, 253), 4: (5.8, 285), 8: (1.5, 848)}
"""Cameras → labels per camera and second, label age p50 in ms: the first table of docs/measurements/live.md."""
TWO_CORES = Machine(cores=2, decode_s=0.002, look_s=0.035, label_s=0.058, wait_s=0.036, latency_s=0.09)
"""Fitted to the row of one camera (8.8 labels, 249 ms, 0.71 cores); a look is the detection that live.md measured."""
WEB_S = 0.0022
"""Seconds of the web process per label that one client hears: 0.05 cores at 23.2 labels a second, in live.md."""


@click.group()
def main() -> None:
    """What scaling is computed from."""


@main.command()
@click.option("--count", default=2000, show_default=True)
def costs(count: int) -> None:
    """Milliseconds of the web process to read a label, and to store a change of an event in SQLite."""
    message = encode(FrameResults("stream_1", 1, 100, 6.7, _three_people()))
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'events.sqlite3'}")
        migrate(database)
        ingest = EventIngest(database, EventLog(database, lambda _: None), lambda _: "alarm")
        origin = Origin(stream_id="stream_1")
        found = {
            "label_bytes": len(message),
            "read_label_ms": _ms(count, lambda _: decode(message)),
            "store_event_ms": _ms(count, lambda index: ingest.take(origin, report(event_id=f"e{index}"))),
        }
        database.close()
    click.echo(json.dumps(found))


@main.command()
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
def compare(seconds: float, seed: int) -> None:
    """The simulation beside the measured rows of one machine."""
    for cameras, (labels, age_ms) in MEASURED.items():
        found = simulate(Site(cameras, 1, TWO_CORES), seconds, seed)
        age = found.ages_ms["p50"] or 0.0
        click.echo(
            f"{cameras} cameras: {found.labels_per_camera_s:.1f} labels a second and camera, measured {labels} "
            f"({found.labels_per_camera_s / labels - 1:+.0%}); age p50 {age:.0f} ms, measured {age_ms} "
            f"({age / age_ms - 1:+.0%})"
        )


@main.command()
@click.option("--cameras", default=10_000, show_default=True)
@click.option("--each", default=4, show_default=True, help="Cameras on one machine.")
@click.option("--replicas", default=1, show_default=True, help="Web processes among which the labels are divided.")
@click.option("--events-per-hour", default=60.0, show_default=True, help="Of each camera.")
@click.option("--store-ms", required=True, type=float, help="Milliseconds per event message; `costs` measures them.")
@click.option("--seconds", default=4.0, show_default=True)
@click.option("--seed", default=0, show_default=True)
def site(
    cameras: int, each: int, replicas: int, events_per_hour: float, store_ms: float, seconds: float, seed: int
) -> None:
    """Many machines like the measured one behind one server: which station is full first."""
    stations = (
        Station("live channel", "label", WEB_S / replicas, waiting_max=512 * replicas),
        Station("database", "event", store_ms / 1000),
    )
    whole = Site(cameras, -(-cameras // each), TWO_CORES, events_hour=events_per_hour, stations=stations)
    found = simulate(whole, seconds, seed, lambda share: click.echo(f"{share:.0%}", err=True))
    click.echo(_shown(cameras, found))


def _shown(cameras: int, found: Outcome) -> str:
    use = ", ".join(f"{name} {share:.1%}" for name, share in found.use.items())
    return (
        f"{cameras} cameras: {found.labels_per_camera_s:.2f} labels a second and camera reach clients; cores of the "
        f"machines {found.core_use:.0%} in use; {use}; dropped {found.dropped}"
    )


def _three_people() -> Values:
    person: Values = {
        "track_id": 1, "box": [0.412, 0.231, 0.645, 0.912], "status": "assessed", "action": "walk", "score": 0.913,
        "keypoints": [[0.512, 0.334, 0.97]] * 17,
    }  # fmt: skip
    return {"frame_size": [640, 480], "layout": "coco17", "persons": [person] * 3, "latency_ms": {"total": 120.0}}


def _ms(count: int, call: Callable[[int], object]) -> float:
    began_s = time.perf_counter()
    for index in range(count):
        call(index)
    return round(1000 * (time.perf_counter() - began_s) / count, 3)


if __name__ == "__main__":
    logging.basicConfig(level="WARNING")
    main()
