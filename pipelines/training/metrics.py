"""What is measured of a classifier: shares right, confusion, calibration; numpy only."""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray, IntArray


def softmax(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """(B, K) probabilities of logits divided by a temperature."""
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(scaled)
    probabilities: FloatArray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def confusion(label: IntArray, predicted: IntArray, num_classes: int) -> IntArray:
    """(K, K) counts, rows true, columns predicted."""
    counts = np.zeros((num_classes, num_classes), np.int64)
    np.add.at(counts, (label, predicted), 1)
    return counts


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares right of labelled windows.

    top1: of all windows. macro: mean over the classes that occur. per_class: (K,) nan where a class does not occur.
    confusion: (K, K). ece: expected calibration error of the highest probability, 15 bins.
    """

    count: int
    top1: float
    macro: float
    ece: float
    per_class: FloatArray
    precision: FloatArray
    confusion: IntArray


def score(probabilities: FloatArray, label: IntArray) -> Scores:
    """Scores of probabilities (B, K) against labels (B,)."""
    K = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    counts = confusion(label, predicted, K)
    per_class, precision = _share(np.diag(counts), counts.sum(axis=1)), _share(np.diag(counts), counts.sum(axis=0))
    occurring = ~np.isnan(per_class)
    return Scores(
        count=len(label),
        top1=float((predicted == label).mean()) if len(label) else float("nan"),
        macro=float(per_class[occurring].mean()) if occurring.any() else float("nan"),
        ece=calibration_error(probabilities, label),
        per_class=per_class,
        precision=precision,
        confusion=counts,
    )


def _share(part: AnyArray, whole: AnyArray) -> FloatArray:
    share = np.full(len(whole), np.nan, np.float32)
    np.divide(part, whole, out=share, where=whole > 0)
    return share


def calibration_error(probabilities: FloatArray, label: IntArray, num_bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017): mean gap of confidence and accuracy, weighted by bin."""
    if not len(label):
        return float("nan")
    return confidence_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == label, num_bins)


def confidence_error(confidence: FloatArray, right: BoolArray, num_bins: int = 15) -> float:
    """The same of (B,) probabilities of what was said, 0..1, and whether it was right; NaN without any."""
    if not len(confidence):
        return float("nan")
    bins = np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)
    gaps = [
        abs(float(confidence[bins == index].mean()) - float(right[bins == index].mean()))
        * float((bins == index).mean())
        for index in np.unique(bins)
    ]
    return float(sum(gaps))


def energy(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """(B,) free energy of logits (Liu et al. 2020): the higher, the less a window is like what was learnt."""
    scaled = logits / temperature
    top = scaled.max(axis=1, initial=-np.inf)
    total = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
    return np.asarray(-temperature * total, np.float32)


def auroc(known: FloatArray, foreign: FloatArray) -> float:
    """Chance that a known window has the higher score of the two, ties counting half; NaN where either is empty.

    known: (N,) and foreign: (M,) scores of which the known ones should be the higher.
    """
    if not len(known) or not len(foreign):
        return float("nan")
    order = np.sort(foreign)
    below, upto = np.searchsorted(order, known, "left"), np.searchsorted(order, known, "right")
    return float((below + upto).mean() / 2 / len(foreign))
