"""A tiny temporal network: joints as channels, three residual 1D blocks; a tenth of a graph network's cost.

Paper:   in the spirit of Kim, Reiter: Interpretable 3D Human Action Analysis with Temporal Convolutional Networks,
         CVPR Workshops 2017 (Res-TCN): all joints of a frame are one vector, convolved over time.
Taken:   pre-activation residual blocks over time, global pooling, one linear classifier.
Differs: far smaller; wide first layer of kernel 1; maximum beside the mean in pooling, because a short action must not
         be averaged away.
Input:   (B, M, T, V, C). Output: (B, K) logits.
"""

import torch
from torch import Tensor, nn

from models.nets.layers import PeopleNetwork

_KERNEL = 5


class Block(nn.Module):
    """Two convolutions over time with a residual: (P, C, T) to (P, C', T / stride)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        pad = _KERNEL // 2
        self.body = nn.Sequential(
            nn.BatchNorm1d(in_channels),
            nn.ReLU(),
            nn.Conv1d(in_channels, out_channels, _KERNEL, stride, pad, bias=False),
            nn.BatchNorm1d(out_channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(out_channels, out_channels, _KERNEL, 1, pad, bias=False),
        )
        same = in_channels == out_channels and stride == 1
        self.down = nn.Identity() if same else nn.Conv1d(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T) to (P, C', T / stride)."""
        out: Tensor = self.body(x) + self.down(x)
        return out


class TCN(PeopleNetwork):
    """Residual temporal convolutions over whole poses: (B, M, T, V, C) to (B, K); people are averaged."""

    def __init__(
        self, num_joints: int, in_channels: int, num_classes: int, base_channels: int = 96, dropout: float = 0.3
    ) -> None:
        super().__init__(0, (num_joints, in_channels))
        self.stem = nn.Conv1d(num_joints * in_channels, base_channels, 1)
        self.blocks = nn.Sequential(
            Block(base_channels, base_channels, 1, dropout),
            Block(base_channels, base_channels, 2, dropout),
            Block(base_channels, base_channels, 2, dropout),
        )
        self.norm = nn.Sequential(nn.BatchNorm1d(base_channels), nn.ReLU())
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(2 * base_channels, num_classes)

    def normalise(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B*M, C, T, V), as they are."""
        B, M, T, V, C = x.shape
        return x.reshape(B * M, T, V, C).permute(0, 3, 1, 2)

    def describe(self, people: Tensor) -> Tensor:
        """(P, C, T, V) joints of P people to (P, 2C'): mean and maximum over time."""
        P, C, T, V = people.shape
        out = self.norm(self.blocks(self.stem(people.permute(0, 3, 1, 2).reshape(P, V * C, T))))
        return torch.cat([out.mean(dim=2), out.amax(dim=2)], dim=1)

    def classify(self, described: Tensor) -> Tensor:
        """(B, M, 2C') to (B, K) logits of the mean person."""
        logits: Tensor = self.head(self.drop(described.mean(dim=1)))
        return logits
