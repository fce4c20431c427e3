"""X3D-shallow: PoseConv3D's smallest network, channel-wise 3D convolutions over heatmaps.

Paper:   Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022; the blocks are Feichtenhofer: X3D:
         Expanding Architectures for Efficient Video Recognition, CVPR 2020.
Taken:   exact to the authors' implementation: a stem split into space (stride 2) and time (5 frames, channel-wise),
         stages of 2-5-3 blocks with 24-48-96 channels, widened 2.25 times inside; no squeeze-and-excitation, no swish.
Differs: nothing in the numbers.
Input:   (B, V, T, H, W) heatmaps, V joints or limbs.
Output:  (B, K) logits.
"""

from torch import Tensor, nn

from models.nets.layers3d import Conv3d, Triple, classifier, pooled

_WIDEN = 2.25


class X3DBlock(nn.Module):
    """Widen, filter each channel by itself, narrow: (B, C, T, H, W) to (B, C', T, H/stride, W/stride)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        wide = int(out_channels * _WIDEN)
        step: Triple = (1, stride, stride)
        self.conv1 = Conv3d((in_channels, wide), (1, 1, 1))
        self.conv2 = Conv3d((wide, wide), (3, 3, 3), step, groups=wide, act=False)
        self.conv3 = Conv3d((wide, out_channels), (1, 1, 1), act=False)
        has_downsample = stride != 1 or in_channels != out_channels
        self.downsample = Conv3d((in_channels, out_channels), (1, 1, 1), step, act=False) if has_downsample else None
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, H/stride, W/stride)."""
        identity = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.act(self.conv3(self.conv2(self.conv1(x))) + identity)
        return out


class X3DShallow(nn.Module):
    """X3D-shallow: (B, V, T, H, W) heatmaps to (B, K) logits."""

    def __init__(
        self, num_classes: int, in_channels: int = 17, base_channels: int = 24,
        stage_blocks: tuple[int, int, int] = (2, 5, 3), dropout: float = 0.5,
    ) -> None:  # fmt: skip
        super().__init__()
        widths = [base_channels, 2 * base_channels, 4 * base_channels]
        self.conv1_s = Conv3d((in_channels, base_channels), (1, 3, 3), (1, 2, 2), norm=False, act=False)
        self.conv1_t = Conv3d((base_channels, base_channels), (5, 1, 1), groups=base_channels)
        inputs = [base_channels, *widths[:2]]
        self.layer1, self.layer2, self.layer3 = (
            _stage(inputs[index], widths[index], stage_blocks[index]) for index in range(3)
        )
        self.conv5 = Conv3d((widths[2], int(widths[2] * _WIDEN)), (1, 1, 1))
        self.drop = nn.Dropout(dropout)
        self.fc_cls = classifier(int(widths[2] * _WIDEN), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, K) logits."""
        logits: Tensor = self.fc_cls(self.drop(pooled(self.features(x))))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, C, T, H', W')."""
        x = self.conv1_t(self.conv1_s(x))
        out: Tensor = self.conv5(self.layer3(self.layer2(self.layer1(x))))
        return out


def _stage(in_channels: int, out_channels: int, num_blocks: int) -> nn.Sequential:
    rest = [X3DBlock(out_channels, out_channels, 1) for _ in range(num_blocks - 1)]
    return nn.Sequential(X3DBlock(in_channels, out_channels, 2), *rest)
