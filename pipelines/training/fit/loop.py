"""The training loop of a recipe: make a batch, step, average, look at the validation part, store."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from models.nets.build import require_network
from pipelines.training.fit import folder as files
from pipelines.training.fit.batches import Batch, BatchMaker, ahead
from pipelines.training.fit.devices import Place, on_first
from pipelines.training.fit.masked import MaskedJoints
from pipelines.training.fit.measure import measure, torch_answer
from pipelines.training.fit.objective import Objective, build_network
from pipelines.training.fit.optimise import Average, build_optimiser, learning_rate
from pipelines.training.fit.sequences import RunParts
from pipelines.training.fit.state import RunState, begin_from, freeze_backbone, load_state, save_state, weights_of
from pipelines.training.fit.views import Maker
from pipelines.training.recipe import Recipe
from pipelines.training.recipe_sections import TestSection

_REPORT_STEPS = 20


@dataclass(frozen=True, slots=True)
class Look:
    """A line of a run's history. loss: mean since the look before; the rest of the validation part, nan without."""

    step: int
    loss: float
    lr: float
    samples_per_s: float
    validation_top1: float = float("nan")
    validation_macro: float = float("nan")
    validation_loss: float = float("nan")


@dataclass(slots=True)
class Best:
    """The best look so far, and how many came after it."""

    step: int = -1
    macro: float = -1.0
    looks_since: int = 0


@dataclass(slots=True)
class _Window:
    """What happened since the last look."""

    losses: list[Tensor] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def mean(self) -> float:
        """Mean loss; read from the device only here, so that steps need not wait."""
        return float(torch.stack(self.losses).mean()) if self.losses else float("nan")


