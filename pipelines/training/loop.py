"""The training loop: draw, augment, features, step, average, look at the validation part."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.arrays import BoolArray, FloatArray, IntArray
from models.skeleton.features import require_features
from pipelines.training.augment import Augment, centred, cut, plain_camera, to_picture
from pipelines.training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from pipelines.training.config import OptimConfig, TrainConfig, WindowConfig
from pipelines.training.corpus import UNKNOWN, Corpus, denied_labels
from pipelines.training.fit.devices import require_device
from pipelines.training.fit.folder import require_same
from pipelines.training.labels import LabelTable
from pipelines.training.losses import everyday_loss
from pipelines.training.metrics import Scores, score, softmax
from pipelines.training.networks import OnePerson, build_network
from pipelines.training.sampling import Sampler


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. loss: mean since the last report; validation: None between two looks."""

    step: int
    steps: int
    loss: float
    lr: float
    steps_per_s: float
    validation: Scores | None


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's input. features: (B, T, 13, C); label: (B,) negative: unknown; denied: (B, K) labels ruled out."""

    features: Tensor
    label: Tensor
    denied: Tensor


class Trainer:
    """One run from its configuration; the same seed gives the same weights on the same machine.

    Raises DeviceUnavailable for a GPU that is not there.
    """

    def __init__(self, config: TrainConfig, table: LabelTable, train: Corpus, validation: Corpus | None) -> None:
        self.config, self.table = config, table
        torch.set_num_threads(config.threads)
        self._generator = np.random.default_rng(config.seed)
        self._drawn_state = dict(self._generator.bit_generator.state)
        self._train, self._validation = train, validation
        self._sampler = Sampler(train, table, config.data)
        self._augment = Augment(config.augment, table, config.window.num_frames, config.window.rate_hz)
        self._features = require_features(config.window.features)
        self.device = require_device(config.device)
        self.notes: dict[str, object] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.network = build_network(config.network, len(table.labels)).to(self.device)
            self._torch_state = torch.get_rng_state()
        self.average = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        self._optimiser = build_optimiser(self.network, config.optim)
        self.step = 0

    def run(self, report: Callable[[Progress], None], checkpoint: Path | None = None) -> None:
        """Train to the last step; a checkpoint is written at every look at the validation part and at the end."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._torch_state)
            for progress in self._steps():
                if checkpoint is not None and progress.validation is not None:
                    self._note(progress)
                    self.save(checkpoint)
                report(progress)
            self._torch_state = torch.get_rng_state()
            if checkpoint is not None:
                self.save(checkpoint)

    def _note(self, progress: Progress) -> None:
        """Keep what every look at the validation part saw."""
        assert progress.validation is not None
        seen = {"step": progress.step, "loss": progress.loss, "macro": progress.validation.macro}
        looks = self.notes.get("looks", [])
        assert isinstance(looks, list)
        self.notes |= {"validation_macro": progress.validation.macro, "looks": [*looks, seen]}

    def _steps(self) -> Iterator[Progress]:
        optim = self.config.optim
        losses: list[float] = []
        started, first = time.monotonic(), self.step
        for batch in self._batches(optim.steps - self.step):
            rate = learning_rate(self.step, optim)
            for group in self._optimiser.param_groups:
                group["lr"] = rate
            losses.append(self._learn(batch))
            self.step += 1
            self._update_average()
            looks = self.step % self.config.validate_steps == 0 or self.step == optim.steps
            if looks or self.step % 50 == 0:
                validation = self.validate() if looks and self._validation is not None else None
                per_s = (self.step - first) / max(time.monotonic() - started, 1e-9)
                yield Progress(self.step, optim.steps, float(np.mean(losses)), rate, per_s, validation)
                losses = []

    def _batches(self, count: int) -> Iterator[Batch]:
        """Batches, the next one made while the network learns from the last.

        The generator's state that is stored is that after the batch in hand, so that a resumed run draws the same.
        """

        def made() -> tuple[Batch, dict[str, object]]:
            return self.draw(), dict(self._generator.bit_generator.state)

        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            waiting = pool.submit(made) if count > 0 else None
            for index in range(count):
                assert waiting is not None
                batch, self._drawn_state = waiting.result()
                waiting = pool.submit(made) if index + 1 < count else None
                yield batch

    def draw(self) -> Batch:
        """The next batch."""
        drawn = self._sampler.draw(self.config.optim.batch_size, self._generator)
        keypoints, valid, label, denied = self._augment(self._train, drawn.index, drawn.tipped, self._generator)
        features = torch.from_numpy(self._features(keypoints, valid))
        return Batch(*(item.to(self.device) for item in (
            features, torch.from_numpy(label), torch.from_numpy(denied_labels(denied, len(self.table.labels))),
        )))  # fmt: skip

    def _learn(self, batch: Batch) -> float:
        self.network.train()
        logits = self.network(batch.features)
        loss = everyday_loss(logits, batch.label, batch.denied, self.config.optim.label_smoothing)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.optim.clip_norm)
        self._optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def _update_average(self) -> None:
        # A young average would remember the random start: its decay grows with the steps.
        decay = min(self.config.optim.ema, (1 + self.step) / (10 + self.step))
        for name, tensor in self.network.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.average[name].lerp_(tensor, 1 - decay)
            else:
                self.average[name].copy_(tensor)

    def averaged(self) -> OnePerson:
        """The network with averaged weights, ready to measure or export."""
        network = build_network(self.config.network, len(self.table.labels))
        network.load_state_dict(self.average)
        return network.eval()  # on the CPU, where it is measured

    def validate(self) -> Scores:
        """Scores of the averaged weights on the validation part, one window per clip."""
        assert self._validation is not None
        keypoints, valid, label, _ = clip_windows(self._validation, self.config.window)
        known = label != UNKNOWN
        logits = predict(self.averaged(), self._features(keypoints[known], valid[known]))
        return score(softmax(logits), label[known])

    def save(self, path: Path) -> None:
        """Write everything that taking up the run again needs."""
        save_checkpoint(
            Checkpoint(
                config=self.config,
                step=self.step,
                labels=self.table.labels,
                network=self.network.state_dict(),
                ema=self.average,
                optimiser=self._optimiser.state_dict(),
                numpy_state=self._drawn_state,
                torch_state=torch.get_rng_state(),
                notes=dict(self.notes),
            ),
            path,
        )

    def resume(self, path: Path) -> None:
        """Go on where a checkpoint of the same configuration stopped; raises CheckpointMismatch or ConfigInvalid."""
        found = load_checkpoint(path)
        had, wanted = (
            item.model_dump(mode="json", exclude={"device", "threads"}) for item in (found.config, self.config)
        )
        require_same(had, wanted, path)
        load_weights(self.network, found.network, path.name)
        self.average = {name: tensor.to(self.device, copy=True) for name, tensor in found.ema.items()}
        self._optimiser.load_state_dict(found.optimiser)
        self._generator.bit_generator.state = self._drawn_state = found.numpy_state
        self.notes = dict(found.notes)
        self._torch_state = found.torch_state
        self.step = found.step


def build_optimiser(network: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum or AdamW; biases, norms and learnt graphs do not decay."""
    decayed = [p for name, p in network.named_parameters() if p.ndim >= 2 and not name.endswith(".A")]
    kept = [p for name, p in network.named_parameters() if p.ndim < 2 or name.endswith(".A")]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.AdamW(groups, lr=config.lr)


def learning_rate(step: int, config: OptimConfig) -> float:
    """Linear from 0 over the warm-up, then a cosine to 0 at the last step."""
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(config.steps - config.warmup_steps, 1)
    return config.lr * 0.5 * (1 + float(np.cos(np.pi * share)))


def clip_windows(
    corpus: Corpus, window: WindowConfig, index: IntArray | None = None
) -> tuple[FloatArray, BoolArray, IntArray, BoolArray]:
    """Keypoints, valid, label and not_fall of the middle window of each clip, 3D seen from the front."""
    rows = np.arange(len(corpus)) if index is None else index
    windows = cut(corpus, rows, centred(corpus, rows, window.window_s), window.num_frames, window.rate_hz)
    return to_picture(windows, plain_camera(len(rows))), windows.valid, windows.label, windows.not_fall


@torch.no_grad()
def predict(network: nn.Module, features: FloatArray, batch_size: int = 256) -> FloatArray:
    """(B, K) logits of features (B, T, 13, C)."""
    network.eval()
    parts = [
        network(torch.from_numpy(features[start : start + batch_size])).numpy()
        for start in range(0, len(features), batch_size)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)
