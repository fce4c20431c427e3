"""One run from a configuration to a folder: checkpoint, report and numbers; what commands and studies share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from models.arrays import FloatArray
from pipelines.errors import ConfigInvalid, RunExists
from pipelines.training.calibrate import (
    choose_family_share,
    choose_thresholds,
    choose_unknown_rule,
    fit_temperature,
)
from pipelines.training.checkpoint import Checkpoint, load_checkpoint, load_weights
from pipelines.training.config import TrainConfig
from pipelines.training.corpus import UNKNOWN, Corpus, load_clips, pack, split_validation
from pipelines.training.evaluate import Answers, answer, dense_probability
from pipelines.training.fit.folder import held
from pipelines.training.labels import LabelTable
from pipelines.training.loop import Progress, Trainer
from pipelines.training.metrics import Scores, softmax
from pipelines.training.networks import MeanOf, OnePerson, build_network
from pipelines.training.package import Choices, Quality
from pipelines.training.report import run_report

CHECKPOINT = "checkpoint.pt"
_HIGHEST_FLOOR = 0.9
UNKNOWN_LOST = 0.03
"""Share of right answers that the open-set rule may turn into `unknown`."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run learns from and what it makes its choices by; the test part is loaded when it is measured."""

    learn: Corpus
    validation: Corpus


def sets_of(config: TrainConfig, table: LabelTable) -> list[str]:
    """The sets that a run learns from, in the order of the label table; without names all that users do not make."""
    wanted = config.data.sets or tuple(name for name, rows in table.sets.items() if not rows.optional)
    return [name for name in wanted if name not in config.data.leave_out]


def load_parts(
    config: TrainConfig, table: LabelTable, folders: Sequence[Path], progress: Callable[[str], None]
) -> Parts:
    """The training split of every set, its people and videos divided once; raises DatasetInvalid."""
    clips = load_clips(folders, sets_of(config, table), table, "train", progress)
    learn, held = split_validation(clips, config.data.validation_share)
    return Parts(pack(learn, config.window.window_s), pack(held, config.window.window_s))


def run(
    config: TrainConfig,
    table: LabelTable,
    parts: Parts,
    out: Path,
    report: Callable[[Progress], None],
    resume: bool = False,
) -> OnePerson:
    """Train, leaving `checkpoint.pt` in `out`; with `resume`, go on from the one that is there.

    Raises RunExists where `out` holds a run already, ConfigInvalid where the one to resume has other settings.
    """
    path = out / CHECKPOINT
    with held(out):
        if path.is_file() and not resume:
            raise RunExists(f"{out}: holds a run already; --resume goes on with it, another --out begins one")
        trainer = Trainer(config, table, parts.learn, parts.validation)
        if resume and path.is_file():
            trainer.resume(path)
        trainer.run(report, path)
        # Whoever measures the run later may not have its training sets.
        trainer.notes["temperature"] = choose(
            answer(trainer.averaged(), parts.validation, config.window), table
        ).temperature
        trainer.save(path)
    return trainer.averaged()


def load_network(path: Path) -> tuple[OnePerson, Checkpoint]:
    """The averaged weights of a run's folder or checkpoint file, ready to measure."""
    checkpoint = load_checkpoint(path / CHECKPOINT if path.is_dir() else path)
    network = build_network(checkpoint.config.network, len(checkpoint.labels))
    load_weights(network, checkpoint.ema, path.name)
    return network.eval(), checkpoint


def load_networks(paths: Sequence[Path]) -> tuple[OnePerson, Checkpoint]:
    """One network out of one or several runs that differ in nothing but the seed, and the first one's checkpoint.

    Several answer with the mean of their logits. Raises ConfigInvalid where settings or labels differ.
    """
    loaded = [load_network(path) for path in paths]
    network, first = loaded[0]
    for path, (_, other) in zip(paths, loaded, strict=True):
        if other.labels != first.labels or _without_seed(other.config) != _without_seed(first.config):
            raise ConfigInvalid(
                f"{path}: its settings or labels differ from those of {paths[0]}; only the seed may differ"
            )
    if len(loaded) > 1:
        network = OnePerson(MeanOf([member.network for member, _ in loaded])).eval()
    return network, first


