"""Training samples/s of the loops against a plain loop of the same network: `python tests/bench/training_speed.py`.

A plain loop steps on one batch that is already there: forward, loss, backward, optimiser. What the real loops do beside
it (drawing, varying, features, averages, clipping) may cost a tenth.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipelines.training.config import load_config
from pipelines.training.fit.batches import Share
from pipelines.training.fit.devices import Place
from pipelines.training.fit.loop import RecipeTrainer
from pipelines.training.fit.sequences import load_parts
from pipelines.training.fit.views import build_maker
from pipelines.training.labels import load_labels
from pipelines.training.loop import Trainer, build_optimiser
from tests.pipelines.training.bodies import clip, corpus, waving
from tests.pipelines.training.recipes import tiny_recipe, write_flat_set

STEPS, ROUNDS = 40, 3


def plain(network: nn.Module, optimiser: torch.optim.Optimizer, inputs: Tensor, label: Tensor) -> float:
    """Seconds of `STEPS` steps."""
    network.train()
    started = time.perf_counter()
    for _ in range(STEPS):
        loss = F.cross_entropy(network(inputs), label)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimiser.step()
    return time.perf_counter() - started


def everyday(preset: str) -> tuple[float, float]:
    """(plain, loop) seconds of an everyday preset."""
    config = load_config(preset, {"optim.steps": str(STEPS), "optim.warmup_steps": "0", "validate_steps": "100000"})
    table = load_labels()
    clips = [clip(index % 6, waving(60, index), is_3d=bool(index % 2)) for index in range(60)]
    trainer = Trainer(config, table, corpus(*clips), None)
    batch = trainer.draw()
    label = batch.label.clamp(min=0)
    alone = plain(trainer.network, build_optimiser(trainer.network, config.optim), batch.features, label)
    started = time.perf_counter()
    trainer.run(lambda _: None)
    return alone, time.perf_counter() - started


def recipe(network: str, folder: Path) -> tuple[float, float]:
    """(plain, loop) seconds of a recipe."""
    given = tiny_recipe(
        network, network={"options": {}}, optim={"steps": STEPS, "batch_size": 8}, data={"validation_share": 0},
        input={"num_frames": 64}, augment={"noise": 0.02, "rotate_deg": 10, "kept": [0.5, 1.0]},
        run={"look_every": 100000},
    )  # fmt: skip
    place = Place(torch.device("cpu"), Share())
    trainer = RecipeTrainer(given, load_parts(given, [folder]), build_maker(given), place)
    batch = trainer.batches.make(0)
    alone = plain(trainer.network, trainer.optimiser, batch.inputs[0], batch.label)
    started = time.perf_counter()
    trainer.run(lambda _: None)
    return alone, time.perf_counter() - started


def main() -> None:
    """Print samples/s of the loop as a share of the plain loop's, the median of several rounds side by side."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_flat_set(folder, num=48)
        measured: tuple[tuple[str, Callable[[], tuple[float, float]]], ...] = (
            ("everyday-tcn", lambda: everyday("everyday-tcn")),
            ("everyday", lambda: everyday("everyday")),
            ("recipe tcn", lambda: recipe("tcn", folder)),
            ("recipe stgcn++", lambda: recipe("stgcn++", folder)),
        )
        for what, measure in measured:
            pairs = [measure() for _ in range(ROUNDS)]
            shares = [alone / loop for alone, loop in pairs]
            print(
                f"{what}: {statistics.median(shares):.2f} of a plain loop ({np.round(shares, 2).tolist()})", flush=True
            )


if __name__ == "__main__":
    main()
