"""Times two versions or settings against each other in alternation, and counts what each asks of its networks.

    ACTOGRAM_DATA=... ACTOGRAM_WEIGHTS=... python tests/bench/speed.py pairs --before CHECKOUT --out pairs.json
    python tests/bench/speed.py pairs --before . --set-after ACTOGRAM_ENGINE_CPU=openvino
    python tests/bench/speed.py table pairs.json [...]

Each side is a process of its own that holds the networks and a clip's pictures. The sides take turns, half a second of
the clip each, and only ratios of neighbours count: whatever else the machine does hits both. Pictures are decoded
beforehand; `--fps` is the rate at which they are analysed, 0 for all of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

CLIPS = ("mmaction2_demo_skeleton", "upfall_a6_t1_c1", "cvzmh_fun_theory", "upfall_a1_t1_c1", "upfall_a11_t1_c1")
"""A hug in 1080p, two people; a walk, one or two; three people in 720p; a fall; somebody who lies."""
_TURN_S = 0.5
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Turn:
    """What one side did in one turn. wall_s, cpu_s: of the whole; network_s: within networks; calls: rows by network."""

    frames: int
    people: int
    wall_s: float
    cpu_s: float
    network_s: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)


@dataclass
class Pair:
    """One clip on both sides, turn by turn."""

    clip: str
    fps: float
    before: list[Turn]
    after: list[Turn]

    @property
    def ratios(self) -> list[float]:
        """Seconds before over seconds after, turn by turn: above 1 is faster."""
        return [one.wall_s / two.wall_s for one, two in zip(self.before, self.after, strict=True)]


def side(clip: Path, fps: float) -> None:
    """A side's process: answers each line of its input with the next turn."""
    from pipelines.stream.build import build_pipeline
    from pipelines.stream.config import PipelineConfig
    from pipelines.stream.sources import FileSource
    from service.commands.analyze import load_networks_of
    from service.commands.network_options import WantedNetworks
    from service.settings import load_settings

    networks = load_networks_of(load_settings(), WantedNetworks())
    asked: Counter[str] = Counter()
    spent_s: Counter[str] = Counter()
    for name, part in (("detect", networks.detector), ("pose", networks.pose), ("action", networks.action)):
        for session in _sessions(part):
            setattr(session, "run", _timed(session.run, name, asked, spent_s))  # noqa: B010 - a method
    pipeline = build_pipeline(networks, PipelineConfig(), "speed")
    source = FileSource(clip, rate_hz=fps) if fps else FileSource(clip)
    turns = _turns(list(source))
    print("ready", flush=True)
    for _ in sys.stdin:
        frames = next(turns, None)
        if frames is None:
            print("null", flush=True)
            return
        asked.clear()
        spent_s.clear()
        began_s, cpu_s, people = time.perf_counter(), time.process_time(), 0
        for frame in frames:
            people += len(pipeline.process(frame).poses)
        wall_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
        turn = Turn(len(frames), people, wall_s, cpu_s, dict(spent_s), dict(asked))
        print(json.dumps(asdict(turn)), flush=True)


def _sessions(part: object) -> tuple[object, ...]:
    from models.runtime.session import sessions_of

    return sessions_of(part)


def _timed(run: Callable[..., object], name: str, asked: Counter[str], spent_s: Counter[str]) -> Callable[..., object]:
    def timed(feeds: Mapping[str, Sequence[object]]) -> object:
        first = next(iter(feeds.values()))
        label = name if name != "detect" else f"detect {max(first.shape[2:])}"  # type: ignore[attr-defined]
        began_s = time.perf_counter()
        found = run(feeds)
        spent_s[label] += time.perf_counter() - began_s
        asked[label] += len(first)
        return found

    return timed


def _turns(frames: list[object]) -> Iterator[list[object]]:
    """The frames in turns of half a second of the clip."""
    at = 0
    while at < len(frames):
        end = at
        while end < len(frames) and frames[end].time_s < frames[at].time_s + _TURN_S:  # type: ignore[attr-defined]
            end += 1
        yield frames[at:end]
        at = end


