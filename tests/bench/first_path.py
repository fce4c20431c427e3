"""Analyses every clip of ACTOGRAM_DATA/video and writes what was said beside what is seen in it.

    ACTOGRAM_DATA=... ACTOGRAM_WEIGHTS=... python tests/bench/first_path.py --out docs/measurements/first-path.md

Results per clip are kept in --work, so that a run which was cut off goes on with --reuse.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models.weights.registry import ZOO_PATH
from models.weights.store import WeightStore
from pipelines.results import Header, Summary
from pipelines.stream.analyze import Run, analyze
from pipelines.stream.build import NetworkChoice, Networks, load_networks
from pipelines.stream.config import PipelineConfig
from pipelines.stream.sources import FileSource
from pipelines.stream.stats import peak_rss_bytes
from pipelines.types import Event, FrameResult
from service.settings import Settings

LATE_S = 1.5
"""A fall confirmed later than this after the ground is not found."""
_SAID_S = 0.5
_BY_HAND = "## Speed on an idle machine\n"
_LEARNT = "(learnt)"
_TRUTH = Path(__file__).with_name("first_path.toml")


@dataclass
class Truth:
    """What is seen in one clip."""

    expected: list[str] = field(default_factory=list)
    any_of: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    falls: list[list[float]] = field(default_factory=list)


@dataclass
class Outcome:
    """What was said of one clip; `said` is seconds per action, `falls` (start, end, confirmed) in media seconds."""

    clip: str
    media_s: float
    size_wh: list[int]
    frames: int
    wall_s: float
    cpu_s: float
    stage_ms: dict[str, float]
    peak_rss_bytes: int
    num_tracks: int
    flips: int
    said: dict[str, float]
    falls: list[list[float]]
    analysed: int = 0


class ConfirmSink:
    """Notes when falls are confirmed, and how they end."""

    wants_pictures = False

    def __init__(self) -> None:
        self.confirmed_s: dict[str, float] = {}
        self.events: dict[str, Event] = {}

    def open(self, header: Header) -> None:
        """Nothing."""

    def write(self, result: FrameResult) -> None:
        """Take the events of a frame."""
        self._take(result.events, result.frame.time_s)

    def close(self, events: tuple[Event, ...], summary: Summary) -> None:
        """Take those that the end closed."""
        self._take(events, summary.duration_s)

    def abort(self) -> None:
        """Nothing."""

    def falls(self) -> list[list[float]]:
        """(start, end, confirmed) of each."""
        return [[self.events[key].start_s, self.events[key].end_s, at_s] for key, at_s in self.confirmed_s.items()]

    def _take(self, events: Sequence[Event], time_s: float) -> None:
        for event in events:
            if event.action == "fall":
                self.events[event.event_id] = event
                if event.state == "confirmed":
                    self.confirmed_s.setdefault(event.event_id, time_s)


def main() -> None:
    """Run the clips, then write the page."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    every = sorted((options.data / "video").glob("*.mp4"))
    clips = [path for path in every if options.only in path.name]
    if options.kept:
        clips = [path for path in clips if (options.work / f"{path.stem}.json").is_file()]
    networks = _networks(options.model)
    outcomes = []
    for path in clips:
        kept = options.work / f"{path.stem}.json"
        if not ((options.reuse or options.kept) and kept.is_file()):
            kept.write_text(json.dumps(asdict(run_clip(path, networks))))
        outcomes.append(Outcome(**json.loads(kept.read_text())))
        print(outcomes[-1].clip, {name: round(s, 1) for name, s in outcomes[-1].said.items()}, file=sys.stderr)
    by_hand = _by_hand(options.out)
    options.out.write_text("\n".join(page(outcomes, load_truth(clips), networks, len(every))) + "\n" + by_hand)


def _by_hand(path: Path) -> str:
    """What was added to the page by hand: its last section, measured while nothing else ran."""
    _, title, after = path.read_text().partition(_BY_HAND) if path.is_file() else ("", "", "")
    return f"\n{title}{after}" if title else ""


