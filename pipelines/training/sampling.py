"""Which clips a batch is made of: balanced over classes, sets, and real and projected joints."""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, IntArray
from pipelines.training.augment import sources_for_falls
from pipelines.training.config import DataConfig
from pipelines.training.corpus import UNKNOWN, Corpus
from pipelines.training.labels import LabelTable


@dataclass(frozen=True, slots=True)
class Draw:
    """One batch. index: (B,) clips; tipped: (B,) those whose person is made to fall or to lie."""

    index: IntArray
    tipped: BoolArray


class Sampler:
    """Draws clips for a batch with the shares of the configuration."""

    def __init__(self, corpus: Corpus, table: LabelTable, config: DataConfig) -> None:
        of_set = np.array([table.sets[name].weight if name in table.sets else 1.0 for name in corpus.sources])
        self._labelled = clip_weights(corpus, config, of_set)
        self._weak = _set_weights(corpus, corpus.label == UNKNOWN, config.set_power, of_set)
        self._upright = np.zeros(len(corpus))
        self._upright[sources_for_falls(corpus, table)] = 1.0
        self._upright = _normalised(self._upright * _set_weights(corpus, self._upright > 0, config.set_power, of_set))
        self._fall_share = config.fall_share if self._upright.any() else 0.0
        self._weak_share = config.weak_share if self._weak.any() else 0.0

    def draw(self, batch_size: int, generator: np.random.Generator) -> Draw:
        """A batch of clip indexes, in random order of kinds."""
        kind = generator.random(batch_size)
        tipped = kind < self._fall_share
        weak = ~tipped & (kind < self._fall_share + self._weak_share)
        index = np.zeros(batch_size, np.int64)
        for rows, weights in ((tipped, self._upright), (weak, self._weak), (~tipped & ~weak, self._labelled)):
            if rows.any():
                index[rows] = generator.choice(len(weights), int(rows.sum()), p=weights)
        return Draw(index, tipped)


def clip_weights(corpus: Corpus, config: DataConfig, of_set: AnyArray | None = None) -> AnyArray:
    """(n,) chance of each labelled clip; 0 for those of which only is known what they are not. Sums to 1.

    of_set: weight of each of the corpus's sources beside that of its size; None weighs them alike.
    """
    of_set = np.ones(len(corpus.sources)) if of_set is None else of_set
    weights = np.zeros(len(corpus))
    for label in np.unique(corpus.label[corpus.label != UNKNOWN]):
        rows = corpus.label == label
        flat, deep = rows & ~corpus.is_3d, rows & corpus.is_3d
        share = config.flat_share if flat.any() and deep.any() else float(flat.any())
        inner = share * _set_weights(corpus, flat, config.set_power, of_set)
        inner += (1 - share) * _set_weights(corpus, deep, config.set_power, of_set)
        weights += inner * rows.sum() ** config.class_power
    return _normalised(weights)


def _set_weights(corpus: Corpus, rows: BoolArray, power: float, of_set: AnyArray) -> AnyArray:
    """(n,) chances over `rows`: a set with m of them is drawn ~ weight m^power, its clips evenly."""
    weights = np.zeros(len(corpus))
    for source in np.unique(corpus.source[rows]):
        mine = rows & (corpus.source == source)
        weights[mine] = of_set[source] * mine.sum() ** (power - 1)
    return _normalised(weights)


def _normalised(weights: AnyArray) -> AnyArray:
    total = weights.sum()
    return weights / total if total > 0 else weights
