"""Times two versions or settings against each other in alternation, and counts what each asks of its networks.

    ACTOGRAM_DATA=... ACTOGRAM_WEIGHTS=... python tests/bench/speed.py pairs --before CHECKOUT --out pairs.json
    python tests/bench/speed.py pairs --before . --set-after ACTOGRAM_ENGINE_CPU=openvino
    python tests/bench/speed.py final --before CHECKOUT        # everything, in under ten minutes, into the page of docs

Each side is a process of its own that holds the networks and a clip's pictures. The sides take turns, half a second of
the clip each, and only ratios of neighbours count: whatever else the machine does hits both. Pictures are decoded
beforehand; `--fps` is the rate at which they are analysed, 0 for all of them. `final` adds live cameras
(`tests/bench/live.py`) before and after in turns, and OpenVINO where it is installed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from models.arrays import AnyArray
    from models.runtime.session import Session
    from pipelines.types import Frame

CLIPS = ("mmaction2_demo_skeleton", "upfall_a6_t1_c1", "cvzmh_fun_theory", "upfall_a1_t1_c1", "upfall_a11_t1_c1")
"""A hug in 1080p, two people; a walk, one or two; three people in 720p; a fall; somebody who lies."""
_TURN_S = 0.5
_REHEARSED = 20  # pictures
_ENGINE_CLIPS = ("upfall_a6_t1_c1", "upfall_a11_t1_c1")
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "measurements" / "speed.md"
_MARK = "<!-- what follows is written by tests/bench/speed.py final -->\n"
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Turn:
    """What one side did in one turn.

    wall_s, cpu_s: of the clock and of the processor. network_s: of the processor, within networks. calls: rows asked of
    each network.
    """

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

    def ratio(self, clock: Literal["wall_s", "cpu_s"]) -> float:
        """Seconds before over seconds after, median of the turns: above 1 is faster. clock: `wall_s` or `cpu_s`."""
        pairs = zip(self.before, self.after, strict=True)
        ratios: list[float] = [getattr(one, clock) / getattr(two, clock) for one, two in pairs]
        return statistics.median(ratios)


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
    spent_s: defaultdict[str, float] = defaultdict(float)
    for name, part in (("detect", networks.detector), ("pose", networks.pose), ("action", networks.action)):
        for session in _sessions(part):
            setattr(session, "run", _timed(session.run, name, asked, spent_s))  # noqa: B010 - a method
    pipeline = build_pipeline(networks, PipelineConfig(), "speed")
    source = FileSource(clip, rate_hz=fps) if fps else FileSource(clip)
    frames = list(source)
    # What is compiled or allocated for a new size of picture is no part of the work.
    rehearsal = build_pipeline(networks, PipelineConfig(), "rehearsal")
    for frame in frames[:_REHEARSED]:
        rehearsal.process(frame)
    turns = _turns(frames)
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


def _sessions(part: object) -> "tuple[Session, ...]":
    from models.runtime.session import sessions_of

    return sessions_of(part)


def _timed(
    run: "Callable[[Mapping[str, AnyArray]], dict[str, AnyArray]]",
    name: str,
    asked: Counter[str],
    spent_s: dict[str, float],
) -> "Callable[[Mapping[str, AnyArray]], dict[str, AnyArray]]":
    def timed(feeds: "Mapping[str, AnyArray]") -> "dict[str, AnyArray]":
        first = next(iter(feeds.values()))
        label = name if name != "detect" else f"detect {max(first.shape[2:])}"
        began_s = time.process_time()
        found = run(feeds)
        spent_s[label] += time.process_time() - began_s
        asked[label] += len(first)
        return found

    return timed


def _turns(frames: "list[Frame]") -> "Iterator[list[Frame]]":
    """The frames in turns of half a second of the clip."""
    at = 0
    while at < len(frames):
        end = at
        while end < len(frames) and frames[end].time_s < frames[at].time_s + _TURN_S:
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
    sums = _sum(pair.before), _sum(pair.after)
    cells = [pair.clip, f"{pair.fps:g}" if pair.fps else "all", f"{sums[0].people / max(sums[0].frames, 1):.2f}"]
    cells += [_arrow(f"{_ms(one.cpu_s, one):.1f}" for one in sums), f"**{pair.ratio('cpu_s'):.2f}**"]
    cells.append(f"{pair.ratio('wall_s'):.2f}")
    cells.append(_arrow(f"{_outside_ms(one):.2f}" for one in sums))
    cells.append(
        _arrow(
            ", ".join(f"{name} {count / one.frames:.2f}" for name, count in sorted(one.calls.items())) for one in sums
        )
    )
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| clip | pictures a second | people | processor ms a picture | times as fast, processor | times as fast, clock "
    "| processor ms outside networks, per picture and person | rows asked of networks, per picture |\n"
    + "|---" * 8
    + "|"
)


def _arrow(cells: Iterable[str]) -> str:
    """Before and after; once where they are the same."""
    before, after = cells
    return before if before == after else f"{before} → {after}"


def _outside_ms(turn: Turn) -> float:
    return _ms(turn.cpu_s - sum(turn.network_s.values()), turn) / max(turn.people / turn.frames, 1)


def _sum(turns: Sequence[Turn]) -> Turn:
    whole = Turn(0, 0, 0.0, 0.0)
    for one in turns:
        network_s = {name: whole.network_s.get(name, 0.0) + spent_s for name, spent_s in one.network_s.items()}
        network_s = {**whole.network_s, **network_s}
        calls = dict(Counter(whole.calls) + Counter(one.calls))
        whole = replace(
            whole, frames=whole.frames + one.frames, people=whole.people + one.people, wall_s=whole.wall_s + one.wall_s,
            cpu_s=whole.cpu_s + one.cpu_s, network_s=network_s, calls=calls,
        )  # fmt: skip
    return whole


def _ms(seconds: float, turn: Turn) -> float:
    return 1000 * seconds / max(turn.frames, 1)


def final(how: argparse.Namespace) -> None:
    """All pairs, and the page's second half."""
    parts = [f"{_machine()}; {time.strftime('%d %B %Y, %H:%M', time.gmtime())} UTC."]
    parts.append("### Analysis, this version against the one before\n\n" + _pairs(how, CLIPS, []))
    parts.append(
        "### The same at 15 pictures a second\n\n" + _pairs(argparse.Namespace(**vars(how) | {"fps": 15.0}), CLIPS, [])
    )
    if _has_openvino():
        after_alone = argparse.Namespace(**vars(how) | {"before": how.after})
        engine = ["ACTOGRAM_ENGINE_CPU=openvino"]
        parts.append("### onnxruntime against OpenVINO, float32\n\n" + _pairs(after_alone, _ENGINE_CLIPS, engine))
    parts.append("### Live cameras, in turns\n\n" + _live(how))
    text = "\n\n".join(parts) + "\n"
    print(text)
    kept = how.page.read_text("utf-8").partition(_MARK)[0]
    how.page.write_text(kept + _MARK + "\n" + text, "utf-8")


