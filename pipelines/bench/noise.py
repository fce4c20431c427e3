"""Replays clips with noise on the joints, and counts how often the same is said as without."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pipelines.bench.clip_set import BenchClip, find_video, read_frames
from pipelines.bench.noisy_pose import NoisyPoses
from pipelines.bench.remembered import RememberedDetector, RememberedPoses
from pipelines.bench.transcript import Transcript, compare, count_falls
from pipelines.results import JsonObject
from pipelines.stream.build import Networks, build_pipeline
from pipelines.stream.config import PipelineConfig
from pipelines.types import Frame

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NoiseSetting:
    """What to replay.

    clips_folder: holds the files. sigmas: pixels of the 256-pixel crop. num_seeds: runs per clip and sigma.
    rate_hz: pictures per second, all of them analysed. seconds: of each clip at most.
    on_scores: the same noise on the logits of visibility and presence.
    is_quick: crops that differ by less than a pixel are looked at once (see RememberedPoses).
    """

    clips_folder: Path
    sigmas: tuple[float, ...]
    num_seeds: int
    rate_hz: float = 15.0
    seconds: float = 20.0
    on_scores: bool = True
    is_quick: bool = False


@dataclass(frozen=True, slots=True)
class NoisyRun:
    """One clip with one seed, beside the same clip without noise.

    same_events, same_labels: whether every person has the same sequence of announced actions, of shown labels.
    found, invented: falls. first: seconds and kind of the first decision that differs.
    """

    sigma: float
    seed: int
    same_events: bool
    same_labels: bool
    found: int
    invented: int
    first: tuple[float, str] | None


@dataclass(frozen=True, slots=True)
class ClipReport:
    """One clip: what is said without noise, and every noisy run."""

    clip: BenchClip
    num_frames: int
    found: int
    invented: int
    announced: Mapping[int, tuple[str, ...]]
    runs: tuple[NoisyRun, ...]


def measure(
    clips: Sequence[BenchClip], networks: Networks, config: PipelineConfig, setting: NoiseSetting, progress: Progress
) -> tuple[ClipReport, ...]:
    """Every clip with every sigma and seed; raises what reading a clip raises."""
    return tuple(_measure_clip(clip, networks, config, setting, progress) for clip in clips)


def _measure_clip(
    clip: BenchClip, networks: Networks, config: PipelineConfig, setting: NoiseSetting, progress: Progress
) -> ClipReport:
    frames = read_frames(find_video(setting.clips_folder, clip.name), setting.rate_hz, setting.seconds)
    remembering = _remembering(networks, frames, is_quick=setting.is_quick)
    still = replay(frames, remembering, config)
    runs: list[NoisyRun] = []
    for sigma in setting.sigmas:
        for seed in range(setting.num_seeds):
            noisy = NoisyPoses(remembering.pose, sigma, seed, on_scores=setting.on_scores)
            heard = replay(frames, replace(remembering, pose=noisy), config)
            runs.append(_noisy_run(clip, still, heard, sigma, seed))
            progress(_line(clip, runs[-1]))
    announced = {track_id: still.announced(track_id) for track_id in still.boxes}
    return ClipReport(clip, len(frames), *count_falls(still, clip.falls), announced, tuple(runs))


def replay(frames: Sequence[Frame], networks: Networks, config: PipelineConfig) -> Transcript:
    """What a new pipeline says of these frames; raises ModelError."""
    pipeline, heard = build_pipeline(networks, config, "noise"), Transcript()
    for frame in frames:
        heard.add(pipeline.process(frame))
    heard.add_events(pipeline.finish(), frames[-1].time_s if frames else 0.0)
    return heard


def _remembering(networks: Networks, frames: Sequence[Frame], *, is_quick: bool) -> Networks:
    """The same networks with a memory for these frames."""
    glance = networks.glance and RememberedDetector(networks.glance, frames)
    detector = RememberedDetector(networks.detector, frames)
    pose = RememberedPoses(networks.pose, frames) if is_quick else networks.pose
    return replace(networks, detector=detector, glance=glance, pose=pose)


def _noisy_run(clip: BenchClip, still: Transcript, heard: Transcript, sigma: float, seed: int) -> NoisyRun:
    difference = compare(still, heard)
    found, invented = count_falls(heard, clip.falls)
    return NoisyRun(sigma, seed, difference.events, difference.labels, found, invented, difference.first)


def _line(clip: BenchClip, run: NoisyRun) -> str:
    first = "no decision differs" if run.first is None else f"first differs at {run.first[0]:.2f} s: {run.first[1]}"
    said = "same events" if run.same_events else "other events"
    return f"{clip.name}, {run.sigma:g} px, seed {run.seed}: {said}, {run.found} of {len(clip.falls)} falls, {first}"


def report_object(reports: Sequence[ClipReport], setting: NoiseSetting) -> JsonObject:
    """All numbers as one JSON object."""
    return {
        "sigmas_px": list(setting.sigmas),
        "seeds": setting.num_seeds,
        "rate_hz": setting.rate_hz,
        "seconds": setting.seconds,
        "on_scores": setting.on_scores,
        "quick": setting.is_quick,
        "clips": [
            {
                "clip": report.clip.name,
                "use": report.clip.use,
                "frames": report.num_frames,
                "falls": len(report.clip.falls),
                "found": report.found,
                "invented": report.invented,
                "announced": {str(track_id): list(names) for track_id, names in report.announced.items() if names},
                "runs": [asdict(run) for run in report.runs],
            }
            for report in reports
        ],
    }


def table(reports: Sequence[ClipReport], setting: NoiseSetting) -> str:
    """Markdown: a summary per sigma and use, then one clip per row."""
    return "\n".join([*_summary_lines(reports, setting), "", *_clip_lines(reports, setting)])


def _summary_lines(reports: Sequence[ClipReport], setting: NoiseSetting) -> list[str]:
    lines = [
        "| clips | noise, px | same events, share of runs | clips the same in every seed | same labels shown "
        "| falls found, mean (each seed) | invented, mean |",
        "|---" * 7 + "|",
    ]
    for use in ("tune", "check", "all"):
        chosen = [report for report in reports if use in (report.clip.use, "all")]
        if not chosen:
            continue
        falls = sum(len(report.clip.falls) for report in chosen)
        found, invented = sum(report.found for report in chosen), sum(report.invented for report in chosen)
        lines.append(f"| {use}, {len(chosen)} | none | | | | {found} of {falls} | {invented} |")
        lines += [_summary_line(use, chosen, sigma, falls) for sigma in setting.sigmas]
    return lines


def _summary_line(use: str, reports: Sequence[ClipReport], sigma: float, falls: int) -> str:
    of_clip = [[run for run in report.runs if run.sigma == sigma] for report in reports]
    runs = [run for clip_runs in of_clip for run in clip_runs]
    found: Counter[int] = Counter()
    for run in runs:
        found[run.seed] += run.found
    seeds = sorted({run.seed for run in runs})
    cells = (
        f"{use}, {len(reports)}",
        f"{sigma:g}",
        f"{sum(run.same_events for run in runs) / len(runs):.1%}",
        f"{sum(all(run.same_events for run in clip_runs) for clip_runs in of_clip)} of {len(reports)}",
        f"{sum(run.same_labels for run in runs) / len(runs):.1%}",
        f"{sum(found.values()) / len(seeds):.1f} of {falls} ({', '.join(str(found[seed]) for seed in seeds)})",
        f"{sum(run.invented for run in runs) / len(seeds):.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _clip_lines(reports: Sequence[ClipReport], setting: NoiseSetting) -> list[str]:
    head = " | ".join(f"{sigma:g} px: same events, falls" for sigma in setting.sigmas)
    lines = [f"| clip | use | falls without noise | {head} |", "|---" * (3 + len(setting.sigmas)) + "|"]
    for report in reports:
        cells = [report.clip.name, report.clip.use, f"{report.found} of {len(report.clip.falls)}"]
        for sigma in setting.sigmas:
            runs = [run for run in report.runs if run.sigma == sigma]
            same, found = sum(run.same_events for run in runs), sum(run.found for run in runs) / len(runs)
            cells.append(f"{same} of {len(runs)}, {found:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return lines
