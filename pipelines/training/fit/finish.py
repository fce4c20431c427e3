"""The end of a run: choices on the validation part, the test part measured by the recipe's protocol, a report."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from models.skeleton.reference.features import LAYOUTS_3D
from pipelines.actions import load_actions
from pipelines.errors import DatasetInvalid
from pipelines.training.calibrate import choose_thresholds, choose_unknown
from pipelines.training.fit import folder as files
from pipelines.training.fit.devices import require_device
from pipelines.training.fit.measure import Answer, Measured, measure
from pipelines.training.fit.package import ServingFacts, timing_of
from pipelines.training.fit.report import Example, RunReport, reliability, surest_mistakes, write_report
from pipelines.training.fit.run import answer_of, load_run, pictures_of
from pipelines.training.fit.sequences import Sequences, load_parts, load_test
from pipelines.training.fit.state import RunState, save_state
from pipelines.training.fit.views import FixedViews, build_maker
from pipelines.training.metrics import Scores, softmax
from pipelines.training.recipe import Recipe

UNKNOWN_LOST = 0.03
"""Share of right answers that the open-set rule may turn into `unknown`."""
_PRECISION = 0.8
"""Share of right answers that a threshold is chosen for, where pipelines/actions.toml asks for nothing."""


def finish(out: Path, folders: Sequence[Path]) -> Scores:
    """Choose, measure and report a run that has ended; its best weights keep what was found."""
    state = load_run(out)
    recipe, device = state.recipe, require_device(state.recipe.run.device)
    answer = answer_of(state, device)
    parts = load_parts(recipe, folders)
    facts = ServingFacts(*timing_of(recipe, parts.train))
    if parts.validation is not None:
        facts = _chosen(facts, _measured(recipe, answer, parts.validation))
    test = load_test(recipe, folders)
    found = _measured(recipe, answer, test)
    scores = found.scores(facts.temperature)
    state = replace(state, notes=state.notes | {"serving": asdict(facts), "test": numbers(scores, state.classes)})
    save_state(state, out / files.BEST)
    report(state, found, test, facts.temperature, out)
    return scores


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated: how it answers to which views, and the temperature of its answers."""

    answer: Answer
    maker: FixedViews
    temperature: float


def evaluate(recipe: Recipe, subject: Subject, folders: Sequence[Path], out: Path) -> Scores:
    """Measure any network on the test part of a recipe, and report it in `out`; raises DatasetInvalid."""
    test = load_test(recipe, folders)
    found = measure(subject.answer, subject.maker, subject.maker.prepare(test), recipe.test)
    if found.logits.shape[1] != len(test.classes):
        raise DatasetInvalid(
            f"{', '.join(recipe.data.sets)}: {len(test.classes)} classes, the network tells {found.logits.shape[1]}"
        )
    report(RunState(recipe, 0, found.classes, {}, {}), found, test, subject.temperature, out)
    return found.scores(subject.temperature)


def report(state: RunState, found: Measured, test: Sequences, temperature: float, out: Path) -> None:
    """`result.json` and `report.html` in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    scores = found.scores(temperature)
    result = {
        "name": state.recipe.name, "recipe": state.recipe.model_dump(mode="json"), "step": state.step,
        "temperature": temperature, "test": numbers(scores, found.classes),
    }  # fmt: skip
    (out / files.RESULT).write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    names = np.array([item.name for item in test.items])
    np.savez_compressed(out / files.ANSWERS, logits=found.logits, label=found.label, name=names)
    given, probabilities = state.recipe, found.probabilities(temperature)
    content = RunReport(
        given.name,
        f"{given.network.name} · {given.input.features} · {given.input.stream} · {', '.join(given.data.sets)}",
        found.classes, scores, files.read_history(out), reliability(probabilities, found.label),
        worst(state.recipe, found, test, temperature), given.model_dump(mode="json"),
    )  # fmt: skip
    write_report(content, out / files.REPORT)


def fused_top1(answers: Sequence[Path], weights: Sequence[float]) -> float:
    """Share right of the weighted mean of the probabilities that several runs gave to the same sequences."""
    total: FloatArray | None = None
    for path, weight in zip(answers, weights, strict=True):
        with np.load(path) as stored:
            share = weight * softmax(stored["logits"])
            label, total = stored["label"], share if total is None else total + share
    assert total is not None
    return float((total.argmax(axis=1) == label).mean())


def numbers(scores: Scores, classes: Sequence[str]) -> dict[str, object]:
    """Scores as JSON values."""
    return {
        "count": scores.count, "top1": round(scores.top1, 4), "macro": round(scores.macro, 4),
        "ece": round(scores.ece, 4),
        "classes": {
            name: round(float(share), 4)
            for name, share in zip(classes, scores.per_class, strict=True)
            if not np.isnan(share)
        },
        "confusion": scores.confusion.tolist(),
    }  # fmt: skip


def worst(recipe: Recipe, found: Measured, test: Sequences, temperature: float) -> list[Example]:
    """The wrong answers that were surest of themselves."""
    probabilities, layout = found.probabilities(temperature), recipe.input.layout
    return [
        Example(
            test.items[row].name, found.classes[found.label[row]], found.classes[int(probabilities[row].argmax())],
            float(probabilities[row].max()), test.items[row].keypoint[0], layout,
            layout in LAYOUTS_3D or test.items[row].keypoint.shape[-1] == 4,
        )
        for row in surest_mistakes(probabilities, found.label)
    ]  # fmt: skip


def _measured(recipe: Recipe, answer: Answer, sequences: Sequences) -> Measured:
    if not len(sequences):
        raise DatasetInvalid(f"{', '.join(recipe.data.sets)}: nothing to measure on")
    maker = build_maker(recipe, pictures_of(recipe))
    return measure(answer, maker, maker.prepare(sequences), recipe.test)


def _chosen(facts: ServingFacts, held: Measured) -> ServingFacts:
    """Temperature, thresholds and the open-set threshold from the validation part."""
    temperature = held.temperature()
    probabilities, known = held.probabilities(temperature), load_actions().actions
    precision = {name: known[name].precision if name in known else _PRECISION for name in held.classes}
    thresholds = choose_thresholds(probabilities, held.label, held.classes, precision)
    unknown = choose_unknown(probabilities, held.label, UNKNOWN_LOST)
    return replace(facts, temperature=temperature, thresholds=thresholds, unknown=unknown)