class Side:
    """A side as the measuring process holds it."""

    def __init__(self, checkout: Path, clip: Path, fps: float, settings: Sequence[str]) -> None:
        chosen = dict(one.split("=", 1) for one in settings)
        environment = (
            os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "ACTOGRAM_THREADS": "1"} | chosen
        )
        command = [sys.executable, str(Path(__file__).resolve()), "side", str(clip), "--fps", str(fps)]
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        """Until the networks are loaded and the pictures decoded."""
        if self._out.readline().strip() != "ready":
            raise SystemExit("a side did not start; its own message stands above")

    def turn(self) -> Turn | None:
        """The next turn; None at the clip's end."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = json.loads(self._out.readline())
        return None if answer is None else Turn(**answer)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


def measure(how: argparse.Namespace, clip: Path) -> Pair:
    """One clip on both sides in alternation; who begins alternates, too."""
    sides = [
        Side(how.before, clip, how.fps, [*how.set, *how.set_before]),
        Side(how.after, clip, how.fps, [*how.set, *how.set_after]),
    ]
    found = Pair(clip.stem, how.fps, [], [])
    try:
        for one in sides:
            one.wait()
        for number in range(how.turns):
            order = sides if number % 2 == 0 else sides[::-1]
            turns = {id(one): one.turn() for one in order}
            first, second = (turns[id(one)] for one in sides)
            if first is None or second is None:
                break
            found.before.append(first)
            found.after.append(second)
    finally:
        for one in sides:
            one.close()
    return found


def row(pair: Pair) -> str:
    """One line of the table."""
    before, after = _sum(pair.before), _sum(pair.after)
    cells = [pair.clip, f"{pair.fps:g}" if pair.fps else "all", f"{before.people / max(before.frames, 1):.2f}"]
    cells += [f"{_ms(one.wall_s, one):.1f}" for one in (before, after)]
    cells.append(f"**{statistics.median(pair.ratios):.2f}**" if pair.ratios else "")
    for one in (before, after):
        cells.append(", ".join(f"{name} {count / one.frames:.2f}" for name, count in sorted(one.calls.items())))
    cells += [
        f"{_ms(one.wall_s - sum(one.network_s.values()), one) / max(one.people / one.frames, 1):.2f}"
        for one in (before, after)
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| clip | pictures a second | people | ms a picture, before | after | times as fast, median of turns | rows asked of each "
    "network per picture, before | after | ms outside networks per picture and person, before | after |\n"
    + "|---" * 10
    + "|"
)


def _sum(turns: Sequence[Turn]) -> Turn:
    whole = Turn(0, 0, 0.0, 0.0)
    for one in turns:
        network_s, calls = Counter(whole.network_s), Counter(whole.calls)
        network_s.update(one.network_s)
        calls.update(one.calls)
        whole = replace(
            whole, frames=whole.frames + one.frames, people=whole.people + one.people,
            wall_s=whole.wall_s + one.wall_s, cpu_s=whole.cpu_s + one.cpu_s, network_s=dict(network_s), calls=dict(calls),
        )  # fmt: skip
    return whole


def _ms(seconds: float, turn: Turn) -> float:
    return 1000 * seconds / max(turn.frames, 1)


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    pairs = commands.add_parser("pairs")
    pairs.add_argument("--before", type=Path, default=_ROOT)
    pairs.add_argument("--after", type=Path, default=_ROOT)
    for name in ("--set", "--set-before", "--set-after"):
        pairs.add_argument(name, action="append", default=[], metavar="VARIABLE=VALUE")
    pairs.add_argument("--clips", default=",".join(CLIPS))
    pairs.add_argument("--fps", type=float, default=0.0)
    pairs.add_argument("--turns", type=int, default=16, help="Half seconds of each clip at most.")
    pairs.add_argument("--out", type=Path)
    one = commands.add_parser("side")
    one.add_argument("clip", type=Path)
    one.add_argument("--fps", type=float, default=0.0)
    how = parser.parse_args()
    if how.command == "side":
        side(how.clip, how.fps)
        return
    found = []
    print(HEAD, flush=True)
    for name in how.clips.split(","):
        found.append(measure(how, Path(os.environ["ACTOGRAM_DATA"]) / "video" / f"{name}.mp4"))
        print(row(found[-1]), flush=True)
    if how.out is not None:
        how.out.write_text(json.dumps([asdict(pair) for pair in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
