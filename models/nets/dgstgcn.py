"""DG-STGCN: no given skeleton; graphs are learnt, and each sample adds its own by channel and by pair.

Paper:   Duan, Wang, Chen, Lin: DG-STGCN: Dynamic Spatial-Temporal Modeling for Skeleton-based Action Recognition, 2022.
Taken:   the whole network, exact to PYSKL's: eight random graphs, plus alpha times a tanh of pairwise differences per
         channel, plus beta times a softmax of pairwise products; a temporal unit that appends the joints' mean as one
         more joint and gives it back to each joint with a learnt coefficient.
Differs: nothing in the numbers. `add_coeff` always has 25 entries, of which the first V are read, and of alpha and beta
         only entry 0 is, because published checkpoints have those shapes.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

import numpy as np
import torch
from torch import Tensor, nn

from models.nets.layers import (
    GraphConfig,
    GraphNetwork,
    MultiBranchTemporal,
    Stage,
    add_residual,
    as_tensor,
    downsample,
    pointwise,
    residual,
)
from models.skeleton.graph import random_partition

_NUM_SUBSETS = 8
_MOST_JOINTS = 25


class DynamicGraphConv(nn.Module):
    """Graph convolution whose links are learnt and moved by each sample: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        K = len(adjacency)
        inner = out_channels // K * K
        self.A = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(K))
        self.beta = nn.Parameter(torch.zeros(K))
        self.pre = nn.Sequential(*pointwise(in_channels, inner))
        self.post = nn.Conv2d(inner, out_channels, 1)
        self.conv1 = nn.Conv2d(in_channels, inner, 1)
        self.conv2 = nn.Conv2d(in_channels, inner, 1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = downsample(in_channels, out_channels)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        P, _, T, V = x.shape
        K = len(self.A)
        spread = self.pre(x).reshape(P, K, -1, T, V) @ self.links(x.mean(dim=2))
        out: Tensor = self.act(self.bn(self.post(spread.reshape(P, -1, T, V))) + self.down(x))
        return out

    def links(self, mean: Tensor) -> Tensor:
        """(P, C, V) means over time to the (P, K, C'/K, V, V) graph of each sample, subset and channel."""
        P, _, V = mean.shape
        K = len(self.A)
        giver = self.conv1(mean[:, :, None]).reshape(P, K, -1, V)
        taker = self.conv2(mean[:, :, None]).reshape(P, K, -1, V)
        by_channel = torch.tanh(giver[..., :, None] - taker[..., None, :]) * self.alpha[0]
        by_pair = torch.softmax(giver.transpose(2, 3) @ taker, dim=-2) * self.beta[0]
        return by_channel + (by_pair + self.A)[:, :, None]


class DynamicTemporal(MultiBranchTemporal):
    """The six branches, run over the joints and their mean: (P, C, T, V) to (P, C, T/stride, V)."""

    def __init__(self, channels: int, stride: int, dropout: float, num_joints: int) -> None:
        super().__init__(channels, stride, dropout)
        self.add_coeff = nn.Parameter(torch.zeros(max(_MOST_JOINTS, num_joints)))

    def mix(self, x: Tensor) -> Tensor:
        """The branches side by side, each joint with its share of what they make of the mean joint."""
        V = x.shape[-1]
        mixed = super().mix(torch.cat([x, x.mean(dim=-1, keepdim=True)], dim=-1))
        return mixed[..., :V] + mixed[..., V:] * self.add_coeff[:V]


class Block(nn.Module):
    """Dynamic graph convolution, temporal unit, residual: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Tensor, dropout: float) -> None:
        super().__init__()
        self.gcn = DynamicGraphConv(stage.in_channels, stage.out_channels, adjacency)
        self.tcn = DynamicTemporal(stage.out_channels, stage.stride, dropout, adjacency.shape[-1])
        self.residual = residual(stage)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out: Tensor = self.act(add_residual(self.tcn(self.gcn(x)), self.residual, x))
        return out


class DGSTGCN(GraphNetwork):
    """DG-STGCN for any layout, width and depth; `seed` draws the graphs it starts from: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig, seed: int = 0) -> None:
        super().__init__(config, config.out_channels, per_slot=False)
        adjacency = as_tensor(random_partition(len(config.layout), _NUM_SUBSETS, np.random.default_rng(seed)))
        self.gcn = nn.ModuleList(
            Block(stage, adjacency, config.dropout if stage.has_residual else 0.0) for stage in config.stages()
        )

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for block in self.gcn:
            people = block(people)
        return people