def _pairs(how: argparse.Namespace, clips: Sequence[str], set_after: Sequence[str]) -> str:
    chosen = argparse.Namespace(**vars(how) | {"set_after": [*how.set_after, *set_after]})
    rows = [row(measure(chosen, Path(os.environ["ACTOGRAM_DATA"]) / "video" / f"{name}.mp4")) for name in clips]
    return "\n".join([HEAD, *rows])


def _live(how: argparse.Namespace) -> str:
    """One camera and four, without B-frames: the older version, the newer one, and again."""
    lines = [
        "| version | cameras | label age p50 / p95 / p99 ms | labels a camera and second | worker cores | worker MiB |",
        "|---|---|---|---|---|---|",
    ]
    for name, checkout in (("before", how.before), ("after", how.after)) * 2:
        for line in _cameras(checkout.resolve()):
            age = " / ".join(str(line["label_age_ms"][share]) for share in ("p50", "p95", "p99"))
            cells = [name, line["cameras"], age, line["labels_per_camera_s"], line["worker_cores"], line["worker_mib"]]
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _cameras(checkout: Path) -> list[dict[str, Any]]:
    """The live bench of this checkout with another one's code."""
    command = [sys.executable, str(_ROOT / "tests" / "bench" / "live.py"), "cameras", "--steady", "--counts", "1,4"]
    command += ["--seconds", "10", "--data", os.environ["ACTOGRAM_DATA"], "--weights", os.environ["ACTOGRAM_WEIGHTS"]]
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _has_openvino() -> bool:
    from models.runtime.engines import openvino

    return openvino.is_installed()


def _machine() -> str:
    from models.runtime.engines.choose import processor_name

    load = os.getloadavg()[0]
    return f"{len(os.sched_getaffinity(0))} cores of {processor_name()}, load {load:.1f} at the beginning"


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    pairs, whole = commands.add_parser("pairs"), commands.add_parser("final")
    for each in (pairs, whole):
        each.add_argument("--before", type=Path, default=_ROOT)
        each.add_argument("--after", type=Path, default=_ROOT)
        for name in ("--set", "--set-before", "--set-after"):
            each.add_argument(name, action="append", default=[], metavar="VARIABLE=VALUE")
        each.add_argument("--fps", type=float, default=0.0)
        each.add_argument("--turns", type=int, default=12, help="Half seconds of each clip at most.")
    pairs.add_argument("--clips", default=",".join(CLIPS))
    pairs.add_argument("--out", type=Path)
    whole.add_argument("--page", type=Path, default=_PAGE)
    one = commands.add_parser("side")
    one.add_argument("clip", type=Path)
    one.add_argument("--fps", type=float, default=0.0)
    how = parser.parse_args()
    if how.command == "side":
        side(how.clip, how.fps)
        return
    how.before, how.after = how.before.resolve(), how.after.resolve()
    if how.command == "final":
        final(how)
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
