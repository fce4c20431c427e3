"""How much a network loses when joints are missing in the test: seed 001's robustness."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.training.fit.devices import require_device
from pipelines.training.fit.measure import measure
from pipelines.training.fit.run import answer_of, load_run, pictures_of
from pipelines.training.fit.sequences import Sequences, load_test
from pipelines.training.fit.vary import with_lost_joints
from pipelines.training.fit.views import build_maker


def measure_dropped(run: Path, folders: Sequence[Path], chances: Sequence[float]) -> list[float]:
    """Top-1 where every frame of every person loses one joint with each chance, the same joints for every network."""
    state = load_run(run)
    recipe = state.recipe
    answer = answer_of(state, require_device(recipe.run.device))
    maker, test = build_maker(recipe, pictures_of(recipe)), load_test(recipe, folders)
    return [
        measure(answer, maker, maker.prepare(dropped(test, chance)), recipe.test).scores().top1 for chance in chances
    ]


def dropped(sequences: Sequences, chance: float) -> Sequences:
    """The sequences with joints lost."""
    generator = np.random.default_rng(0)
    items = tuple(
        replace(item, keypoint=with_lost_joints(item.keypoint, chance, generator)) for item in sequences.items
    )
    return replace(sequences, items=items)
