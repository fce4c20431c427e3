"""AAGCN: a graph that each sample bends, with attention over joints, frames and channels.

Paper:   Shi, Zhang, Cheng, Lu: Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional
         Networks, IEEE TIP 2020.
Taken:   the one-stream network, exact to PYSKL's: learnt graph plus alpha times the similarity of embedded joints, then
         attention over joints, frames and channels, each as a gain of 1 + sigmoid; statistics of the input per slot.
Differs: the 1x1 convolutions of the three subsets run as one; their sum is one convolution of three times the width.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros), C = x, y and score or x, y, z.
Output:  (B, K) logits.
"""

import torch
from torch import Tensor, nn

from models.nets.layers import (
    GraphConfig,
    GraphNetwork,
    Stage,
    TemporalConv,
    add_residual,
    as_tensor,
    downsample,
    init_convolutions,
    residual,
    side_by_side,
    summed,
)
from models.skeleton.graph import partition


class AdaptiveGraphConv(nn.Module):
    """Graph convolution with learnt and per-sample links: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor, has_attention: bool = True) -> None:
        super().__init__()
        K, V, _ = adjacency.shape
        embedding = out_channels // 4
        self.A = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.conv_a = nn.ModuleList(nn.Conv2d(in_channels, embedding, 1) for _ in range(K))
        self.conv_b = nn.ModuleList(nn.Conv2d(in_channels, embedding, 1) for _ in range(K))
        self.conv_d = nn.ModuleList(nn.Conv2d(in_channels, out_channels, 1) for _ in range(K))
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = downsample(in_channels, out_channels)
        self.act = nn.ReLU()
        self._init_weights()
        self.has_attention = has_attention
        if has_attention:
            self._add_attention(out_channels, V)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        P, C, T, V = x.shape
        spread = x.reshape(P, 1, C * T, V) @ self.links(x)
        y = summed(self.conv_d, spread.reshape(P, -1, T, V))
        out: Tensor = self.act(self.bn(y) + self.down(x))
        return self.attend(out) if self.has_attention else out

    def links(self, x: Tensor) -> Tensor:
        """(P, K, V, V) graph of each sample: what is learnt, plus alpha times how alike its joints move."""
        P, _, _, V = x.shape
        K = len(self.A)
        a = side_by_side(self.conv_a, x).reshape(P, K, -1, V)
        b = side_by_side(self.conv_b, x).reshape(P, K, -1, V)
        likeness = torch.tanh(a.transpose(2, 3) @ b / a.shape[2])
        return self.A + self.alpha * likeness

    def attend(self, y: Tensor) -> Tensor:
        """Raise joints, then frames, then channels, by up to a factor of two each."""
        y = y * (1 + torch.sigmoid(self.conv_sa(y.mean(dim=2)))).unsqueeze(2)
        y = y * (1 + torch.sigmoid(self.conv_ta(y.mean(dim=3)))).unsqueeze(3)
        gain = torch.sigmoid(self.fc2c(self.act(self.fc1c(y.mean(dim=(2, 3))))))
        return y * (1 + gain)[:, :, None, None]

    def _init_weights(self) -> None:
        """The block starts as its residual: batch norm near zero."""
        init_convolutions(self)
        nn.init.constant_(self.bn.weight, 1e-6)
        for conv in self.conv_d:
            assert isinstance(conv, nn.Conv2d)
            nn.init.normal_(conv.weight, 0, (2 / (conv.weight.numel() * len(self.conv_d))) ** 0.5)

    def _add_attention(self, channels: int, num_joints: int) -> None:
        """Temporal and channel attention start without opinion."""
        kernel = num_joints - 1 + num_joints % 2
        self.conv_sa = nn.Conv1d(channels, 1, kernel, padding=kernel // 2)
        self.conv_ta = nn.Conv1d(channels, 1, 9, padding=4)
        self.fc1c = nn.Linear(channels, channels // 2)
        self.fc2c = nn.Linear(channels // 2, channels)
        nn.init.xavier_normal_(self.conv_sa.weight)
        nn.init.kaiming_normal_(self.fc1c.weight)
        zeros = (self.conv_sa.bias, self.conv_ta.weight, self.conv_ta.bias, self.fc1c.bias, self.fc2c.weight)
        for tensor in (*zeros, self.fc2c.bias):
            assert tensor is not None
            nn.init.zeros_(tensor)


class Block(nn.Module):
    """Adaptive graph convolution, temporal convolution, residual: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(self, stage: Stage, adjacency: Tensor, dropout: float, has_attention: bool) -> None:
        super().__init__()
        self.gcn = AdaptiveGraphConv(stage.in_channels, stage.out_channels, adjacency, has_attention)
        self.tcn = TemporalConv((stage.out_channels, stage.out_channels), 9, stage.stride)
        self.residual = residual(stage)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out: Tensor = self.act(add_residual(self.drop(self.tcn(self.gcn(x))), self.residual, x))
        return out


class AAGCN(GraphNetwork):
    """AAGCN for any layout, width and depth; without attention it is 2s-AGCN's stream: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: GraphConfig, has_attention: bool = True) -> None:
        super().__init__(config, config.out_channels, per_slot=True)
        adjacency = as_tensor(partition(config.layout, "spatial"))
        self.gcn = nn.ModuleList(
            Block(stage, adjacency, config.dropout if stage.has_residual else 0.0, has_attention)
            for stage in config.stages()
        )

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for block in self.gcn:
            people = block(people)
        return people
