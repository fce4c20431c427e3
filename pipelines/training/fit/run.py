"""A recipe from its data to the folder of its run; what commands, studies and tests share."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from models.errors import CheckpointMismatch
from pipelines.training.fit import folder as files
from pipelines.training.fit.board import board
from pipelines.training.fit.devices import on_first, placed
from pipelines.training.fit.loop import Look, RecipeTrainer
from pipelines.training.fit.measure import Answer, torch_answer
from pipelines.training.fit.objective import Objective, build_network
from pipelines.training.fit.pace import Pace, quicken
from pipelines.training.fit.pictures import PictureSource, VideoFolder
from pipelines.training.fit.sequences import load_parts
from pipelines.training.fit.state import RunState, begin_from, load_state
from pipelines.training.fit.views import build_maker
from pipelines.training.recipe import Recipe


def train(
    recipe: Recipe, folders: Sequence[Path], out: Path, report: Callable[[Look, int], None], resume: bool = False
) -> bool:
    """Run a recipe into a folder; whether this process is the one that should go on to report.

    Raises PipelineError and ModelError: RunExists, ConfigInvalid, DatasetInvalid, DeviceUnavailable, ...
    """
    with placed(recipe.run) as place, ExitStack() as stack:
        on_first(place, lambda: stack.enter_context(files.claimed(out, recipe, resume)))
        parts = load_parts(recipe, folders)
        trainer = RecipeTrainer(recipe, parts, build_maker(recipe, pictures_of(recipe)), place)
        if resume and (out / files.CHECKPOINT).is_file():
            trainer.resume(out / files.CHECKPOINT)
        write = stack.enter_context(board(out, recipe.run.tensorboard and place.is_first))

        def tell(look: Look) -> None:
            report(look, trainer.steps)
            write(look)

        trainer.run(tell, out)
        return place.is_first


def pictures_of(recipe: Recipe) -> PictureSource | None:
    """Where a recipe's pictures come from, if it has any."""
    return VideoFolder(Path(recipe.data.videos)) if recipe.data.videos else None


def load_run(path: Path) -> RunState:
    """The best weights of a run's folder, or a checkpoint file; raises CheckpointMismatch."""
    if not path.is_dir():
        return load_state(path)
    for name in (files.BEST, files.CHECKPOINT):
        if (path / name).is_file():
            return load_state(path / name)
    raise CheckpointMismatch(f"{path}: holds neither {files.BEST} nor {files.CHECKPOINT}")


def objective_of(state: RunState) -> Objective:
    """The measured network of a stored moment, ready to answer."""
    network = build_network(state.recipe, len(state.classes))
    begin_from(network, state.average, "checkpoint")
    return Objective(state.recipe, network.eval()).eval()


def answer_of(state: RunState, device: torch.device, pace: Pace | None = None) -> Answer:
    """What the network of a stored moment answers; in full precision unless another pace is asked for."""
    pace, objective = pace or Pace(), objective_of(state).to(device)
    quicken(objective, pace)
    return torch_answer(objective, device, state.recipe.test.side, pace.dtype)
