"""CTR-GCN: every channel refines the shared graph by how two joints differ in it.

Paper:   Chen, Zhang, Yuan, Li, Deng, Hu: Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
         Recognition, ICCV 2021.
Taken:   the whole network, exact to PYSKL's: three learnt graphs, each plus alpha times a tanh of pairwise differences
         of the joints' mean over time, per channel; temporal unit of two dilated convolutions (kernel 5), max-pool and
         1x1, with a ReLU of its own before the residual sum; statistics of the input per slot.
Differs: the mean over time is taken before the 1x1 convolutions, which are linear, not after; the three subsets'
         convolutions run as one.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

import torch
from torch import Tensor, nn

from models.nets.layers import (
    DilatedTemporal,
    GraphConfig,
    GraphNetwork,
    Stage,
    add_residual,
    as_tensor,
    downsample,
    init_convolutions,
    residual,
    side_by_side,
)
from models.skeleton.graph import partition


class Refinement(nn.Module):
    """The convolutions of one subset: two that compare joints, one for the features, one from differences to links."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        relations = 8 if in_channels <= 16 else in_channels // 8
        self.conv1 = nn.Conv2d(in_channels, relations, 1)
        self.conv2 = nn.Conv2d(in_channels, relations, 1)
        self.conv3 = nn.Conv2d(in_channels, out_channels, 1)
        self.conv4 = nn.Conv2d(relations, out_channels, 1)

    def forward(self, mean: Tensor) -> Tensor:
        """(P, C, 1, V) means over time to the (P, C', V, V) refinement of the links."""
        giver, taker = self.conv1(mean), self.conv2(mean)
        refined: Tensor = self.conv4(torch.tanh(giver.transpose(2, 3) - taker))
        return refined


class RefinedGraphConv(nn.Module):
    """Graph convolution with links of each sample and channel: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        self.A = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.convs = nn.ModuleList(Refinement(in_channels, out_channels) for _ in adjacency)
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = downsample(in_channels, out_channels)
        self.act = nn.ReLU()
        init_convolutions(self)
        nn.init.constant_(self.bn.weight, 1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        P, _, T, V = x.shape
        K = len(self.A)
        features = side_by_side([conv.get_submodule("conv3") for conv in self.convs], x).reshape(P, K, -1, T, V)
        y = (features @ self.links(x.mean(dim=2, keepdim=True))).sum(dim=1)
        out: Tensor = self.act(self.bn(y) + self.down(x))
        return out

    def links(self, mean: Tensor) -> Tensor:
        """(P, K, C', V, V) graph of each sample, subset and channel."""
        refined = torch.stack([conv(mean) for conv in self.convs], dim=1)
        return self.A[:, None] + self.alpha * refined


class Block(nn.Module):
    """Refined graph convolution, temporal unit, residual: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Tensor, dropout: float) -> None:
        super().__init__()
        self.gcn1 = RefinedGraphConv(stage.in_channels, stage.out_channels, adjacency)
        inner = Stage(stage.out_channels, stage.out_channels, stage.stride, has_residual=False)
        self.tcn1 = DilatedTemporal(inner, 5, (1, 2), dropout)
        self.residual = residual(stage)
        self.act = nn.ReLU()
        init_convolutions(self.tcn1)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out: Tensor = self.act(add_residual(self.tcn1(self.gcn1(x)), self.residual, x))
        return out


class CTRGCN(GraphNetwork):
    """CTR-GCN for any layout, width and depth: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config, config.out_channels, per_slot=True)
        adjacency = as_tensor(partition(config.layout, "spatial"))
        self.net = nn.ModuleList(
            Block(stage, adjacency, config.dropout if stage.has_residual else 0.0) for stage in config.stages()
        )

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for block in self.net:
            people = block(people)
        return people
