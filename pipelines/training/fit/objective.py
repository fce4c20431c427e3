"""What a step computes: inputs to logits to one loss, in one module, so that DDP, autocast and compilation wrap it."""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.build import NetworkRequest, require_network
from models.nets.heatmap_input import KeypointsToHeatmaps
from models.nets.slnl import SLnLrFA
from models.nets.stf import FocusNetwork
from pipelines.training.fit.views import in_channels, limbs_of, network_layout
from pipelines.training.focal import focal_loss, soft_margin_focal_loss
from pipelines.training.focus import FocusWeights, exploration_loss, focus_loss
from pipelines.training.recipe import Recipe
from pipelines.training.recipe_sections import LossSection


def build_network(recipe: Recipe, num_classes: int) -> nn.Module:
    """The network that a recipe names, with random weights; raises ModelError."""
    layout = network_layout(recipe)
    is_limb = recipe.input.stream == "limb"
    return require_network(recipe.network.name).build(
        NetworkRequest(
            layout,
            num_classes,
            recipe.input.num_persons,
            in_channels(recipe),
            options=recipe.network.options,
            num_maps=len(limbs_of(layout)) if is_limb else len(layout),
        )
    )


class DrawnHeatmaps(KeypointsToHeatmaps):
    """Heatmaps of joints that are in their pixels already: (B, M, T, V, 3) to (B, V or L, T, size, size)."""

    def forward(self, x: Tensor, size_wh: Tensor | None = None) -> Tensor:  # noqa: ARG002 - nothing is cut out here
        """(B, M, T, V, 3) to (B, V or L, T, size, size)."""
        xy, score = x[..., :2], x[..., 2]
        return self._joints(xy, score) if self.limbs is None else self._segments(xy, score, self.limbs)


class Objective(nn.Module):
    """A network with what stands before it (heatmaps) and after it (the loss).

    `forward` gives the loss of a batch; `logits` the answers, the mean over heads where there are several.
    """

    def __init__(self, recipe: Recipe, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        limbs = limbs_of(network_layout(recipe)) if recipe.input.stream == "limb" else None
        self.limbs = limbs
        self.answer: Callable[..., Tensor | tuple[Tensor, ...]] = network

    def forward(self, inputs: tuple[Tensor, ...], label: Tensor, other: Tensor, share: float) -> Tensor:
        """The loss of a batch."""
        inputs = self.drawn(inputs)
        loss = self.recipe.loss
        if loss.name == "masked_joints":
            return cast("Tensor", self.network(inputs[0]))
        if loss.name == "stf":
            network = cast("FocusNetwork", self.network)
            return focus_loss(network.observe(inputs[0]), label, _focus_weights(loss))
        heads = self._heads(inputs)
        total = _mean(heads, label, loss)
        return total if share == 1.0 else share * total + (1 - share) * _mean(heads, other, loss)

    def explore(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """STF's exploration loss, a step of its own."""
        network = cast("FocusNetwork", self.network)
        observation = network.observe(inputs[0])
        classes = observation.logits.argmax(dim=1)
        return self.recipe.loss.exploration * exploration_loss(network, inputs[0], observation, classes)

    @torch.no_grad()
    def logits(self, inputs: tuple[Tensor, ...], side: int = 0) -> Tensor:
        """(B, K) answers: of two paths the mean of their probabilities' logarithms, as they are fused when served."""
        found = self.answer(*self.drawn(inputs, side))
        if isinstance(found, Tensor):
            return found
        return torch.stack([F.log_softmax(part, dim=1).exp() for part in found]).mean(dim=0).clamp(min=1e-12).log()

    @torch.no_grad()
    def drawn(self, inputs: tuple[Tensor, ...], side: int = 0) -> tuple[Tensor, ...]:
        """Inputs with joints in heatmap pixels (the last one) drawn as heatmaps, where the network takes those."""
        if self.recipe.input.features not in ("heatmap", "rgbpose"):
            return inputs
        draw = DrawnHeatmaps(side or self.recipe.input.side, self.limbs)
        return (*inputs[:-1], draw(inputs[-1].float()))

    def _heads(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self.recipe.loss.name == "pseudo_multi_task":
            return cast("SLnLrFA", self.network).branches(inputs[0])
        found = self.answer(*inputs)
        return (found,) if isinstance(found, Tensor) else found


def _mean(heads: tuple[Tensor, ...], label: Tensor, loss: LossSection) -> Tensor:
    """Mean over the batch of the sum over heads; each head learns the one task apart."""
    parts = [_one(logits.float(), label, loss).mean() for logits in heads]
    return torch.stack(parts).sum()


def _one(logits: Tensor, label: Tensor, loss: LossSection) -> Tensor:
    """(B,) loss of one head."""
    if loss.name == "cross_entropy":
        return F.cross_entropy(logits, label, label_smoothing=loss.smoothing, reduction="none")
    if loss.name == "focal":
        return focal_loss(logits, label, loss.gamma)
    return soft_margin_focal_loss(logits, label, loss.gamma, loss.margin)


def _focus_weights(loss: LossSection) -> FocusWeights:
    return FocusWeights(loss.exploration, loss.divergence, loss.graph, loss.consistency)
