"""ST-GCN++: ST-GCN with a learnt graph, a residual inside the graph layer and a six-branch temporal unit.

Paper:   Duan, Wang, Chen, Lin: PYSKL: Towards Good Practices for Skeleton Action Recognition, ACM MM 2022.
Taken:   the whole network, exact to the authors' implementation: ten stages of 64-64-64-64-128-128-128-256-256-256
         channels, time halved at stages 5 and 8, three subsets (itself, inward, outward) whose links are learnt freely,
         statistics of the input shared by all people.
Differs: nothing in the numbers. Sums over subsets are one batched matrix product instead of an einsum.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

from torch import Tensor, nn

from models.nets.layers import (
    GraphConfig,
    GraphNetwork,
    MultiBranchTemporal,
    Stage,
    add_residual,
    aggregate,
    as_tensor,
    downsample,
    residual,
)
from models.skeleton.graph import partition


class AdaptiveGraphConv(nn.Module):
    """Graph convolution whose adjacency starts as the skeleton's and is learnt: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        self.A = nn.Parameter(adjacency.clone())
        self.conv = nn.Conv2d(in_channels, out_channels * len(adjacency), 1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = downsample(in_channels, out_channels)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        out: Tensor = self.act(self.bn(aggregate(self.conv(x), self.A)) + self.down(x))
        return out


class Block(nn.Module):
    """Graph convolution, temporal unit, residual: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Tensor, dropout: float) -> None:
        super().__init__()
        self.gcn = AdaptiveGraphConv(stage.in_channels, stage.out_channels, adjacency)
        self.tcn = MultiBranchTemporal(stage.out_channels, stage.stride, dropout if stage.has_residual else 0.0)
        self.residual = residual(stage)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out: Tensor = self.act(add_residual(self.tcn(self.gcn(x)), self.residual, x))
        return out


class STGCNPP(GraphNetwork):
    """ST-GCN++ for any layout, width and depth: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config, config.out_channels, per_slot=False)
        adjacency = as_tensor(partition(config.layout, "spatial"))
        self.gcn = nn.ModuleList(Block(stage, adjacency, config.dropout) for stage in config.stages())

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for block in self.gcn:
            people = block(people)
        return people
