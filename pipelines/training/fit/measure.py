"""What a network says of sequences: probabilities averaged over clips and mirrors, as PYSKL tests."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from models.arrays import FloatArray, IntArray
from pipelines.training.calibrate import fit_temperature
from pipelines.training.fit.objective import Objective
from pipelines.training.fit.sequences import Sequences
from pipelines.training.fit.views import FixedViews, View
from pipelines.training.metrics import Scores, score, softmax
from pipelines.training.recipe_sections import TestSection

_VIEWS_PER_CALL = 64
Answer = Callable[[View], FloatArray]
"""(N, K) logits of N views."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What was said of sequences. logits: (n, K) logarithms of the averaged probabilities. label: (n,)."""

    logits: FloatArray
    label: IntArray
    classes: tuple[str, ...]

    def probabilities(self, temperature: float = 1.0) -> FloatArray:
        """(n, K), rows sum to 1."""
        return softmax(self.logits, temperature)

    def scores(self, temperature: float = 1.0) -> Scores:
        """Shares right, confusion, calibration."""
        return score(self.probabilities(temperature), self.label)

    def temperature(self) -> float:
        """The divisor of the logits that makes the labels likeliest."""
        return fit_temperature(self.logits, self.label)

    def loss(self) -> float:
        """Mean cross-entropy."""
        chosen = self.probabilities()[np.arange(len(self.label)), self.label]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean()) if len(chosen) else float("nan")


def measure(answer: Answer, maker: FixedViews, sequences: Sequences, test: TestSection) -> Measured:
    """Every sequence's averaged answer; `sequences` are prepared by the maker already."""
    per_call = max(1, _VIEWS_PER_CALL // (test.clips * (1 + test.flip)))
    starts = range(0, len(sequences), per_call)

    def views(start: int) -> list[View]:
        return [maker.test(item, test.clips, test.flip) for item in sequences.items[start : start + per_call]]

    parts: list[FloatArray] = []
    with ThreadPoolExecutor(1, thread_name_prefix="views") as pool:
        for made in pool.map(views, starts):
            parts += _answered(answer, made)
    logits = np.stack(parts) if parts else np.zeros((0, len(sequences.classes)), np.float32)
    return Measured(logits, sequences.label, sequences.classes)


def _answered(answer: Answer, made: Sequence[View]) -> list[FloatArray]:
    """The logarithm of the mean probability over the views of each sequence."""
    together = tuple(np.concatenate(parts) for parts in zip(*made, strict=True))
    probabilities = softmax(answer(together))
    counts = [len(view[0]) for view in made]
    split = np.split(probabilities, np.cumsum(counts)[:-1])
    return [np.log(np.maximum(part.mean(axis=0), 1e-12)).astype(np.float32) for part in split]


def torch_answer(
    objective: Objective, device: torch.device, side: int = 0, dtype: torch.dtype = torch.float32
) -> Answer:
    """Answers of a network in torch, in full precision or under autocast in a shorter one."""

    def answer(view: View) -> FloatArray:
        objective.eval()
        inputs = tuple(torch.from_numpy(part).to(device) for part in view)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            found: FloatArray = objective.logits(inputs, side).float().cpu().numpy()
        return found

    return answer
