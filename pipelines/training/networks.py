"""The network that a configuration names in the table of models/nets/build.py, and the shape in which it is served."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.nets.build import NetworkRequest, require_network
from models.skeleton.features import EVERYDAY13_CHANNELS
from models.skeleton.layouts import require_layout
from pipelines.training.config import NetworkConfig

LAYOUT = "body13"


class OnePerson(nn.Module):
    """A network for one person's windows: (B, T, V, C) to (B, K), what training and serving both call."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        """(B, T, V, C) features to (B, K) logits."""
        logits: Tensor = self.network(features.unsqueeze(1))
        return logits


class MeanOf(nn.Module):
    """Networks of one recipe that differ in their seed: the mean of their logits, as deep ensembles are averaged.

    Lakshminarayanan, Pritzel, Blundell: Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles,
    NeurIPS 2017; they average probabilities, the mean of logits is their geometric mean and needs one temperature.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """What each member takes, to (B, K) logits."""
        return torch.stack([member(x) for member in self.members]).mean(dim=0)


def build_network(config: NetworkConfig, num_classes: int) -> OnePerson:
    """The network that a configuration names, with random weights; raises ModelUnknown."""
    entry = require_network(config.name)
    # The temporal network has no stages to choose; presets may still carry the numbers.
    options = config.model_dump(include=set(entry.options.model_fields))
    return OnePerson(
        entry.build(
            NetworkRequest(
                require_layout(LAYOUT), num_classes, num_persons=1, in_channels=EVERYDAY13_CHANNELS, options=options
            )
        )
    )
