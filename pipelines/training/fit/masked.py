"""Pretraining without labels: a graph network must tell hidden joints from those that it still sees.

In the spirit of He et al.: Masked Autoencoders Are Scalable Vision Learners, CVPR 2022, on joints and time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.errors import ModelUnknown
from models.nets.layers import GraphNetwork

_STRETCH_FRAMES = 8
"""A joint is hidden for stretches of so many frames: a single frame could be guessed from its neighbours."""


class MaskedJoints(nn.Module):
    """A network, and a small decoder from its feature map to joints; `forward` gives the loss of a batch.

    Raises ModelUnknown for a network without a feature map per joint.
    """

    def __init__(self, network: nn.Module, hidden: float) -> None:
        super().__init__()
        if not isinstance(network, GraphNetwork):
            raise ModelUnknown(
                f"{type(network).__name__} has no feature map per joint: pretraining takes graph networks"
            )
        self.network, self.hidden = network, hidden
        self.decoder = nn.Conv2d(network.fc_cls.in_features, network.person_shape[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """The error of hidden joints as a share of their variance: (B, M, T, V, C) to a number."""
        B, M, T, V, C = x.shape
        there = (x != 0).any(dim=-1, keepdim=True)
        mask = self.mask(B * M, T, V, x.device).reshape(B, M, T, V, 1) & there
        encoded = self.network.encode(self.network.normalise(x.masked_fill(mask, 0.0)))
        guess = self.decoder(F.interpolate(encoded, size=(T, V), mode="bilinear", align_corners=False))
        guess = guess.permute(0, 2, 3, 1).reshape(B, M, T, V, C).float()
        spread = x[there.expand_as(x)].var().clamp(min=1e-6)
        error = ((guess - x) ** 2).masked_fill(~mask, 0.0).sum()
        share: Tensor = error / (mask.sum().clamp(min=1) * C * spread)
        return share

    def mask(self, people: int, T: int, V: int, device: torch.device) -> Tensor:
        """(P, T, V) True where a joint is hidden."""
        stretches = torch.rand(people, T // _STRETCH_FRAMES + 1, V, device=device) < self.hidden
        return stretches.repeat_interleave(_STRETCH_FRAMES, dim=1)[:, :T]
