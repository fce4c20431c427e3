"""Optimiser, learning rate and averaged weights."""

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.training.recipe_sections import OptimSection


def build_optimiser(network: nn.Module, config: OptimSection) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW, over the parameters that learn."""
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    kept = [] if config.decay_all else [parameter for name, parameter in named if _is_small(name, parameter)]
    decayed = [parameter for name, parameter in named if config.decay_all or not _is_small(name, parameter)]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}]
    if kept:
        groups.append({"params": kept, "weight_decay": 0.0})
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.AdamW(groups, lr=config.lr)


def _is_small(name: str, parameter: Tensor) -> bool:
    """Biases, norms and learnt graphs."""
    return parameter.ndim < 2 or name.endswith((".A", ".PA"))


def learning_rate(step: int, steps: int, unit: int, config: OptimSection) -> float:
    """The rate of a step: linear over the warm-up, then as the schedule says.

    unit: steps of one pass where the recipe counts in passes, else 1.
    """
    warmup = config.warmup * unit
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "step":
        fallen = sum(step >= milestone * unit for milestone in config.milestones)
        return config.lr * config.gamma**fallen
    share = (step - warmup) / max(steps - warmup, 1)
    return config.lr * 0.5 * (1 + float(np.cos(np.pi * share)))


class Average:
    """Exponentially averaged weights, on the device of the network."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after a step; a young average would remember the random start, so its decay grows."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.dtype.is_floating_point:
                self.values[name].lerp_(tensor, 1 - decay)
            else:
                self.values[name].copy_(tensor)

    def load(self, values: dict[str, Tensor]) -> None:
        """Go on from stored values, wherever they were stored from."""
        for name, tensor in values.items():
            self.values[name].copy_(tensor)
