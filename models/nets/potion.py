"""PoTion: a small 2D network over joint heatmaps that are coloured by time and summed.

Paper:   Choutas, Weinzaepfel, Revaud, Schmid: PoTion: Pose MoTion Representation for Action Recognition, CVPR 2018.
Taken:   the representation: each joint's heatmaps, weighted by a piecewise-linear colouring of relative time in C
         channels, summed over time (S), normalised by the channel's maximum (U), their total (I), and U / (1 + I) (N),
         the three concatenated; and the network: three stages of two 3x3 convolutions, 128-256-512 channels, the first
         of each with stride 2, dropout after each, mean pooling.
Differs: the colouring is part of the forward, so the input is the same heatmap volume that PoseConv3D takes.
Input:   (B, V, T, H, W) heatmaps, T at least 2.
Output:  (B, K) logits.
"""

import torch
from torch import Tensor, nn

from models.nets.layers3d import classifier

_EPSILON = 1e-6


def colours(num_frames: int, num_colours: int, like: Tensor) -> Tensor:
    """Weight of each colour at each frame, (T, C): linear between C anchors spread over the clip, rows sum to 1."""
    time = torch.linspace(0, num_colours - 1, num_frames, device=like.device, dtype=like.dtype)
    anchors = torch.arange(num_colours, device=like.device, dtype=like.dtype)
    return (1 - (time[:, None] - anchors[None, :]).abs()).clamp(min=0)


def colour(heatmaps: Tensor, num_colours: int) -> Tensor:
    """The PoTion image: (B, V, T, H, W) heatmaps to (B, V * (2C + 1), H, W)."""
    B, V, T, H, W = heatmaps.shape
    weights = colours(T, num_colours, heatmaps)
    # One matrix product per joint, and nothing moved: an einsum becomes transposes of the whole volume.
    summed = (weights.T @ heatmaps.reshape(B * V, T, H * W)).reshape(B, V, num_colours, H, W)
    # Heatmaps are not negative, and the division by 1 + I relies on it; clamped here, where there are few values.
    summed = summed.clamp(min=0)
    scaled = summed / summed.amax(dim=(3, 4), keepdim=True).clamp(min=_EPSILON)
    total = scaled.sum(dim=2, keepdim=True)
    image = torch.cat([scaled, total, scaled / (1 + total)], dim=2)
    return image.reshape(B, V * (2 * num_colours + 1), H, W)


class PoTion(nn.Module):
    """PoTion: (B, V, T, H, W) heatmaps to (B, K) logits."""

    def __init__(
        self, num_classes: int, in_channels: int = 17, num_colours: int = 3,
        channels: tuple[int, ...] = (128, 256, 512), dropout: float = 0.25,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_colours = num_colours
        self.num_maps = in_channels
        inputs = [in_channels * (2 * num_colours + 1), *channels[:-1]]
        self.layers = nn.Sequential(*(_stage(i, o, dropout) for i, o in zip(inputs, channels, strict=True)))
        self.fc_cls = classifier(channels[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, K) logits."""
        features: Tensor = self.layers(colour(x, self.num_colours))
        logits: Tensor = self.fc_cls(features.mean(dim=(2, 3)))
        return logits


def _stage(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, 2, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(),
        nn.Dropout(dropout),
        nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU(),
        nn.Dropout(dropout),
    )  # fmt: skip
