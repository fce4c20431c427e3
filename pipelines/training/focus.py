"""STF's losses on the focus of classes: exploration, divergence, graph agreement, consistency.

Source: Ke, Peng, Lyu: Towards To-a-T Spatio-Temporal Focus for Skeleton-Based Action Recognition, AAAI 2022 (seed 002).
Optimising exploration and divergence together is unstable, so exploration is a step of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from models.nets.stf import FocusNetwork, Observation, focus, scaled, stretched


@dataclass(frozen=True, slots=True)
class FocusWeights:
    """Weights of the losses, chosen so that the terms are of one order of magnitude; 0 leaves one out."""

    exploration: float = 0.1
    divergence: float = 0.1
    graph: float = 0.1
    consistency: float = 0.1


def divergence_loss(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Minus the distance between the focus of the two likeliest classes, mean over modules and people.

    first, second: per module (P, T, V).
    """
    return -torch.stack([_distance(scaled(a), scaled(b)) for a, b in zip(first, second, strict=True)]).mean()


def consistency_loss(modules: Sequence[Tensor]) -> Tensor:
    """The distance between the focus of neighbouring modules, at the later one's frames; zero with one module."""
    pairs = [_distance(stretched(scaled(early), late.shape[1]), scaled(late)) for early, late in pairwise(modules)]
    return torch.stack(pairs).mean() if pairs else torch.zeros(())


def graph_loss(modules: Sequence[Tensor], views: Sequence[Tensor]) -> Tensor:
    """The distance between each module's focus and the view that its instance graph is made from."""
    pairs = [
        _distance(stretched(scaled(q), view.shape[1]).detach(), view) for q, view in zip(modules, views, strict=True)
    ]
    return torch.stack(pairs).mean()


def exploration_loss(network: FocusNetwork, x: Tensor, observation: Observation, classes: Tensor) -> Tensor:
    """The probability that is left for the predicted class once what was looked at is hidden.

    x: (B, M, T, V, C). The focus of the last module, stretched to the input's frames, hides joints in proportion.
    """
    B, M, T, V, _ = x.shape
    seen = stretched(scaled(focus(observation, classes)[-1]), T).reshape(B, M, T, V, 1).detach()
    hidden = network(x * (1 - seen))
    return F.softmax(hidden, dim=1).gather(1, classes[:, None]).mean()


def focus_loss(observation: Observation, label: Tensor, weights: FocusWeights) -> Tensor:
    """Cross-entropy, divergence, graph agreement and consistency; exploration is `exploration_step`'s."""
    total = F.cross_entropy(observation.logits, label)
    top = observation.logits.topk(2, dim=1).indices
    first = focus(observation, top[:, 0], is_trained=True)
    if weights.divergence:
        total = total + weights.divergence * divergence_loss(first, focus(observation, top[:, 1], is_trained=True))
    if weights.graph:
        total = total + weights.graph * graph_loss(first, observation.views)
    if weights.consistency:
        total = total + weights.consistency * consistency_loss(first)
    return total


def train_step(
    network: FocusNetwork, optimiser: torch.optim.Optimizer, x: Tensor, label: Tensor, weights: FocusWeights
) -> float:
    """One step on the joint losses, then, where it is wanted, one on exploration alone; returns the first loss."""
    loss = _step(optimiser, lambda: focus_loss(network.observe(x), label, weights))
    if weights.exploration:

        def explore() -> Tensor:
            observation = network.observe(x)
            classes = observation.logits.argmax(dim=1)
            return weights.exploration * exploration_loss(network, x, observation, classes)

        _step(optimiser, explore)
    return loss


def _step(optimiser: torch.optim.Optimizer, compute: Callable[[], Tensor]) -> float:
    optimiser.zero_grad()
    loss = compute()
    torch.autograd.backward(loss)
    optimiser.step()
    return float(loss.detach())


def _distance(a: Tensor, b: Tensor) -> Tensor:
    """Root mean square difference per person, so that length and joints do not change its order; its mean."""
    # The root's slope is infinite at nothing: a little is added.
    return ((a - b) ** 2).mean(dim=(1, 2)).add(1e-8).sqrt().mean()
