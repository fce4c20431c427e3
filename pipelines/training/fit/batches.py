"""Which sequences a step sees and how they become tensors. A batch depends on seed and step alone, not on the past,
so that a run that was killed goes on with the very batches that it would have seen.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from models.arrays import IntArray
from pipelines.errors import ConfigInvalid
from pipelines.training.fit.sequences import Sequences
from pipelines.training.fit.views import Maker, stack
from pipelines.training.recipe import Recipe
from pipelines.training.recipe_sections import OptimSection

_ORDER, _BATCH = 1, 2


@dataclass(frozen=True, slots=True)
class Batch:
    """One step of one process.

    inputs: what the network takes, (B, ...) each.  label: (B,) int64.
    other, share: with mixup, (B,) labels of what was mixed in, and the weight of `label`; share is 1 without.
    """

    inputs: tuple[Tensor, ...]
    label: Tensor
    other: Tensor
    share: float

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved = tuple(item.to(device, non_blocking=True) for item in self.inputs)
        return Batch(moved, self.label.to(device), self.other.to(device), self.share)


class BatchPlan:
    """The sequences of every step, over all processes."""

    def __init__(self, recipe: Recipe, label: IntArray) -> None:
        optim = recipe.optim
        self.seed, self.label, self.power = recipe.seed, label, recipe.data.class_power
        self.pass_length = len(label) * optim.repeat
        self.batch_size = min(optim.batch_size, self.pass_length)
        self.steps_per_pass = max(1, self.pass_length // self.batch_size)
        self.steps = optim.steps or optim.passes * self.steps_per_pass
        # Batches are made by several threads, some of them already in the next pass.
        self._order = lru_cache(maxsize=3)(self._ordered)

    def in_steps(self, length: int, optim: OptimSection) -> int:
        """A length that the recipe gives in its own unit, as steps."""
        return length if optim.steps else length * self.steps_per_pass

    def rows(self, step: int) -> IntArray:
        """(batch_size,) indexes of the sequences of a step."""
        number, place = divmod(step, self.steps_per_pass)
        return self._order(number)[place * self.batch_size : (place + 1) * self.batch_size]

    def _ordered(self, number: int) -> IntArray:
        generator = np.random.default_rng([self.seed, _ORDER, number])
        if self.power < 1:
            counts = np.bincount(self.label)[self.label]
            weight = counts ** (self.power - 1.0)
            return generator.choice(len(self.label), self.pass_length, p=weight / weight.sum())
        rounds = self.pass_length // len(self.label)
        return np.concatenate([generator.permutation(len(self.label)) for _ in range(rounds)])


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of each batch is this process's: rank r of several."""

    rank: int = 0
    world: int = 1


class BatchMaker:
    """Makes the batch of any step."""

    def __init__(self, recipe: Recipe, maker: Maker, sequences: Sequences, share: Share) -> None:
        self.recipe, self.maker, self.sequences, self.share = recipe, maker, sequences, share
        self.plan = BatchPlan(recipe, sequences.label)
        if self.plan.batch_size % share.world:
            raise ConfigInvalid(
                f"optim.batch_size {self.plan.batch_size} does not divide by the {share.world} processes"
            )

    def make(self, step: int) -> Batch:
        """This process's part of a step's batch."""
        rows = self.plan.rows(step)[self.share.rank :: self.share.world]
        generator = np.random.default_rng([self.recipe.seed, _BATCH, step, self.share.rank])
        views = [self.maker.train(self.sequences.items[row], generator) for row in rows]
        inputs = tuple(torch.from_numpy(part) for part in stack(views))
        label = torch.from_numpy(self.sequences.label[rows])
        if not self.recipe.augment.mixup:
            return Batch(inputs, label, label, 1.0)
        return self._mixed(inputs, label, generator)

    def _mixed(self, inputs: tuple[Tensor, ...], label: Tensor, generator: np.random.Generator) -> Batch:
        """Zhang et al.: mixup, ICLR 2018: each input with another one's, in one proportion for the batch."""
        share = float(generator.beta(self.recipe.augment.mixup, self.recipe.augment.mixup))
        share = max(share, 1 - share)
        order = torch.from_numpy(generator.permutation(len(label)))
        mixed = tuple(share * part + (1 - share) * part[order] for part in inputs)
        return Batch(mixed, label, label[order], share)


def ahead(make: Callable[[int], Batch], first: int, last: int, workers: int) -> Iterator[Batch]:
    """The batches of steps first..last-1 in order, up to 2 x `workers` of them made ahead by threads."""
    if workers == 0:
        yield from map(make, range(first, last))
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="batches") as pool:
        waiting: list[Future[Batch]] = []
        try:
            for step in range(first, last):
                waiting.append(pool.submit(make, step))
                if len(waiting) > 2 * workers:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
