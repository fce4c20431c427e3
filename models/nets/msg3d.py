"""MS-G3D: graph convolution at many hop distances at once, and across the frames of sliding windows.

Paper:   Liu, Zhang, Chen, Wang, Ouyang: Disentangling and Unifying Graph Convolutions for Skeleton-Based Action
         Recognition, CVPR 2020.
Taken:   the whole network, exact to PYSKL's: three stages of 96, 192, 384 channels; a factorised path (13 hop
         distances, then temporal units) beside windows of 3 and 5 frames (6 distances each), summed in each stage;
         statistics of the input per slot.
Differs: windows are slices side by side instead of nn.Unfold, and the convolution that collapses a window is a dilated
         2D one instead of a 3D one: the same numbers without moving the joints. Depth is fixed: of GraphConfig the
         stages do not count, `base_channels` is 96 in the paper.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.layers import DilatedTemporal, GraphConfig, GraphNetwork, Stage, as_tensor, pointwise
from models.skeleton.graph import Adjacency, multi_scale, partition, window_graph

_NUM_SCALES = 13
_NUM_WINDOW_SCALES = 6
_WINDOWS = (3, 5)


class Pointwise(nn.Module):
    """1x1 convolution, batch norm and ReLU over the joints at all distances: (P, K*C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*pointwise(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(P, K*C, T, V) to (P, C', T, V)."""
        out: Tensor = self.layers(x)
        return out


class MultiScaleGraphConv(nn.Module):
    """Each joint sees its k-hop neighbours separately, k = 0..K-1: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, scales: Adjacency) -> None:
        super().__init__()
        self.A: Tensor
        self.register_buffer("A", as_tensor(scales))
        self.PA = nn.Parameter(torch.empty_like(self.A).uniform_(-1e-6, 1e-6))
        self.mlp = Pointwise(in_channels * len(scales), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V); V may be the joints of a whole window."""
        P, C, T, V = x.shape
        spread = x.reshape(P, 1, C * T, V) @ (self.A + self.PA)
        out: Tensor = self.mlp(spread.reshape(P, -1, T, V))
        return out


class Windows(nn.Module):
    """The joints of `frames` neighbouring frames side by side: (P, C, T, V) to (P, C, T/stride, frames*V)."""

    def __init__(self, frames: int, stride: int) -> None:
        super().__init__()
        self.frames, self.stride = frames, stride

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, T/stride, frames*V); zeros stand before the first and after the last frame."""
        T, reach = x.shape[2], self.frames // 2
        padded = F.pad(x, (0, 0, reach, reach))
        return torch.cat([padded[:, :, first : first + T : self.stride] for first in range(self.frames)], dim=3)


class WindowGraphConv(nn.Module):
    """Graph convolution across the frames of one window size: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Adjacency, frames: int, is_first: bool) -> None:
        super().__init__()
        # Raw coordinates widen in the graph convolution; later stages only when the window collapses.
        inner = stage.out_channels if is_first else stage.in_channels
        scales = multi_scale(window_graph(adjacency, frames), _NUM_WINDOW_SCALES)
        self.gcn3d = nn.Sequential(Windows(frames, stage.stride), MultiScaleGraphConv(stage.in_channels, inner, scales))
        self.out_conv = nn.Conv3d(inner, stage.out_channels, (1, frames, 1))
        self.out_bn = nn.BatchNorm2d(stage.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V), without activation."""
        V = x.shape[-1]
        collapsed = F.conv2d(self.gcn3d(x), self.out_conv.weight[..., 0], self.out_conv.bias, dilation=(1, V))
        out: Tensor = self.out_bn(collapsed)
        return out


class WindowPaths(nn.Module):
    """Windows of several sizes, summed: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Adjacency, is_first: bool) -> None:
        super().__init__()
        self.gcn3d = nn.ModuleList(WindowGraphConv(stage, adjacency, frames, is_first) for frames in _WINDOWS)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V), without activation."""
        return torch.stack([path(x) for path in self.gcn3d]).sum(dim=0)


class MSG3D(GraphNetwork):
    """MS-G3D for any layout and width: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config, 4 * config.base_channels, per_slot=True)
        graph, width = partition(config.layout, "binary")[0], config.base_channels
        first, second = Stage(config.in_channels, width, 1, True), Stage(width, 2 * width, 2, True)
        third = Stage(2 * width, 4 * width, 2, True)
        self.gcn3d1, self.sgcn1, self.tcn1 = _stage(first, graph, config.dropout, is_first=True)
        self.gcn3d2, self.sgcn2, self.tcn2 = _stage(second, graph, config.dropout)
        self.gcn3d3, self.sgcn3, self.tcn3 = _stage(third, graph, config.dropout)

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        people = self.tcn1(F.relu(self.sgcn1(people) + self.gcn3d1(people)))
        people = self.tcn2(F.relu(self.sgcn2(people) + self.gcn3d2(people)))
        out: Tensor = self.tcn3(F.relu(self.sgcn3(people) + self.gcn3d3(people)))
        return out


def _stage(
    stage: Stage, graph: Adjacency, dropout: float, is_first: bool = False
) -> tuple[WindowPaths, nn.Sequential, DilatedTemporal]:
    """The two paths of a stage and the temporal unit after their sum."""
    width = stage.out_channels
    inner = width if is_first else stage.in_channels
    same = Stage(width, width, 1, has_residual=True)
    last = _temporal(same)
    last.act = nn.Identity()
    factorised = nn.Sequential(
        MultiScaleGraphConv(stage.in_channels, inner, multi_scale(graph, _NUM_SCALES)),
        _temporal(stage._replace(in_channels=inner)),
        last,
    )
    return WindowPaths(stage, graph, is_first), factorised, _temporal(same, dropout)


def _temporal(stage: Stage, dropout: float = 0.0) -> DilatedTemporal:
    return DilatedTemporal(stage, 3, (1, 2, 3, 4), dropout)