class RecipeTrainer:
    """One run of a recipe in one process; the same seed and step give the same weights on the same CPU."""

    def __init__(self, recipe: Recipe, parts: RunParts, maker: Maker, place: Place) -> None:
        self.recipe, self.place, self.maker = recipe, place, maker
        self.classes = parts.train.classes
        self.batches = BatchMaker(recipe, maker, maker.prepare(parts.train), place.share)
        # Pretraining tells no classes: its last weights count.
        looks = parts.validation is not None and recipe.loss.name != "masked_joints"
        self.validation = maker.prepare(parts.validation) if looks and parts.validation is not None else None
        self.network = self._begin().to(place.device)
        self.objective = Objective(recipe, self.network).to(place.device)
        if recipe.run.compile:
            self.objective.answer = torch.compile(self.network)
        self.average = Average(self.network, recipe.optim.ema) if recipe.optim.ema else None
        self.optimiser = build_optimiser(self.network, recipe.optim)
        self.stepper: nn.Module = self.objective
        if place.share.world > 1:
            # Not every loss reaches every parameter (STF's views, branches without a head of their own).
            self.stepper = DistributedDataParallel(self.objective, find_unused_parameters=True)
        self.step, self.best = 0, Best()

    def _begin(self) -> nn.Module:
        recipe = self.recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            network = build_network(recipe, len(self.classes))
        if recipe.network.init:
            unread = require_network(recipe.network.name).unread
            begin_from(network, weights_of(Path(recipe.network.init), network), recipe.network.init, unread)
        if recipe.network.freeze == "backbone":
            freeze_backbone(network)
        if recipe.loss.name == "masked_joints":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed + 1)
                return MaskedJoints(network, recipe.loss.hidden)
        return network

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.batches.plan.steps

    def run(self, report: Callable[[Look], None], out: Path | None = None) -> None:
        """Train to the last step, or until looks bring nothing more; `out` gets checkpoints and history."""
        if self._is_done():
            return
        history = files.read_history(out, self.step) if out is not None else []
        window = _Window()
        with torch.random.fork_rng(devices=[self.place.device] if self.place.device.type == "cuda" else []):
            for batch in ahead(self.batches.make, self.step, self.steps, self.recipe.run.workers):
                window.losses.append(self._learn(batch.to(self.place.device)))
                self.step += 1
                is_last, looks = self.step == self.steps, self.step % self._look_steps() == 0
                if not (looks or is_last):
                    if self.step % _REPORT_STEPS == 0:
                        report(self._look(window))
                    continue
                look = on_first(self.place, lambda: self._validated(window))  # noqa: B023 - called at once
                history.append(asdict(look))
                self._note(look)
                if out is not None:
                    on_first(self.place, lambda: self._store(out, history, look))  # noqa: B023 - called at once
                report(look)
                window = _Window()
                if self._is_done():
                    return

    def _is_done(self) -> bool:
        return self.step >= self.steps or 0 < self.recipe.run.patience <= self.best.looks_since

    def _look_steps(self) -> int:
        return self.batches.plan.in_steps(self.recipe.run.look_every, self.recipe.optim)

    def _learn(self, batch: Batch) -> Tensor:
        """One step; the loss stays on the device."""
        recipe = self.recipe
        # Dropout depends on the step alone: a run that was killed goes on with the same draws.
        torch.manual_seed((recipe.seed * 1_000_003 + self.step) * 1009 + self.place.share.rank)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.objective.train()
        if recipe.network.freeze == "backbone":
            _hold_statistics(self.network)
        loss = self._descend(lambda: self.stepper(batch.inputs, batch.label, batch.other, batch.share))
        if recipe.loss.name == "stf" and recipe.loss.exploration:
            self._descend(lambda: self.objective.explore(batch.inputs), is_explored=True)
        if self.average is not None:
            self.average.update(self.network, self.step + 1)
        return loss

    def _descend(self, compute: Callable[[], Tensor], is_explored: bool = False) -> Tensor:
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.place.device.type, torch.bfloat16, enabled=self.recipe.run.precision == "bf16"):
            loss = compute()
        torch.autograd.backward(loss)
        if is_explored and self.place.share.world > 1:
            _mean_gradients(self.network, self.place.share.world)
        if self.recipe.optim.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optim.clip_norm)
        self.optimiser.step()
        return loss.detach()

    def _rate(self) -> float:
        plan, optim = self.batches.plan, self.recipe.optim
        return learning_rate(self.step, plan.steps, plan.in_steps(1, optim), optim)

    def _look(self, window: _Window) -> Look:
        seconds = max(time.monotonic() - window.started, 1e-9)
        samples = len(window.losses) * self.batches.plan.batch_size
        return Look(self.step, window.mean(), self._rate(), samples / seconds)

    def _validated(self, window: _Window) -> Look:
        look = self._look(window)
        if self.validation is None:
            return look
        answer = torch_answer(Objective(self.recipe, self.averaged()).to(self.place.device), self.place.device)
        found = measure(answer, self.maker, self.validation, TestSection())
        scores = found.scores()
        return Look(look.step, look.loss, look.lr, look.samples_per_s, scores.top1, scores.macro, found.loss())

    def _note(self, look: Look) -> None:
        if look.validation_macro != look.validation_macro:  # nan: no validation part, the last weights count
            self.best = Best(look.step)
        elif look.validation_macro > self.best.macro:
            self.best = Best(look.step, look.validation_macro)
        else:
            self.best.looks_since += 1

    def averaged(self) -> nn.Module:
        """The network that is measured: averaged weights, or the raw ones where nothing is averaged."""
        network = build_network(self.recipe, len(self.classes)).to(self.place.device)
        network.load_state_dict(self.network.state_dict() if self.average is None else self.average.values)
        return network.eval()

    def _store(self, out: Path, history: list[dict[str, float]], look: Look) -> None:
        if self.best.step == look.step:
            save_state(self.state(has_optimiser=False), out / files.BEST)
        # The checkpoint comes last: what stands in the history beyond it is forgotten when a killed run is taken up.
        files.write_history(out, history)
        save_state(self.state(), out / files.CHECKPOINT)

    def state(self, has_optimiser: bool = True) -> RunState:
        """This moment of the run."""
        network = self.network.state_dict()
        return RunState(
            self.recipe, self.step, self.classes, network, network if self.average is None else self.average.values,
            self.optimiser.state_dict() if has_optimiser else {}, {"best": asdict(self.best)},
        )  # fmt: skip

    def resume(self, path: Path) -> None:
        """Go on where a checkpoint stopped; raises CheckpointMismatch."""
        found = load_state(path)
        begin_from(self.network, found.network, path.name)
        if self.average is not None:
            self.average.load(found.average)
        self.optimiser.load_state_dict(found.optimiser)
        self.step, self.best = found.step, Best(**found.notes["best"])


def _hold_statistics(network: nn.Module) -> None:
    """Batch norms of a frozen network keep the statistics that it was trained with."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _mean_gradients(network: nn.Module, world: int) -> None:
    """Average gradients over the processes, for a loss that does not go through DDP's forward."""
    for parameter in network.parameters():
        if parameter.grad is not None:
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= world
