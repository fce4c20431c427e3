"""From logits to answers that can be relied on: temperature, threshold of each action, threshold of `unknown`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from models.arrays import BoolArray, FloatArray, IntArray
from pipelines.training.metrics import auroc, energy, softmax

_TEMPERATURES = np.geomspace(0.2, 5.0, 200)
# Below 0.4 an answer that is right on the training's own people is too weak for those of an unseen place.
_GRID = np.round(np.arange(0.4, 0.96, 0.01), 2)


def fit_temperature(logits: FloatArray, label: IntArray) -> float:
    """The divisor of the logits that makes them likeliest (Guo et al. 2017); 1 without samples."""
    if not len(label):
        return 1.0
    return float(min(_TEMPERATURES, key=lambda temperature: _nll(logits, label, float(temperature))))


def _nll(logits: FloatArray, label: IntArray, temperature: float) -> float:
    chosen = softmax(logits, temperature)[np.arange(len(label)), label]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def choose_threshold(
    probability: FloatArray, is_action: BoolArray, weight: FloatArray, precision: float, fallback: float = 0.6
) -> float:
    """The lowest threshold whose answers are right often enough; where none is, the one of the best F1.

    probability: (B,) of one action. is_action: (B,). weight: (B,) what a window counts. precision: share wanted, 0..1.
    fallback: where the action never occurs.
    """
    if not is_action.any():
        return fallback
    best, best_f1 = fallback, -1.0
    for threshold in _GRID:
        said = probability >= threshold
        right, all_said = weight[said & is_action].sum(), weight[said].sum()
        if all_said == 0:
            break
        if right / all_said >= precision:
            return float(threshold)
        f1 = 2 * right / (all_said + weight[is_action].sum())
        if f1 > best_f1:
            best, best_f1 = float(threshold), f1
    return best


def class_weights(label: IntArray) -> FloatArray:
    """(B,) weights with which every class that occurs counts the same."""
    counts = np.bincount(label)
    weights: FloatArray = (1.0 / counts[label]).astype(np.float32)
    return weights


def choose_thresholds(
    probabilities: FloatArray, label: IntArray, labels: Sequence[str], precision: Mapping[str, float]
) -> dict[str, float]:
    """A threshold per action (not for `none`) on held-out windows in which every class counts the same."""
    weight = class_weights(label)
    return {
        name: choose_threshold(probabilities[:, index], label == index, weight, precision[name])
        for index, name in enumerate(labels)
        if name != "none"
    }


@dataclass(frozen=True, slots=True)
class UnknownChoice:
    """The open-set rule, and how it was chosen.

    threshold: below this probability, or above this energy, a window is `unknown`. auroc: rule → how well it tells
    known windows from `foreign` ones, 0..1; empty where there were too few. said: rule → share of the foreign windows
    that it would still let pass as an action.
    """

    method: Literal["max_probability", "energy"]
    threshold: float
    known: int = 0
    foreign: int = 0
    auroc: Mapping[str, float] = field(default_factory=dict)
    said: Mapping[str, float] = field(default_factory=dict)


LEAST_FOREIGN = 20
"""Fewer windows that are like no label choose nothing."""


def choose_unknown(probabilities: FloatArray, label: IntArray, lost: float) -> float:
    """The highest probability below which a window is `unknown`: at most `lost` of the right answers fall under it."""
    top = probabilities.max(axis=1)[probabilities.argmax(axis=1) == label]
    return round(float(np.quantile(top, lost)), 3) if len(top) else 0.0


def choose_unknown_rule(
    known: FloatArray, label: IntArray, foreign: FloatArray, temperature: float, lost: float
) -> UnknownChoice:
    """The rule that tells known windows from those that are like no label, by the larger AUROC on held-out people.

    known: (N, K) logits of windows with a label; label: (N,). foreign: (M, K) logits of held-out windows of what was
    never learnt. lost: share of the right answers that the rule may turn into `unknown`.
    """
    probabilities = softmax(known, temperature)
    if len(foreign) < LEAST_FOREIGN or not len(known):
        return UnknownChoice("max_probability", choose_unknown(probabilities, label, lost), len(known), len(foreign))
    scores = rule_scores(known, temperature)
    strange = rule_scores(foreign, temperature)
    right = probabilities.argmax(axis=1) == label
    least = {name: float(np.quantile(row[right], lost)) if right.any() else -np.inf for name, row in scores.items()}
    quality = {name: round(auroc(scores[name], strange[name]), 4) for name in scores}
    best = max(quality, key=lambda name: quality[name])
    said = {name: round(float((strange[name] >= least[name]).mean()), 4) for name in scores}
    method: Literal["max_probability", "energy"] = "energy" if best == "energy" else "max_probability"
    threshold = round(-least[best] if best == "energy" else least[best], 3)
    return UnknownChoice(method, threshold, len(known), len(foreign), quality, said)


def rule_scores(logits: FloatArray, temperature: float) -> dict[str, FloatArray]:
    """Rule → (B,) how much each window is like what was learnt, higher is more."""
    top: FloatArray = softmax(logits, temperature).max(axis=1, initial=0.0)
    return {"max_probability": top, "energy": -energy(logits, temperature)}


FAMILY_THRESHOLD = 0.5
_LEAST_FAMILY = 20


def choose_family_share(
    probabilities: FloatArray, label: IntArray, members: Sequence[int], lost: float
) -> float | None:
    """The part of a family's probability that one member needs: all but `lost` of the right answers reach it.

    None where too few held-out windows show the family to choose by.
    """
    of_family = np.isin(label, members) & (probabilities.argmax(axis=1) == label)
    if of_family.sum() < _LEAST_FAMILY:
        return None
    mine = probabilities[of_family][:, list(members)]
    return round(float(np.quantile(mine.max(axis=1) / mine.sum(axis=1), lost)), 3)
