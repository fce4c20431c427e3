"""Breaks a running product on purpose and counts what survives; run by `make chaos` and `make soak`.

    python -m tests.chaos chaos --data FOLDER --weights FOLDER [--rounds 20] [--seed 1] [--only kill_worker]
    python -m tests.chaos soak --data FOLDER --weights FOLDER --minutes 60
    python -m tests.chaos poison --data FOLDER --count 3000

Prints one JSON object per round and one at the end; the exit status is 1 when a promise was broken.
"""

import json
import random
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tests.bench.live import Usage
from tests.chaos import checks
from tests.chaos.faults import FAULTS
from tests.chaos.poison import poison_all
from tests.chaos.scene import Scene

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_data = click.option("--data", type=_folder, required=True, envvar="ACTOGRAM_DATA", help="Folder with `video/`.")
_weights = click.option("--weights", type=_folder, required=True, envvar="ACTOGRAM_WEIGHTS", help="Weight files.")


@click.group()
def main() -> None:
    """Break the product on purpose; told to end, it takes the product and its cameras down with it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@main.command()
@_data
@_weights
@click.option("--rounds", default=20, help="Faults in all; each kind comes before any comes again.")
@click.option("--seed", default=1, help="Decides order, victims and lengths.")
@click.option("--only", multiple=True, type=click.Choice(sorted(FAULTS)), help="These kinds alone.")
def chaos(data: Path, weights: Path, rounds: int, seed: int, only: tuple[str, ...]) -> None:
    """Fault after fault; after each, everything is counted."""
    names = _order(list(only) or list(FAULTS), rounds, seed)
    broken = 0
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), data, weights, seed) as scene:
        for number, name in enumerate(names, 1):
            outcome = run_round(scene, name)
            broken += len(outcome.broken)
            click.echo(json.dumps({"round": number, "fault": name, **asdict(outcome)}))
        totals = {"sent": len(scene.receiver.got), "told": len(scene.ear.told), "jobs": len(scene.jobs)}
    click.echo(json.dumps({"rounds": len(names), "seed": seed, "broken": broken, **totals}))
    sys.exit(broken > 0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did, the seconds until all was as before, and the promises that did not hold."""

    did: str
    settled_s: float
    broken: list[str]


def run_round(scene: Scene, name: str) -> Outcome:
    """One fault, and what holds after it."""
    before = checks.Weight.of(scene)
    did = FAULTS[name](scene)
    settled_s = checks.settle(scene)
    checks.close_events(scene)
    broken = checks.broken_promises(scene, before)
    checks.resume(scene)
    return Outcome(did, round(settled_s, 1), broken)


@main.command()
@_data
@_weights
@click.option("--minutes", default=60.0)
@click.option("--every-s", default=30.0, help="Seconds between two measurements.")
def soak(data: Path, weights: Path, minutes: float, every_s: float) -> None:
    """Two cameras, a video now and then, and memory and open files over time."""
    with tempfile.TemporaryDirectory() as folder, Scene(Path(folder), data, weights, seed=0) as scene:
        began_s, rows = time.monotonic(), []
        while time.monotonic() - began_s < 60 * minutes:
            scene.upload()
            time.sleep(every_s)
            rows.append(_measure(scene, time.monotonic() - began_s))
            click.echo(json.dumps(rows[-1]))
    click.echo(json.dumps({"minutes": minutes, "slopes_percent_per_hour": _slopes(rows)}))


def _measure(scene: Scene, at_s: float) -> dict[str, float]:
    found = {"s": round(at_s, 1)}
    pids = {str(one["name"]): int(str(one["pid"])) for one in scene.house.workers() if one["pid"]}
    for name, pid in {"web": scene.house.process.pid, **pids}.items():
        found[f"{name}_mib"] = Usage.of([pid]).rss_bytes / 2**20
        found[f"{name}_files"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return found


def _slopes(rows: list[dict[str, float]]) -> dict[str, float]:
    """Growth of each value over the second half, by a straight line, percent of its mean in an hour."""
    late = rows[len(rows) // 2 :]
    found = {}
    for name in late[0].keys() - {"s"}:
        pairs = [(row["s"], row[name]) for row in late if name in row]
        mean_s, mean = (sum(pair[k] for pair in pairs) / len(pairs) for k in (0, 1))
        spread = sum((s - mean_s) ** 2 for s, _ in pairs) or 1.0
        slope = sum((s - mean_s) * (value - mean) for s, value in pairs) / spread
        found[name] = round(100 * 3600 * slope / mean, 2) if mean else 0.0
    return dict(sorted(found.items()))


@main.command()
@_data
@click.option("--count", default=1000, help="Mutated files in all.")
@click.option("--seed", default=1)
def poison(data: Path, count: int, seed: int) -> None:
    """Mutated clips in seven containers, each read in a process with limits."""
    totals = poison_all(data / "video", count, seed, lambda said: click.echo(json.dumps(said)))
    click.echo(json.dumps(totals))
    sys.exit(totals["crashed"] + totals["hung"] > 0)


def _order(names: list[str], rounds: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    found: list[str] = []
    while len(found) < rounds:
        turn = names.copy()
        dice.shuffle(turn)
        found += turn
    return found[:rounds]


if __name__ == "__main__":
    main()
