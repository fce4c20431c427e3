"""C3D-light: PoseConv3D's plain 3D network, six convolutions of 3x3x3 over heatmaps.

Paper:   Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022; the network is Tran et al.: Learning
         Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, made lighter.
Taken:   exact to the authors' implementation: three stages and a fourth of two convolutions, 32-64-128-256 channels,
         mean pooling of the picture between them, time never reduced.
Differs: nothing in the numbers.
Input:   (B, V, T, H, W) heatmaps, V joints or limbs; H and W at least 8.
Output:  (B, K) logits.
"""

from torch import Tensor, nn

from models.nets.layers3d import Conv3d, classifier, pooled

_KERNEL = (3, 3, 3)


class C3DLight(nn.Module):
    """C3D-light: (B, V, T, H, W) heatmaps to (B, K) logits."""

    def __init__(self, num_classes: int, in_channels: int = 17, base_channels: int = 32, dropout: float = 0.5) -> None:
        super().__init__()
        one, two, four, eight = (base_channels * factor for factor in (1, 2, 4, 8))
        self.conv1a = Conv3d((in_channels, one), _KERNEL)
        self.conv2a = Conv3d((one, two), _KERNEL)
        self.conv3a = Conv3d((two, four), _KERNEL)
        self.conv3b = Conv3d((four, four), _KERNEL)
        self.conv4a = Conv3d((four, eight), _KERNEL)
        self.conv4b = Conv3d((eight, eight), _KERNEL)
        self.pool = nn.AvgPool3d((1, 2, 2))
        self.drop = nn.Dropout(dropout)
        self.fc_cls = classifier(eight, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, K) logits."""
        x = self.pool(self.conv1a(x))
        x = self.pool(self.conv2a(x))
        x = self.pool(self.conv3b(self.conv3a(x)))
        x = self.conv4b(self.conv4a(x))
        logits: Tensor = self.fc_cls(self.drop(pooled(x)))
        return logits