def run_clip(path: Path, networks: Networks) -> Outcome:
    """Analyse one clip."""
    sink = ConfirmSink()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    with FileSource(path, rate_hz=30.0) as source:  # as the command does
        summary = analyze(source, networks, PipelineConfig(), [sink], Run(path.name))
    said: dict[str, float] = defaultdict(float)
    for track in summary.tracks:
        for action in track.actions:
            said[action.action] += action.end_s - action.start_s
    return Outcome(
        path.stem, summary.duration_s, list(summary.header.size_wh), summary.stats.frames,
        time.perf_counter() - wall_s, time.process_time() - cpu_s, dict(summary.stats.stage_ms), peak_rss_bytes(),
        len(summary.tracks), summary.stats.label_flips, dict(said), sink.falls(),
        summary.stats.analysed,
    )  # fmt: skip


def load_truth(clips: Sequence[Path]) -> dict[str, Truth]:
    """Clip name → what is seen in it."""
    table = tomllib.loads(_TRUTH.read_text())
    return {path.stem: _truth(path.stem, table) for path in clips}


def _truth(clip: str, table: Mapping[str, Any]) -> Truth:
    group = max((name for name in table["clips"] if clip.startswith(name)), key=len)
    truth = Truth(**{key: list(value) for key, value in table["clips"][group].items()})
    if clip.startswith("upfall"):
        extra = table["bystanders"][clip[-3:]]
        (truth.expected if clip.endswith("_c2") else truth.allowed).extend(extra)
    return truth


@dataclass
class Verdict:
    """TimedEvent beside seen."""

    right: list[str]
    wrong: list[str]
    missing: list[str]


def judge(outcome: Outcome, truth: Truth) -> Verdict:
    """Labels said for at least half a second in all count as said; a fall always does."""
    said = {name for name, seconds in outcome.said.items() if seconds >= _SAID_S} | (
        {"fall"} if outcome.falls else set()
    )
    missing = [name for name in dict.fromkeys(truth.expected) if name not in said]
    if truth.any_of and not said & set(truth.any_of):
        missing.append(" or ".join(truth.any_of))
    known = {*truth.expected, *truth.any_of}
    return Verdict(sorted(said & known), sorted(said - known - set(truth.allowed)), missing)


@dataclass
class Fall:
    """One fall, or an invented one (`ground_s` None). delay_s: from the ground to the confirmation."""

    clip: str
    onset_s: float | None
    ground_s: float | None
    event: list[float] | None

    @property
    def delay_s(self) -> float | None:
        """None where it was not found or invented."""
        return None if self.event is None or self.ground_s is None else self.event[2] - self.ground_s

    @property
    def is_found(self) -> bool:
        """Confirmed in time."""
        return self.delay_s is not None and self.delay_s <= LATE_S


def match_falls(outcome: Outcome, truth: Truth) -> list[Fall]:
    """Each fall with the event that overlaps it, then events without a fall."""
    free = sorted(outcome.falls, key=lambda event: event[2])
    falls = []
    for onset_s, ground_s in truth.falls:
        near = [event for event in free if event[0] <= ground_s + 1.0 and event[1] >= onset_s - 0.5]
        if near:
            free.remove(near[0])
        falls.append(Fall(outcome.clip, onset_s, ground_s, near[0] if near else None))
    return falls + [Fall(outcome.clip, None, None, event) for event in free]


def page(outcomes: Sequence[Outcome], truths: Mapping[str, Truth], networks: Networks, num_every: int) -> Iterator[str]:
    """The measurement as Markdown."""
    falls = [fall for outcome in outcomes for fall in match_falls(outcome, truths[outcome.clip])]
    verdicts = {outcome.clip: judge(outcome, truths[outcome.clip]) for outcome in outcomes}
    known = learnt_from(networks.action.contract.name)
    yield from _head(outcomes, networks.action.contract.name, num_every)
    yield from _known(known, {outcome.clip for outcome in outcomes})
    yield from _totals(verdicts.values(), falls)
    yield from _table(outcomes, verdicts, falls, known)
    yield from _fall_table(falls)
    yield from _costs(outcomes)
    yield from _pace(networks)


