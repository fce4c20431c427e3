"""Sources left out one by one: runs of a preset that never saw a set, made where they are missing, and what they say.

A source is a set with all others of the same people. The run without it lies in `FOLDER/without-SOURCE/seed-N`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.training import runs
from pipelines.training.checkpoint import load_checkpoint
from pipelines.training.config import TrainConfig
from pipelines.training.corpus import TrainingClip, load_clips, pack, split_validation
from pipelines.training.evaluate import HELD, Answers, answer
from pipelines.training.examine_sets import LEAST_WINDOWS, NOT_RUN, label_shares, spread, spread_mean
from pipelines.training.labels import LabelTable

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a study of left-out sources is made of. together: sources that one run leaves out at once."""

    folder: Path
    seeds: tuple[int, ...]
    together: int = 1


@dataclass(frozen=True, slots=True)
class Fold:
    """One group of sets that runs never see."""

    sets: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its folder."""
        return "without-" + "+".join(self.sets)


def folds(table: LabelTable, sets: Sequence[str], together: int = 1) -> list[Fold]:
    """Every source once; sources of the same people are one. Large ones are dealt round, so that folds are alike."""
    sources: dict[str, list[str]] = {}
    for name in sets:
        sources.setdefault(table.require(name).origin, []).append(name)
    groups = list(sources.values())
    count = -(-len(groups) // together)
    return [
        Fold(tuple(name for group in groups[index::count] for name in group)) for index in range(count)
    ]  # fmt: skip


def train_missing(
    config: TrainConfig, table: LabelTable, data: Sequence[Path], study: LeftOut, sets: Sequence[str], say: Say
) -> None:
    """Make the runs that are not there; one that was cut off goes on."""
    missing = [(fold, seed) for fold, seed in _all(table, sets, study) if not _is_done(study, fold, seed)]
    if not missing:
        return
    # Every set is read once: a study is many short runs over the same sequences.
    clips = load_clips(data, sets, table, "train", lambda name: say(f"reading {name}"))
    learn, held = split_validation(clips, config.data.validation_share)
    for fold, seed in missing:
        say(f"{fold.name}, seed {seed}")
        own = config.model_copy(
            update={"seed": seed, "data": config.data.model_copy(update={"sets": tuple(sets), "leave_out": fold.sets})}
        )
        window_s = config.window.window_s
        parts = runs.Parts(pack(_without(learn, fold), window_s), pack(_without(held, fold), window_s))
        runs.run(own, table, parts, _folder(study, fold, seed), lambda _: None, resume=True)


def measure(
    table: LabelTable, data: Sequence[Path], study: LeftOut, sets: Sequence[str], say: Say
) -> tuple[dict[str, list[Answers]], dict[str, list[float]]]:
    """Set → what each run that never saw it says of all its clips, and the temperatures those runs chose."""
    answers: dict[str, list[Answers]] = {}
    temperatures: dict[str, list[float]] = {}
    for fold in folds(table, sets, study.together):
        done = [seed for seed in study.seeds if _is_done(study, fold, seed)]
        for name in fold.sets if done else ():
            say(f"measuring {name}")
            clips = [clip for clip in load_clips(data, [name], table, None, lambda _: None) if _is_shown(clip)]
            for seed in done if clips else ():
                network, checkpoint = runs.load_network(_folder(study, fold, seed))
                window = checkpoint.config.window
                answers.setdefault(name, []).append(answer(network, pack(clips, window.window_s), window))
                temperatures.setdefault(name, []).append(float(checkpoint.notes["temperature"]))
    return answers, temperatures


def report(
    table: LabelTable, study: LeftOut, sets: Sequence[str], answers: Mapping[str, Sequence[Answers]]
) -> dict[str, object]:
    """Label → set → share right; the mean of a label is over the sets that hold it with enough windows."""
    rows: dict[str, dict[str, dict[str, object]]] = {}
    for name, items in answers.items():
        for label, found in label_shares(items, table.labels).items():
            rows.setdefault(label, {})[name] = found
    means = {
        label: spread_mean([row["share"] for row in found.values() if int(str(row["windows"])) >= LEAST_WINDOWS])
        for label, found in rows.items()
    }
    missing = {name: NOT_RUN for name in sets if name not in answers}
    return {
        "status": "measured" if answers else NOT_RUN, "seeds": list(study.seeds), "left_out_together": study.together,
        "labels": {label: {"mean": means[label], "sets": rows[label]} for label in table.labels if label in rows},
        "top1": {
            name: spread(one.scores().top1 for one in items) | {"runs": len(items)} for name, items in answers.items()
        },
        "missing": missing,
    }  # fmt: skip


def settings_of(study: LeftOut, table: LabelTable, sets: Sequence[str]) -> dict[str, object]:
    """How the runs that are there were trained; empty without any."""
    for fold, seed in _all(table, sets, study):
        if _is_done(study, fold, seed):
            config = load_checkpoint(_folder(study, fold, seed) / runs.CHECKPOINT).config
            shown = config.model_dump(mode="json")
            return {"name": config.name, "network": shown["network"], "optim": shown["optim"]}
    return {}


def _all(table: LabelTable, sets: Sequence[str], study: LeftOut) -> Iterator[tuple[Fold, int]]:
    """Seed by seed, so that a study that is cut off has every source once before any twice."""
    for seed in study.seeds:
        for fold in folds(table, sets, study.together):
            yield fold, seed


def _folder(study: LeftOut, fold: Fold, seed: int) -> Path:
    return study.folder / fold.name / f"seed-{seed}"


def _is_done(study: LeftOut, fold: Fold, seed: int) -> bool:
    """Whether a run reached its end: it notes its temperature last."""
    path = _folder(study, fold, seed) / runs.CHECKPOINT
    return path.is_file() and "temperature" in load_checkpoint(path).notes


def _without(clips: Sequence[TrainingClip], fold: Fold) -> list[TrainingClip]:
    return [clip for clip in clips if clip.source not in fold.sets]


def _is_shown(clip: TrainingClip) -> bool:
    return not clip.name.endswith(HELD)


def write_json(values: Mapping[str, object], path: Path) -> None:
    """JSON with a newline at its end."""
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", "utf-8")
