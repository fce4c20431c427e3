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


class TCN(nn.Module):
    """Residual temporal convolutions over whole poses: (B, M, T, V, C) to (B, K)."""

    def __init__(
        self, num_joints: int, in_channels: int, num_classes: int, base_channels: int = 96, dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.stem = nn.Conv1d(num_joints * in_channels, base_channels, 1)
        self.blocks = nn.Sequential(
            Block(base_channels, base_channels, 1, dropout),
            Block(base_channels, base_channels, 2, dropout),
            Block(base_channels, base_channels, 2, dropout),
        )
        self.norm = nn.Sequential(nn.BatchNorm1d(base_channels), nn.ReLU())
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(2 * base_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) to (B, K); people are averaged."""
        B, M, T, V, C = x.shape
        people = x.permute(0, 1, 3, 4, 2).reshape(B * M, V * C, T)
        out = self.norm(self.blocks(self.stem(people)))
        pooled = torch.cat([out.mean(dim=2), out.amax(dim=2)], dim=1)
        pooled = pooled.reshape(B, M, -1).mean(dim=1)
        logits: Tensor = self.head(self.drop(pooled))
        return logits
