"""Measures a network on sets: shares right, confusion, calibration, and falls that are none; one window per clip."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from models.arrays import BoolArray, FloatArray, IntArray
from models.skeleton.features import require_features
from pipelines.training.augment import Cut, cut, plain_camera, to_picture
from pipelines.training.config import WindowConfig
from pipelines.training.corpus import UNKNOWN, Corpus
from pipelines.training.labels import LabelTable
from pipelines.training.loop import clip_windows, predict
from pipelines.training.metrics import Scores, score, softmax

HELD = "#held"
"""Ends the names of clips that are one held pose; they train standing and sitting and are not reported on."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a network said of every clip of a corpus. logits: (n, K); label: (n,); source: (n,) set of each clip."""

    logits: FloatArray
    label: IntArray
    not_fall: BoolArray
    source: tuple[str, ...]
    is_held: BoolArray

    def of(self, source: str) -> "Answers":
        """The answers to one set's clips."""
        return self.where(np.array([name == source for name in self.source], np.bool_))

    def where(self, rows: BoolArray) -> "Answers":
        """The answers to some of the clips."""
        names = tuple(name for name, row in zip(self.source, rows, strict=True) if row)
        return Answers(self.logits[rows], self.label[rows], self.not_fall[rows], names, self.is_held[rows])

    def scores(self, temperature: float = 1.0) -> Scores:
        """Scores of the clips whose label is known."""
        known = self.label != UNKNOWN
        return score(softmax(self.logits[known], temperature), self.label[known])

    def false_falls(self, fall: int, threshold: float, temperature: float = 1.0) -> tuple[int, int]:
        """How many clips that are known to be no fall are called one, and how many there are."""
        rows = self.not_fall & (self.label == UNKNOWN)
        probability = softmax(self.logits[rows], temperature)[:, fall]
        return int((probability >= threshold).sum()), int(rows.sum())


def answer(network: nn.Module, corpus: Corpus, window: WindowConfig) -> Answers:
    """The network's logits for the middle window of every clip; 3D seen from the front."""
    keypoints, valid, label, not_fall = clip_windows(corpus, window)
    logits = predict(network, require_features(window.features)(keypoints, valid))
    source = tuple(corpus.sources[index] for index in corpus.source)
    is_held = np.array([name.endswith(HELD) for name in corpus.names], np.bool_)
    return Answers(logits, label, not_fall, source, is_held)


def dense_probability(
    network: nn.Module, corpus: Corpus, window: WindowConfig, label: int, stride_s: float = 0.4
) -> tuple[FloatArray, IntArray]:
    """Logits of windows all along every clip that does not show `label` or lying after it, and the clip of each.

    A clip counts when its label is another one or it is known to be no fall.
    """
    rows, ends = _along(
        corpus, np.flatnonzero((corpus.label != label) & (corpus.not_fall | (corpus.label >= 0))), stride_s
    )
    one = np.ones(len(rows), np.float32)
    windows = cut(corpus, rows, Cut(ends, one, one, one > 0), window.num_frames, window.rate_hz)
    keypoints = to_picture(windows, plain_camera(len(rows)))
    return predict(network, require_features(window.features)(keypoints, windows.valid)), rows


def _along(corpus: Corpus, clips: IntArray, stride_s: float) -> tuple[IntArray, FloatArray]:
    """(N,) clip of each window and (N,) its end in seconds: at least half a second of the clip has been seen."""
    rows, ends = [], []
    for clip in clips:
        duration_s = max(float(corpus.count[clip] - 1) / float(corpus.rate_hz[clip]), 0.5)
        times = np.arange(0.5, duration_s + 1e-6, stride_s)
        rows.append(np.full(len(times), clip, np.int64))
        ends.append(times)
    none = np.zeros(0)
    return np.concatenate([none.astype(np.int64), *rows]), np.concatenate([none, *ends]).astype(np.float32)


def shared_share(answers: Answers, table: LabelTable, labels: Sequence[str]) -> float:
    """Share right of the moving clips with one of these labels, all of the network's labels allowed as answers."""
    wanted = np.isin(answers.label, [table.index(name) for name in labels if name in table.labels]) & ~answers.is_held
    rows = answers.where(np.asarray(wanted))
    return float((rows.logits.argmax(axis=1) == rows.label).mean()) if len(rows.label) else float("nan")
