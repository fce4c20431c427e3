"""An examination on skeleton sets: people held out inside sets, what is like no label, calibration.

Every number is a mean over models that differ in their seed, with half the range as the spread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.training import runs
from pipelines.training.calibrate import rule_scores
from pipelines.training.corpus import UNKNOWN, Corpus, find_set, load_clips, pack
from pipelines.training.evaluate import HELD, Answers, answer
from pipelines.training.everyday_report import Subject, load_subject
from pipelines.training.labels import LabelTable
from pipelines.training.metrics import auroc, softmax

LEAST_WINDOWS = 10
"""A set with fewer windows of a label says nothing of it."""
_LOST = 0.03
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Examined:
    """One seed of the model that is examined. temperature: of its logits, chosen on its validation part."""

    subject: Subject
    temperature: float


def load_examined(paths: Sequence[Path], table: LabelTable, data: Sequence[Path]) -> list[Examined]:
    """Runs or exported folders; a run that notes no temperature gets one from its validation part."""
    found = []
    for path in paths:
        subject = load_subject(path)
        temperature = subject.temperature
        if temperature is None:
            own = table.only(subject.labels)
            held = runs.load_parts(subject.config, own, data, lambda _: None).validation
            temperature = runs.choose(answer(subject.network, held, subject.config.window), own).temperature
        found.append(Examined(subject, temperature))
    return found


def available(table: LabelTable, data: Sequence[Path]) -> list[str]:
    """The sets of the table that the folders hold."""
    return [name for name in table.sets if _is_there(data, name)]


def _is_there(data: Sequence[Path], name: str) -> bool:
    return any((folder / f"{name}{suffix}").is_file() for folder in data for suffix in (".npz", ".pkl"))


def read_corpus(
    table: LabelTable, data: Sequence[Path], sets: Sequence[str], part: str | None, window_s: float
) -> Corpus | None:
    """The clips of one part of some sets without held poses; None where there are none."""
    clips = load_clips(data, [name for name in sets if find_set(data, name)], table, part, lambda _: None)
    clips = [clip for clip in clips if not clip.name.endswith(HELD)]
    return pack(clips, window_s) if clips else None


def held_out_people(models: Sequence[Examined], table: LabelTable, data: Sequence[Path]) -> dict[str, object]:
    """The test parts of the sets that the model learnt from; what their split keeps apart differs and is said."""
    first = models[0].subject
    own = table.only(first.labels)
    sets = [name for name in runs.sets_of(first.config, own) if _is_there(data, name) and not own.sets[name].optional]
    corpus = read_corpus(own, data, sets, "test", first.config.window.window_s)
    if corpus is None:
        return {"status": NOT_RUN, "why": "none of the sets that it learnt from is there"}
    answers = [answer(one.subject.network, corpus, one.subject.config.window) for one in models]
    rows = {}
    for name in sets:
        scores = [
            item.of(name).scores(one.temperature)
            for item, one in zip(answers, models, strict=True)
            if name in item.source
        ]
        if scores:
            rows[name] = {
                "apart": own.sets[name].apart, "windows": scores[0].count,
                "macro": spread(item.macro for item in scores), "ece": spread(item.ece for item in scores),
                "labels": label_shares([item.of(name) for item in answers], first.labels),
            }  # fmt: skip
    people = [row for row in rows.values() if row["apart"] == "people"]
    return {
        "status": "measured", "seeds": len(models), "sets": rows,
        "mean_over_sets_of_people": spread_mean([row["macro"] for row in people]),
    }  # fmt: skip


def label_shares(answers: Sequence[Answers], labels: Sequence[str]) -> dict[str, dict[str, object]]:
    """Label → windows, and the share that was said right, over seeds."""
    found: dict[str, dict[str, object]] = {}
    for index, label in enumerate(labels):
        rows = answers[0].label == index
        if rows.any():
            shares = [float((item.logits[rows].argmax(axis=1) == index).mean()) for item in answers]
            found[label] = {"windows": int(rows.sum()), "share": spread(shares)}
    return found


def open_set(models: Sequence[Examined], table: LabelTable, data: Sequence[Path]) -> dict[str, object]:
    """How well the model tells what it never learnt: `?` of the table, and labels that it does not know."""
    first = models[0].subject
    own = table.only(first.labels)
    sets = [name for name in available(own, data) if not own.sets[name].optional]
    learnt = [name for name in sets if name in runs.sets_of(first.config, own)]
    window_s = first.config.window.window_s
    known = read_corpus(own, data, learnt, "test", window_s)
    foreign = read_corpus(own.foreign_only(), data, sets, "test", window_s)
    if known is None or foreign is None:
        return {"status": NOT_RUN, "why": "there is nothing that it knows, or nothing that is like no label"}
    rows = [_told_apart(one, known, foreign) for one in models]
    return {
        "status": "measured", "seeds": len(models),
        "known_windows": int((known.label != UNKNOWN).sum()), "foreign_windows": len(foreign),
        "foreign_sets": {name: int((foreign.source == index).sum()) for index, name in enumerate(foreign.sources)},
        **{name: {key: spread(row[name][key] for row in rows) for key in rows[0][name]} for name in rows[0]},
    }  # fmt: skip


def _told_apart(one: Examined, known: Corpus, foreign: Corpus) -> dict[str, dict[str, float]]:
    """Rule → AUROC, and what passes as an action though it is foreign where 3 % of the right answers are given up."""
    window, network = one.subject.config.window, one.subject.network
    answers, strange = answer(network, known, window), answer(network, foreign, window).logits
    rows = answers.label != UNKNOWN
    logits, label = answers.logits[rows], answers.label[rows]
    right = logits.argmax(axis=1) == label
    scores, others = rule_scores(logits, one.temperature), rule_scores(strange, one.temperature)
    none = one.subject.labels.index("none")
    found = {}
    for name, row in scores.items():
        passes = others[name] >= (np.quantile(row[right], _LOST) if right.any() else -np.inf)
        said = passes & (strange.argmax(axis=1) != none)
        found[name] = {"auroc": auroc(row, others[name]), "passes_as_an_action": float(said.mean())}
    return found


def calibration(
    answers: Mapping[str, Sequence[Answers]], temperatures: Mapping[str, Sequence[float]]
) -> dict[str, object]:
    """ECE on each set that the network never saw, its temperature chosen on validation parts of the others."""
    rows = {
        name: spread(
            one.scores(temperature).ece for one, temperature in zip(items, temperatures[name], strict=True)
        )
        for name, items in answers.items()
    }  # fmt: skip
    return {"status": "measured" if rows else NOT_RUN, "sets": rows, "mean": spread_mean(list(rows.values()))}


def spread(values: Iterable[float]) -> dict[str, float | int | None]:
    """Mean over seeds and half their range; None where nothing was measured."""
    found: FloatArray = np.array([value for value in values if value == value], np.float64)  # NaN: nothing to measure
    if not len(found):
        return {"mean": None, "spread": None, "seeds": 0}
    return {
        "mean": round(float(found.mean()), 3), "spread": round(float(np.ptp(found)) / 2, 3), "seeds": len(found)
    }  # fmt: skip


def spread_mean(rows: Sequence[object]) -> dict[str, float | int | None]:
    """The mean of several of these; its spread is over them, not over seeds."""
    return spread(
        float(row["mean"]) for row in rows if isinstance(row, Mapping) and row["mean"] is not None
    )  # fmt: skip


def probabilities_of(answers: Answers, temperature: float) -> FloatArray:
    """(n, K) of answers."""
    return softmax(answers.logits, temperature)
