"""Evaluates action models on tracks of the test clips: right windows of UP-Fall, falls found in time, falls invented.

    actogram prepare "$ACTOGRAM_DATA"/video/{upfall,urfd,ways}* --out tracks.npz --min-seconds 0.5
    python tests/bench/video_eval.py tracks.npz MODEL_FOLDER... --out measured.json

The tracks are made once; models are compared on the same ones. `--measured FILE` writes the first model's numbers as
`actogram export --measured` takes them, with what an earlier model.json (`--earlier`) says of sets left out and limits.
"""

import argparse
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from models.runtime.action import ActionModel
from models.runtime.contract import load_contract
from models.runtime.session import Session
from pipelines.stream.config import PipelineConfig
from pipelines.training.datasets import Annotation, load_set
from pipelines.training.replay import replay, times_of
from pipelines.training.segments import EVERYDAY, load_segments
from pipelines.training.video_eval import Subject, WindowAnswer, evaluate_falls, fall_times, share_right, windows

LATE_S = 1.5
UPFALL = {6: "walk", 7: "stand", 8: "sitting", 9: "pick_up", 10: "jump", 11: "lie"} | dict.fromkeys(range(1, 6), "fall")
OTHER_FALLS = ("urfd_fall-01_rgb", "ways0")
_FAR_PX = 30
"""Smaller people are someone behind the glass."""
_BYSTANDER_X = 500
"""In camera 2 somebody sits at the right all the time."""
_JUDGED = ("assessed", "none", "unknown")
_LEFT_OUT = "UP-Fall (this file)"


@dataclass
class Evaluation:
    """One model's result. classes: label → share and windows; delays_s: ground to confirmation of the falls found."""

    model: str
    windows: int
    share: float
    mean_of_classes: float
    classes: dict[str, dict[str, float]]
    said: dict[str, dict[str, int]]
    first_windows: int
    first_share: float
    first_mean_of_classes: float
    unknown_share: float
    bystander_share: float
    bystander_windows: int
    falls: int
    found: int
    missed: list[str]
    delays_s: list[float]
    invented: dict[str, list[float]]
    track_s: float
    clips: int


def main() -> None:
    """Evaluate every model on the same tracks."""
    options = _options()
    learnt = load_segments(EVERYDAY)
    clips: dict[str, list[Annotation]] = defaultdict(list)
    for path in options.tracks.split(","):
        for track in load_set(Path(path)).annotations:
            if str(track.extra["video"]) not in learnt:
                clips[str(track.extra["video"])].append(track)
    evaluations = [evaluate(folder, clips, options.first_s) for folder in options.models]
    text = json.dumps([asdict(result) for result in evaluations], indent=1)
    if options.out:
        options.out.write_text(text + "\n", "utf-8")
    for result in evaluations:
        print(_line(result))
    if options.measured:
        earlier = json.loads(options.earlier.read_text("utf-8"))["metrics"] if options.earlier else {}
        options.measured.write_text(
            json.dumps(measured(evaluations[0], earlier, options.first_s), indent=1) + "\n", "utf-8"
        )


@dataclass
class Answers:
    """What one model made of all clips. delays: clip with a fall → ground to confirmation, None where it was missed."""

    judged: list[WindowAnswer] = field(default_factory=list)
    bystander: list[WindowAnswer] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    delays: dict[str, float | None] = field(default_factory=dict)
    invented: dict[str, list[float]] = field(default_factory=dict)


def evaluate(folder: Path, clips: Mapping[str, Sequence[Annotation]], first_s: float) -> Evaluation:
    """One model through every clip."""
    model = ActionModel(load_contract(folder / "model.json"), Session(folder / "model.onnx"))
    answers = Answers()
    for clip, tracks in sorted(clips.items()):
        _take_falls(answers, clip, tracks, model)
        if clip.startswith("upfall"):
            _take_windows(answers, clip, tracks, model)
    return _result(folder.name, answers, clips, first_s)


def _take_falls(answers: Answers, clip: str, tracks: Sequence[Annotation], model: ActionModel) -> None:
    falls = [fall_times(track) for track in _subjects(clip, tracks)[0]] if _shows(clip) == "fall" else []
    fall = min((found for found in falls if found), key=lambda found: found.onset_s, default=None)
    result = evaluate_falls(clip, tracks, fall, model, PipelineConfig())
    if _shows(clip) == "fall":
        answers.delays[clip] = result.delay_s
    if result.invented:
        answers.invented[clip] = [round(at_s, 1) for at_s in result.invented]


def _take_windows(answers: Answers, clip: str, tracks: Sequence[Annotation], model: ActionModel) -> None:
    mine, others = _subjects(clip, tracks)
    for track in mine:
        replayed = replay(track, model, PipelineConfig())
        answers.judged += windows(Subject(track, _shows(clip)), replayed, model)
        answers.statuses.update(item.status for item in replayed.scores if item.status in _JUDGED)
    for track in others:
        answers.bystander += windows(Subject(track, "sitting"), replay(track, model, PipelineConfig()), model)


