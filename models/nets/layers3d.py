"""What the 3D convolutional networks share: a convolution with batch norm, the bottleneck, the classifier's end."""

from dataclasses import dataclass

from torch import Tensor, nn

Triple = tuple[int, int, int]


class Conv3d(nn.Module):
    """Convolution, batch norm and ReLU: (B, C, T, H, W) to (B, C', T', H', W').

    Padding keeps the size at stride 1. norm, act: whether batch norm and ReLU follow.
    """

    def __init__(
        self, channels: tuple[int, int], kernel: Triple, stride: Triple = (1, 1, 1), groups: int = 1,
        *, norm: bool = True, act: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        padding = ((kernel[0] - 1) // 2, (kernel[1] - 1) // 2, (kernel[2] - 1) // 2)
        self.conv = nn.Conv3d(*channels, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm3d(channels[1]) if norm else None
        self.act = nn.ReLU() if act else None
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T', H', W')."""
        out: Tensor = self.conv(x)
        out = out if self.bn is None else self.bn(out)
        return out if self.act is None else self.act(out)


@dataclass(frozen=True, slots=True)
class ResStage:
    """One stage of a 3D residual network.

    in_channels: of its first block, lateral channels included.
    width: of the 3x3 convolutions; four times that goes out.
    stride: in time, height and width, of the first block.
    is_inflated: whether the first convolution of each block sees three frames.
    """

    in_channels: int
    width: int
    num_blocks: int
    stride: Triple
    is_inflated: bool

    @property
    def out_channels(self) -> int:
        """Channels that go out."""
        return 4 * self.width


class Bottleneck3d(nn.Module):
    """ResNet's bottleneck, inflated in its first convolution (3x1x1): (B, C, T, H, W) to (B, C', T', H', W')."""

    def __init__(self, stage: ResStage, in_channels: int, stride: Triple) -> None:
        super().__init__()
        out_channels = stage.out_channels
        self.conv1 = Conv3d((in_channels, stage.width), (3 if stage.is_inflated else 1, 1, 1))
        self.conv2 = Conv3d((stage.width, stage.width), (1, 3, 3), stride)
        self.conv3 = Conv3d((stage.width, out_channels), (1, 1, 1), act=False)
        # As the reference decides it: a stride in time alone would not bring one.
        has_downsample = stride[1] != 1 or in_channels != out_channels
        self.downsample = Conv3d((in_channels, out_channels), (1, 1, 1), stride, act=False) if has_downsample else None
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T', H', W')."""
        identity = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.act(self.conv3(self.conv2(self.conv1(x))) + identity)
        return out


def res_stage(stage: ResStage) -> nn.Sequential:
    """The blocks of one stage; only the first one changes channels and size."""
    rest = [Bottleneck3d(stage, stage.out_channels, (1, 1, 1)) for _ in range(stage.num_blocks - 1)]
    return nn.Sequential(Bottleneck3d(stage, stage.in_channels, stage.stride), *rest)


def zero_last_norms(network: nn.Module) -> None:
    """Begin every bottleneck as its identity: the last batch norm's scale is zero (Goyal et al., 2017)."""
    for module in network.modules():
        if isinstance(module, Bottleneck3d) and module.conv3.bn is not None:
            nn.init.zeros_(module.conv3.bn.weight)


def classifier(num_features: int, num_classes: int) -> nn.Linear:
    """The last layer, drawn from a normal of 0.01."""
    layer = nn.Linear(num_features, num_classes)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.zeros_(layer.bias)
    return layer


def pooled(x: Tensor) -> Tensor:
    """Mean over time and picture: (B, C, T, H, W) to (B, C)."""
    return x.mean(dim=(2, 3, 4))
