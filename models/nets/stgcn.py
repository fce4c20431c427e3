"""ST-GCN: graph convolution over the joints of a frame, then convolution over nine frames, ten times.

Papers:  Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks, AAAI 2018; the options are those compared by
         Nagy, Panesar, Qian: ST-GCNs for Skeleton-based Action Recognition, KTH 2020.
Taken:   the defaults are exact to PYSKL's ST-GCN (ten stages, learnt edge importance, batch norm before and after the
         temporal convolution). Of Nagy et al.: partitions uniform, distance, spatial configuration and
         symmetrical; edge importance on or off; symmetric scaling (their equation 5); dropout; 9 or 12 layers after the
         first (`TWELVE_LAYERS`); batch norm before, after or on both sides; no, plain or full pre-activation residual.
Differs: the first stage has a temporal convolution too, as in PYSKL (Nagy et al.: a graph layer only); "closer to the
         centre" is counted in bones, not measured on the training set.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

from dataclasses import dataclass
from typing import Literal, TypedDict

import torch
from torch import Tensor, nn

from models.nets.layers import GraphConfig, GraphNetwork, Stage, TemporalConv, aggregate, as_tensor, residual
from models.skeleton.graph import Adjacency, Partition, normalise_symmetric, partition


class Depth(TypedDict):
    """The part of a GraphConfig that says how deep a network is."""

    num_stages: int
    inflate_stages: tuple[int, ...]
    down_stages: tuple[int, ...]


NINE_LAYERS: Depth = {"num_stages": 10, "inflate_stages": (5, 8), "down_stages": (5, 8)}
TWELVE_LAYERS: Depth = {"num_stages": 12, "inflate_stages": (5, 9), "down_stages": (5, 9)}


@dataclass(frozen=True, slots=True)
class STGCNOptions:
    """What Nagy et al. varied; the defaults are PYSKL's.

    scaling:         "average" divides by the number of neighbours, "symmetric" is equation 5 of Nagy et al.
    edge_importance: learn a factor for each link of each layer, starting at 1.
    norm:            batch norm before or after the temporal convolution, or both.
    residual:        none, around the block and then ReLU, or full pre-activation (norm, ReLU, weights, twice).
    """

    partition: Partition = "stgcn_spatial"
    scaling: Literal["average", "symmetric"] = "average"
    edge_importance: bool = True
    norm: Literal["before", "after", "both"] = "both"
    residual: Literal["none", "plain", "pre_activation"] = "plain"

    def adjacency(self, config: GraphConfig) -> Adjacency:
        """(K, V, V) graph of the layout under these options."""
        subsets = partition(config.layout, self.partition)
        return normalise_symmetric(subsets) if self.scaling == "symmetric" else subsets


DEFAULT_OPTIONS = STGCNOptions()


class GraphConv(nn.Module):
    """One weight per subset of the neighbourhood: (P, C, T, V) to (P, C', T, V), without activation."""

    def __init__(self, stage: Stage, adjacency: Tensor, options: STGCNOptions) -> None:
        super().__init__()
        self.A: Tensor
        self.register_buffer("A", adjacency.clone())
        self.PA = nn.Parameter(torch.ones_like(adjacency)) if options.edge_importance else None
        self.conv = nn.Conv2d(stage.in_channels, stage.out_channels * len(adjacency), 1)
        width = stage.in_channels if options.residual == "pre_activation" else stage.out_channels
        self.bn = nn.BatchNorm2d(width) if options.norm in {"before", "both"} else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V); the norm is the block's to place."""
        adjacency = self.A if self.PA is None else self.A * self.PA
        return aggregate(self.conv(x), adjacency)


class Block(nn.Module):
    """Graph convolution, temporal convolution, residual: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Tensor, options: STGCNOptions, dropout: float) -> None:
        super().__init__()
        if options.residual == "none":
            stage = stage._replace(has_residual=False)
        self.is_pre_activated = options.residual == "pre_activation"
        self.gcn = GraphConv(stage, adjacency, options)
        widths = (stage.out_channels, stage.out_channels)
        self.tcn = TemporalConv(widths, 9, stage.stride, has_norm=options.norm in {"after", "both"})
        self.residual = residual(stage)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        around = 0.0 if self.residual is None else self.residual(x)
        if self.is_pre_activated:
            x = self.gcn(self.act(self.gcn.bn(x)))
            out: Tensor = self.drop(self.tcn.conv(self.act(self.tcn.bn(x)))) + around
            return out
        activated: Tensor = self.act(self.drop(self.tcn(self.spatial(x))) + around)
        return activated

    def spatial(self, x: Tensor) -> Tensor:
        """The part of a plain block that sees one frame: (P, C, T, V) to (P, C', T, V)."""
        out: Tensor = self.act(self.gcn.bn(self.gcn(x)))
        return out


class STGCN(GraphNetwork):
    """ST-GCN for any layout, width and depth: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig, options: STGCNOptions = DEFAULT_OPTIONS) -> None:
        super().__init__(config, config.out_channels, per_slot=False)
        adjacency = as_tensor(options.adjacency(config))
        self.gcn = nn.ModuleList(
            Block(stage, adjacency, options, config.dropout if stage.has_residual else 0.0) for stage in config.stages()
        )

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for block in self.gcn:
            people = block(people)
        return people