def _result(model: str, answers: Answers, clips: Mapping[str, Sequence[Annotation]], first_s: float) -> Evaluation:
    found = {clip: delay for clip, delay in answers.delays.items() if delay is not None and delay <= LATE_S}
    classes = _classes(answers.judged)
    first = [row for row in answers.judged if row.end_s <= first_s]
    seconds = [float(np.ptp(times_of(track))) for tracks in clips.values() for track in tracks]
    return Evaluation(
        model=model,
        windows=len(answers.judged),
        share=round(share_right(answers.judged), 3),
        mean_of_classes=_mean(classes),
        classes=classes,
        said=_said(answers.judged),
        first_windows=len(first),
        first_share=round(share_right(first), 3),
        first_mean_of_classes=_mean(_classes(first)),
        unknown_share=round(answers.statuses["unknown"] / max(answers.statuses.total(), 1), 3),
        bystander_share=round(share_right(answers.bystander), 3),
        bystander_windows=len(answers.bystander),
        falls=len(answers.delays),
        found=len(found),
        missed=sorted(set(answers.delays) - set(found)),
        delays_s=sorted(round(delay, 2) for delay in found.values()),
        invented=answers.invented,
        track_s=round(sum(seconds)),
        clips=len(clips),
    )


def _classes(rows: Sequence[WindowAnswer]) -> dict[str, dict[str, float]]:
    by_label = {label: [row for row in rows if row.truth == label] for label in dict.fromkeys(UPFALL.values())}
    return {
        label: {"share": round(share_right(mine), 3), "windows": len(mine)} for label, mine in by_label.items() if mine
    }


def _mean(classes: Mapping[str, Mapping[str, float]]) -> float:
    return round(float(np.mean([row["share"] for row in classes.values()])), 3)


def _shows(clip: str) -> str:
    if clip.startswith("upfall"):
        return UPFALL[int(clip.split("_")[1][1:])]
    return "fall" if clip in OTHER_FALLS else "other"


def _subjects(clip: str, tracks: Sequence[Annotation]) -> tuple[list[Annotation], list[Annotation]]:
    """Those whom the clip is about, and the rest: the bystander of camera 2 and people far away."""
    rest = [track for track in tracks if clip.startswith("upfall") and _is_other(clip, track)]
    return [track for track in tracks if track not in rest], rest


def _is_other(clip: str, track: Annotation) -> bool:
    joints = track.keypoint[0]
    height = float(np.median(np.ptp(joints[:, 5:, 1], axis=1)))
    hips_x = float(np.median(joints[:, 11:13, 0].mean(axis=1)))
    return height < _FAR_PX or (clip.endswith("c2") and hips_x > _BYSTANDER_X)


def _said(rows: Sequence[WindowAnswer]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row.truth][row.label] += 1
    return {label: dict(count.most_common(5)) for label, count in counts.items()}


def _line(one: Evaluation) -> str:
    return (
        f"{one.model}: {100 * one.share:.1f} % of {one.windows} windows (mean of classes "
        f"{100 * one.mean_of_classes:.1f} %, first seconds {100 * one.first_share:.1f} % of {one.first_windows}), "
        f"falls {one.found} of {one.falls}, invented {one.invented}, missed {one.missed}"
    )


def measured(one: Evaluation, earlier: Mapping[str, object], first_s: float) -> dict[str, object]:
    """What the card says of video."""
    kept = {name: row for name, row in _mapping(earlier.get("left_out")).items() if name != _LEFT_OUT}
    invented = ", ".join(f"{clip} at {times} s" for clip, times in one.invented.items()) or "none"
    spread = (
        f"delays {one.delays_s[0]} to {one.delays_s[-1]} s, median {statistics.median(one.delays_s):.2f} s"
        if one.delays_s
        else "no delays"
    )
    lines = [
        f"falls confirmed within {LATE_S} s of the ground: {one.found} of {one.falls} (20 of UP-Fall, one of UR "
        f"Fall, one trip), {spread}; invented in {one.track_s:.0f} s of tracks of {one.clips} clips: {invented}",
        f"UP-Fall windows, seven labels, strongest label before smoothing: {100 * one.share:.1f} % of {one.windows} "
        f"right, mean of classes {100 * one.mean_of_classes:.1f} %; of the {one.first_windows} in the first "
        f"{first_s:g} s of each clip {100 * one.first_share:.1f} %; {100 * one.unknown_share:.1f} % are `unknown`",
        "what a window shows is read off the joints (onset and ground of a fall at 12 and 88 % of the way down); "
        "windows between two truths are not judged",
        f"the seated bystander of UP-Fall's camera 2, and people far away: {100 * one.bystander_share:.1f} % of "
        f"{one.bystander_windows} windows `sitting`",
    ]
    upfall = {"classes": one.classes, "windows": one.windows, "top1": one.share}
    rest = {key: earlier[key] for key in ("left_out_note", "limits") if key in earlier}
    return rest | {"left_out": kept | {_LEFT_OUT: upfall}, "clips": lines}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tracks", help="sets of the test clips made by `actogram prepare`, with commas")
    parser.add_argument("models", type=Path, nargs="+", help="folders with model.json and model.onnx")
    parser.add_argument("--out", type=Path, help="JSON of all results")
    parser.add_argument("--measured", type=Path, help="JSON of the first model for `actogram export --measured`")
    parser.add_argument("--earlier", type=Path, help="a model.json whose left-out sets and limits are kept")
    parser.add_argument("--first-s", type=float, default=16.7, help="also judge only the first seconds of each clip")
    return parser.parse_args()


if __name__ == "__main__":
    main()
