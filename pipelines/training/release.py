"""From a run to the folder that is served: choices on held-out people, numbers on the test parts, contract and card."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from models.export.onnx import Exported
from models.runtime.contract import ActionContract, load_contract
from pipelines.training import runs
from pipelines.training.card import with_unknown_line, write_card
from pipelines.training.corpus import find_set
from pipelines.training.datasets import load_set
from pipelines.training.evaluate import Answers, answer, shared_share
from pipelines.training.everyday_report import load_subject
from pipelines.training.labels import LabelTable
from pipelines.training.own_sets import with_own_sets
from pipelines.training.package import Choices, Facts, Quality, doubt, unknown_words, write_package

JHMDB_SHARED = ("clap", "jump", "pick_up", "push", "run", "sit_down", "stand_up", "throw", "walk", "wave")
_SOLID_SHARE, _SOLID_SETS, _SOLID_WINDOWS = 0.7, 2, 20
# What does not carry over to unseen sets is only said when the network is sure of it.
_EXPERIMENTAL_LEAST = 0.6


def release(
    models: Sequence[Path], data: Sequence[Path], table: LabelTable, measured: Mapping[str, object], out: Path
) -> Exported:
    """Choose, measure, export and describe a trained network, or the mean of several that differ in their seed.

    measured: what was measured elsewhere: `left_out` {set: {"classes": {label: {share, windows}}}} of sets that a
    network of this recipe never saw, `clips` and anything else that the card should say. Raises ExportMismatch.
    """
    network, checkpoint = runs.load_networks(models)
    config = checkpoint.config
    table = with_own_sets(table.only(checkpoint.labels).with_split(config.data.split), config.data.sets, data)
    held = runs.load_parts(config, table, data, lambda _: None).validation
    held_answers = answer(network, held, config.window)
    left_out = cast("Mapping[str, Mapping[str, object]]", measured.get("left_out", {}))
    foreign = runs.load_foreign(config, table, data)
    strange = None if foreign is None else answer(network, foreign, config.window).logits
    choices = runs.choose(held_answers, table, judge(left_out, table), strange)
    floor = runs.fall_floor(network, held, config, table, choices.temperature)
    choices = _raised(choices, {"fall": floor} | dict.fromkeys(_experimental(choices), _EXPERIMENTAL_LEAST))
    sets = runs.sets_of(config, table)
    tested = runs.measure_sets(network, config, table, data, sets, "test")
    scores = runs.scores_by_set(tested, choices.temperature)
    facts = Facts(
        data=_terms(table, sets, data),
        protocol=_protocol(table, sets, len(held)) | _members(models),
        metrics={
            "test": runs.numbers(scores, table),
            "held_out_people": runs.numbers({"all": held_answers.scores(choices.temperature)}, table)["all"],
            "jhmdb14_ten_shared": _rounded(shared_share(tested.of("jhmdb14"), table, JHMDB_SHARED)),
            "false_falls": _false_falls(tested, table, choices),
            **measured,
        },
    )
    exported = write_package(network, config, table, choices, facts, out)
    write_card(out, tested.scores(choices.temperature), scores, table.labels)
    return exported


def repack(folder: Path, data: Sequence[Path], table: LabelTable, out: Path) -> ActionContract:
    """An exported everyday model with its rules of doubt chosen anew; weights, temperature and thresholds stay.

    Raises ConfigInvalid for a folder that does not say how it was trained, DatasetInvalid where a set is missing.
    """
    subject = load_subject(folder)
    config = subject.config
    table = with_own_sets(table.only(subject.labels).with_split(config.data.split), config.data.sets, data)
    held = answer(subject.network, runs.load_parts(config, table, data, lambda _: None).validation, config.window)
    foreign = runs.load_foreign(config, table, data)
    strange = None if foreign is None else answer(subject.network, foreign, config.window).logits
    choices = replace(runs.choose(held, table, None, strange), temperature=subject.temperature or 1.0)
    raw = json.loads((folder / "model.json").read_text("utf-8"))
    raw |= doubt(table, choices)
    raw["protocol"]["unknown"] = unknown_words(choices.unknown)
    if out != folder:
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "model.onnx", out / "model.onnx")
    (out / "model.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if (folder / "card.md").is_file():
        text = (folder / "card.md").read_text("utf-8")
        (out / "card.md").write_text(with_unknown_line(text, raw), "utf-8")
    return load_contract(out / "model.json")


def judge(left_out: Mapping[str, Mapping[str, object]], table: LabelTable) -> dict[str, Quality]:
    """`solid` where at least two sets left out whole were labelled right in 70 % of their windows on average.

    A set counts for a label with 20 windows or more; every such set weighs the same.
    """
    return {name: "solid" if _is_solid(left_out, name) else "experimental" for name in table.actions}


def _is_solid(left_out: Mapping[str, Mapping[str, object]], label: str) -> bool:
    shares = []
    for row in left_out.values():
        found = cast("Mapping[str, Mapping[str, float]]", row["classes"]).get(label)
        if found is not None and found["windows"] >= _SOLID_WINDOWS:
            shares.append(found["share"])
    return len(shares) >= _SOLID_SETS and sum(shares) / len(shares) >= _SOLID_SHARE


def _experimental(choices: Choices) -> list[str]:
    return [name for name in choices.thresholds if choices.quality.get(name) != "solid" and name != "fall"]


def _raised(choices: Choices, least: Mapping[str, float]) -> Choices:
    """Thresholds raised to a least one, where that is higher."""
    thresholds = {name: max(value, least.get(name, 0.0)) for name, value in choices.thresholds.items()}
    return replace(choices, thresholds=thresholds)


def _terms(table: LabelTable, sets: Sequence[str], data: Sequence[Path]) -> dict[str, object]:
    """What the owners allow: of each set, and of each video that an optional set was made of."""
    terms: dict[str, object] = {name: table.require(name).terms for name in sets}
    for name in sets:
        if table.require(name).optional:
            videos = cast("Mapping[str, str]", load_set(find_set(data, name)).meta.get("terms", {}))
            terms |= {f"{name}: {video}": text for video, text in videos.items()}
    return terms


def _protocol(table: LabelTable, sets: list[str], num_held: int) -> dict[str, object]:
    optional = [name for name, rows in table.sets.items() if rows.optional]
    absent = [name for name in optional if name not in sets]
    return {
        "splits": {name: f"{table.require(name).train} / {_reported(table, name)}" for name in sets},
        **({"absent": f"learnt without {', '.join(absent)}: sets that `actogram prepare` makes"} if absent else {}),
        "choices": f"temperature, thresholds and `unknown` on {num_held} clips of people and videos of the training "
        "splits that were not learnt from; a fall's also on windows all along those that show none. Never on a test "
        f"part, never on UP-Fall. An experimental action needs {_EXPERIMENTAL_LEAST} or more",
        "quality": f"solid: {_SOLID_SETS} or more sets left out whole, {_SOLID_SHARE:.0%} of windows right on average",
    }


def _members(models: Sequence[Path]) -> dict[str, object]:
    if len(models) == 1:
        return {}
    seeds = ", ".join(str(runs.load_network(path)[1].config.seed) for path in models)
    return {"members": f"the mean of {len(models)} networks' logits; they differ in their seed: {seeds}"}


def _reported(table: LabelTable, name: str) -> str:
    rows = table.require(name)
    return "nothing: all of it is learnt from" if rows.optional else f"{rows.test} (other {rows.apart})"


def _false_falls(answers: Answers, table: LabelTable, choices: Choices) -> str:
    false, count = answers.false_falls(table.index("fall"), choices.thresholds["fall"], choices.temperature)
    return f"{false} of {count}"


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 3)  # NaN where the set was left out