def _head(outcomes: Sequence[Outcome], model: str, num_every: int) -> Iterator[str]:
    yield "# The first whole path: what `actogram analyze` says of real clips"
    yield ""
    yield f"Made by `tests/bench/first_path.py` at commit `{_commit()}` with the action model `{model}`,"
    yield f"on {_machine()}."
    frames, seconds = sum(outcome.frames for outcome in outcomes), sum(outcome.media_s for outcome in outcomes)
    yield f"{len(outcomes)} of the {num_every} clips, {frames} frames, {seconds:.0f} s."
    yield ""
    yield (
        "What is seen in a clip comes from its manifest and from looking at it (`tests/bench/first_path.toml`). A "
        f"label counts as said when its events last {_SAID_S} s in all; some labels are neither right nor wrong "
        "(someone behind the glass, standing between two walks). Most clips show one man in one room: read "
        "the table as what works and what breaks, not as a benchmark."
    )
    yield ""


def learnt_from(model: str) -> set[str]:
    """The sets, and the videos of the set `clips`, that a model of the zoo learnt from."""
    path = ZOO_PATH / model / "model.json"
    data = json.loads(path.read_text("utf-8"))["data"] if path.is_file() else {}
    return {name.removeprefix("clips: ") for name in data}


def _known(known: set[str], clips: set[str]) -> Iterator[str]:
    """Which clips are no test of the model."""
    if known & clips:
        yield f"The action model learnt from skeletons of the clips marked {_LEARNT}: those rows are no test of it."
    if "urfd" in known:
        yield "It also learnt from the UR Fall set, to which the two `urfd` clips belong, but from neither of them."
    yield "UP-Fall was " + ("learnt from." if "upfall" in known else "in none of its training data.")
    yield ""


def _totals(verdicts: Iterator[Verdict] | Any, falls: Sequence[Fall]) -> Iterator[str]:
    rows = list(verdicts)
    real = [fall for fall in falls if fall.ground_s is not None]
    found = [fall for fall in real if fall.is_found]
    yield "| | |"
    yield "|---|---|"
    yield f"| labels right | {sum(len(row.right) for row in rows)} |"
    yield f"| labels wrong | {sum(len(row.wrong) for row in rows)} |"
    yield f"| labels missing | {sum(len(row.missing) for row in rows)} |"
    yield f"| falls confirmed within {LATE_S} s of the ground | {len(found)} of {len(real)} |"
    yield f"| falls invented | {len(falls) - len(real)} |"
    if found:
        delays = [fall.delay_s for fall in found if fall.delay_s is not None]
        yield f"| ground to confirmation, median and worst | {statistics.median(delays):.2f} s, {max(delays):.2f} s |"
        early = [fall.event[0] - fall.onset_s for fall in found if fall.event and fall.onset_s is not None]
        spread = f"{statistics.median(early):+.2f} s, {min(early):+.2f} to {max(early):+.2f} s"
        yield f"| said start minus true loss of balance, median and range | {spread} |"
    yield ""


def _table(
    outcomes: Sequence[Outcome], verdicts: Mapping[str, Verdict], falls: Sequence[Fall], known: set[str]
) -> Iterator[str]:
    yield "## Clip by clip"
    yield ""
    yield "| clip | seconds | people | said (seconds) | right | wrong | missing | fall confirmed after the ground |"
    yield "|---|---|---|---|---|---|---|---|"
    for outcome in outcomes:
        said = ", ".join(f"{name} {s:.1f}" for name, s in sorted(outcome.said.items(), key=lambda item: -item[1]))
        verdict = verdicts[outcome.clip]
        cells = (", ".join(verdict.right), ", ".join(verdict.wrong), ", ".join(verdict.missing))
        delays = ", ".join(_delay(fall) for fall in falls if fall.clip == outcome.clip)
        name = outcome.clip + (f" {_LEARNT}" if outcome.clip in known else "")
        row = (name, f"{outcome.media_s:.1f}", str(outcome.num_tracks), said, *cells, delays)
        yield f"| {' | '.join(row)} |"
    yield ""