def _without_seed(config: TrainConfig) -> TrainConfig:
    return config.model_copy(update={"seed": 0})


def measure_sets(
    network: nn.Module,
    config: TrainConfig,
    table: LabelTable,
    folders: Sequence[Path],
    sets: Sequence[str],
    part: str | None,
) -> Answers:
    """The network's answers to one part of some sets, or to all of them; held poses are not measured on."""
    clips = load_clips(folders, sets, table, part, lambda _: None)
    answers = answer(network, pack(clips, config.window.window_s), config.window)
    return answers.where(~answers.is_held)


def scores_by_set(answers: Answers, temperature: float) -> dict[str, Scores]:
    """Scores of each set that has labelled clips."""
    found = {name: answers.of(name).scores(temperature) for name in dict.fromkeys(answers.source)}
    return {name: item for name, item in found.items() if item.count}


def fall_floor(network: OnePerson, held: Corpus, config: TrainConfig, table: LabelTable, temperature: float) -> float:
    """The least threshold of a fall: held-out clips that show none stay below it in all but 0.1 % of their windows."""
    fall = table.index("fall")
    logits, _ = dense_probability(network, held, config.window, fall)
    if not len(logits):
        return 0.0
    return min(float(np.quantile(softmax(logits, temperature)[:, fall], 0.999)), _HIGHEST_FLOOR)


def load_foreign(config: TrainConfig, table: LabelTable, folders: Sequence[Path]) -> Corpus | None:
    """What is like no label among the held-out people and videos of the training splits; None without any."""
    clips = load_clips(folders, sets_of(config, table), table.foreign_only(), "train", lambda _: None)
    held_clips = split_validation(clips, config.data.validation_share)[1]
    return pack(held_clips, config.window.window_s) if held_clips else None


def choose(
    answers: Answers,
    table: LabelTable,
    quality: dict[str, Quality] | None = None,
    foreign: FloatArray | None = None,
) -> Choices:
    """Temperature, thresholds and the rules of doubt on held-out people and videos of the training splits.

    foreign: (M, K) logits of held-out windows that are like no label; None chooses the open-set rule without them.
    """
    known = answers.label != UNKNOWN
    logits, label = answers.logits[known], answers.label[known]
    temperature = fit_temperature(logits, label)
    probabilities = softmax(logits, temperature)
    precision = {name: row.precision for name, row in table.actions.items()}
    thresholds = choose_thresholds(probabilities, label, table.labels, precision)
    strange = np.zeros((0, logits.shape[1]), np.float32) if foreign is None else foreign
    unknown = choose_unknown_rule(logits, label, strange, temperature, UNKNOWN_LOST)
    shares = {
        name: choose_family_share(probabilities, label, [table.index(member) for member in members], UNKNOWN_LOST)
        for name, members in table.families.items()
        if len(members) > 1
    }
    families = {name: share for name, share in shares.items() if share is not None}
    return Choices(temperature, thresholds, unknown, quality or {}, families)


def write_report(answers: Answers, table: LabelTable, temperature: float, title: str, out: Path) -> dict[str, Scores]:
    """`report.md` and `report.json` in `out`; returns the scores of each set."""
    scores, whole = scores_by_set(answers, temperature), answers.scores(temperature)
    false, count = answers.false_falls(table.index("fall"), 0.5, temperature)
    notes = [
        f"Temperature {temperature:.3f}. Clips known to be no fall that are called one at 0.5: {false} of {count}."
    ]
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(run_report(title, scores, whole, table.labels, notes), "utf-8")
    (out / "report.json").write_text(json.dumps(numbers(scores, table), indent=1) + "\n", "utf-8")
    return scores


def numbers(scores: dict[str, Scores], table: LabelTable) -> dict[str, object]:
    """Scores as JSON values: shares rounded to three places."""
    return {
        name: {
            "windows": item.count,
            "top1": round(item.top1, 3),
            "macro": round(item.macro, 3),
            "ece": round(item.ece, 3),
            "classes": {
                label: {"share": round(float(item.per_class[index]), 3), "windows": int(item.confusion[index].sum())}
                for index, label in enumerate(table.labels)
                if item.confusion[index].any()
            },
        }
        for name, item in scores.items()
    }
