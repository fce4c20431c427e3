"""The report of an everyday network: a run, a checkpoint, or an exported folder such as the one that is shipped."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click
import numpy as np
import torch
from torch import Tensor, nn

from models.arrays import FloatArray
from models.runtime.contract import load_contract, verify_weights
from models.runtime.session import Session
from pipelines.errors import ConfigInvalid
from pipelines.training import runs
from pipelines.training.config import TrainConfig, parse_config
from pipelines.training.corpus import UNKNOWN, Corpus, load_clips, pack
from pipelines.training.evaluate import Answers, answer
from pipelines.training.fit.finish import numbers
from pipelines.training.fit.report import Example, RunReport, reliability, surest_mistakes, write_report
from pipelines.training.labels import LabelTable, load_labels
from pipelines.training.metrics import score, softmax
from pipelines.training.own_sets import with_own_sets
from pipelines.training.report import sets_table


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured. temperature: None where it must be chosen on the held people of the training sets."""

    network: nn.Module
    config: TrainConfig
    labels: tuple[str, ...]
    temperature: float | None
    history: Sequence[Mapping[str, float]] = ()


class OnnxNetwork(nn.Module):
    """An exported network that answers as the trained one did: (B, T, V, C) features to (B, K) logits."""

    def __init__(self, path: Path, name: str, output: str) -> None:
        super().__init__()
        self.session, self.name, self.output = Session(path), name, output

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, V, C) to (B, K)."""
        found = self.session.run({self.name: features.numpy()})[self.output]
        return torch.from_numpy(np.asarray(found, np.float32))


def report_run(model: Path, data: Sequence[Path], sets: Sequence[str], part: str, out: Path | None) -> None:
    """Measure, write `report.md`, `report.json`, `report.html` and `result.json`, and print where they lie."""
    subject = load_subject(model)
    table = load_labels().only(subject.labels).with_split(subject.config.data.split)
    table = with_own_sets(table, [*subject.config.data.sets, *sets], data)
    temperature = subject.temperature if subject.temperature is not None else _chosen(subject, table, data)
    names = list(sets) or runs.sets_of(subject.config, table)
    clips = load_clips(data, names, table, None if part == "all" else part, lambda _: None)
    corpus = pack(clips, subject.config.window.window_s)
    whole = answer(subject.network, corpus, subject.config.window)
    answers = whole.where(~whole.is_held)
    folder = out or (model if model.is_dir() else model.parent)
    title = f"{subject.config.name}, {part} part of {len(names)} sets"
    scores = runs.write_report(answers, table, temperature, title, folder)
    _write_page(subject, whole, corpus, temperature, title, folder)
    click.echo(sets_table(scores))
    click.echo(f"{folder / 'report.md'}")


def _write_page(
    subject: Subject, answers: Answers, corpus: Corpus, temperature: float, title: str, folder: Path
) -> None:
    """The page of a run, as recipes have it, and the numbers that `actogram compare` reads."""
    rows = np.flatnonzero(~answers.is_held & (answers.label != UNKNOWN))
    probabilities, label = softmax(answers.logits[rows], temperature), answers.label[rows]
    scores, settings = score(probabilities, label), subject.config.model_dump(mode="json")
    examples = [
        Example(
            corpus.names[rows[row]], subject.labels[label[row]], subject.labels[int(probabilities[row].argmax())],
            float(probabilities[row].max()), _joints(corpus, int(rows[row])), "coco17", bool(corpus.is_3d[rows[row]]),
        )
        for row in surest_mistakes(probabilities, label)
    ]  # fmt: skip
    under = f"{subject.config.network.name} · everyday13 · {', '.join(corpus.sources)}"
    write_report(
        RunReport(
            title, under, subject.labels, scores, subject.history, reliability(probabilities, label), examples, settings
        ),
        folder / "report.html",
    )
    result = {"name": subject.config.name, "recipe": settings, "temperature": temperature,
              "test": numbers(scores, subject.labels)}  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _joints(corpus: Corpus, clip: int) -> FloatArray:
    """(T, 17, 3) of a clip, an unseen joint at 0."""
    frames = slice(int(corpus.first[clip]), int(corpus.first[clip] + corpus.count[clip]))
    return np.asarray(corpus.joints[frames] * corpus.seen[frames][..., None], np.float32)


def load_subject(model: Path) -> Subject:
    """A run's folder, a checkpoint, or an exported folder; raises ConfigInvalid, CheckpointMismatch or ModelError."""
    if model.is_dir() and (model / "model.json").is_file():
        return _exported(model)
    network, checkpoint = runs.load_network(model)
    noted = checkpoint.notes.get("temperature")
    history = [look | {"validation_macro": look["macro"]} for look in checkpoint.notes.get("looks", [])]
    temperature = None if noted is None else float(noted)
    return Subject(network, checkpoint.config, checkpoint.labels, temperature, history)


def _exported(folder: Path) -> Subject:
    contract = load_contract(folder / "model.json")
    verify_weights(contract, folder / "model.onnx")
    raw = json.loads((folder / "model.json").read_text("utf-8"))
    settings = cast("dict[str, object] | None", raw.get("protocol", {}).get("config"))
    if settings is None:
        raise ConfigInvalid(f"{folder}: the model does not say how it was trained, so its sets cannot be read")
    strange = sorted(set(contract.labels) - set(load_labels().labels))
    if strange:
        raise ConfigInvalid(f"{folder}: its label {strange[0]!r} is not an everyday one")
    network = OnnxNetwork(folder / "model.onnx", contract.inputs[0].name, contract.outputs[0])
    return Subject(network, parse_config(settings, str(folder)), contract.labels, contract.temperature)


def _chosen(subject: Subject, table: LabelTable, data: Sequence[Path]) -> float:
    held = runs.load_parts(subject.config, table, data, lambda _: None).validation
    return runs.choose(answer(subject.network, held, subject.config.window), table).temperature