def _delay(fall: Fall) -> str:
    if fall.ground_s is None:
        return f"invented at {fall.event[2]:.1f} s" if fall.event else ""
    return "not found" if fall.delay_s is None else f"{fall.delay_s:+.2f} s{'' if fall.is_found else ' (late)'}"


def _fall_table(falls: Sequence[Fall]) -> Iterator[str]:
    yield "## Falls"
    yield ""
    yield "| clip | balance lost | ground | said from | to | confirmed |"
    yield "|---|---|---|---|---|---|"
    for fall in falls:
        seen = [f"{value:.2f}" if value is not None else "-" for value in (fall.onset_s, fall.ground_s)]
        said = [f"{value:.2f}" for value in fall.event] if fall.event else ["-", "-", "-"]
        yield f"| {fall.clip} | {' | '.join(seen + said)} |"
    yield ""


def _costs(outcomes: Sequence[Outcome]) -> Iterator[str]:
    stages = list(outcomes[0].stage_ms)
    yield "## Cost"
    yield ""
    yield (
        "Milliseconds are wall time per analysed frame in the thread that computes; decoding runs beside it. Processor "
        "seconds per second of video count all threads, decoding included: below 1, one core keeps up."
    )
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        yield "**The machine was overloaded by other work: compare stages with each other, not with other machines.**"
    yield ""
    yield f"| size | clips | {' | '.join(stages)} | frames per second | processor s per s of video |"
    yield f"|---|---|{'---|' * (len(stages) + 2)}"
    by_size: dict[tuple[int, ...], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_size[tuple(outcome.size_wh)].append(outcome)
    for size, group in sorted(by_size.items()):
        frames, analysed = sum(outcome.frames for outcome in group), [one.analysed or one.frames for one in group]
        means = [
            sum(o.stage_ms[stage] * num for o, num in zip(group, analysed, strict=True)) / sum(analysed)
            for stage in stages
        ]
        fps = frames / sum(outcome.wall_s for outcome in group)
        load = sum(outcome.cpu_s for outcome in group) / sum(outcome.media_s for outcome in group)
        cells = " | ".join(f"{mean:.2f}" for mean in means)
        yield f"| {size[0]}x{size[1]} | {len(group)} | {cells} | {fps:.1f} | {load:.2f} |"
    yield ""
    yield f"Most memory over all clips in one process: {max(o.peak_rss_bytes for o in outcomes) / 2**20:.0f} MiB."


def _pace(networks: Networks) -> Iterator[str]:
    """How fast this machine was at the end: one call of the landmark network, the dearest part of a frame."""
    image, region = np.zeros((256, 256, 3), np.uint8), np.array([[128, 128, 256, 0]], np.float32)
    wall_ms, cpu_ms = [], []
    for _ in range(30):
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        networks.pose([image], region)
        wall_ms.append(1000 * (time.perf_counter() - wall_s))
        cpu_ms.append(1000 * (time.process_time() - cpu_s))
    yield ""
    yield (
        f"To compare machines: one landmark call took {statistics.median(wall_ms):.1f} ms of wall time and "
        f"{statistics.median(cpu_ms):.1f} ms of processor time here, at the end of the run."
    )


def _networks(model: str | None) -> Networks:
    settings = Settings()
    store = WeightStore(settings.cache, settings.weights, settings.offline)
    return load_networks(NetworkChoice(model=model, device=settings.device, threads=settings.threads), store)


def _commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("ACTOGRAM_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("docs/measurements/first-path.md"))
    parser.add_argument("--work", type=Path, default=Path("build/first-path"))
    parser.add_argument("--model")
    parser.add_argument("--only", default="", help="a part of the clips' names")
    parser.add_argument("--reuse", action="store_true", help="keep the results that are there")
    parser.add_argument("--kept", action="store_true", help="only write the page, from the results that are there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
