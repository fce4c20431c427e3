"""A 3D network whose strides in time are 1, frame by frame: its convolutions in 2D, in which ONNX Runtime is fast.

ONNX Runtime has no blocked kernel for 3D convolutions; channel by channel (X3D) its 3D one is slower than torch's. The
same numbers come from pictures: a convolution over k frames is the sum of k convolutions over pictures, each on the
clip shifted by a frame. Batch norm is folded into weight and bias, so that the sum and ReLU become part of the
convolution; channels are filled up to a multiple of 8 with zeros, which the blocked kernels ask for.
"""

import copy
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.layers3d import Conv3d

_BLOCK = 8


class Convolutional(Protocol):
    """A 3D network that is convolutions, elementwise sums and ReLU up to `features`, then mean and `fc_cls`."""

    fc_cls: nn.Linear

    def features(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) to (B, C, T, H', W')."""
        ...


class FrameByFrame(nn.Module):
    """The network's own answer by another way: (B, V, T, H, W) heatmaps to (B, K) logits, for evaluation.

    num_frames: T, the only length that this form takes. The network is copied and stays as it is.
    """

    def __init__(self, network: Convolutional, num_frames: int) -> None:
        super().__init__()
        self.num_frames = num_frames
        self.network = copy.deepcopy(cast("nn.Module", network)).eval()
        convs = {name: module for name, module in self.network.named_modules() if isinstance(module, Conv3d)}
        for index, (name, conv) in enumerate(convs.items()):
            self.network.set_submodule(name, FrameConv(conv, num_frames, is_first=index == 0))
        assert not any(isinstance(module, nn.Conv3d) for module in self.network.modules())

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, K) logits."""
        _, V, _, H, W = x.shape
        network = cast("Convolutional", self.network)
        found = network.features(x.transpose(1, 2).reshape(-1, V, H, W)).mean(dim=(2, 3))
        clips = found.reshape(-1, self.num_frames, found.shape[1]).mean(dim=1)
        logits: Tensor = network.fc_cls(clips[:, : network.fc_cls.in_features])
        return logits


class FrameConv(nn.Module):
    """A 3D convolution with its norm and ReLU over frames as pictures: (B*T, C, H, W) to (B*T, C', H', W').

    Channels are filled up to a multiple of 8, those that come in as well unless it is the first one. Takes a stride of
    1 in time, and one group or as many as channels.
    """

    def __init__(self, unit: Conv3d, num_frames: int, *, is_first: bool = False) -> None:
        super().__init__()
        conv = unit.conv
        assert conv.stride[0] == 1
        assert conv.groups in (1, conv.in_channels)
        self.num_frames = num_frames
        self.stride, self.padding = conv.stride[1:], conv.padding[1:]
        weight, bias = _folded(unit)
        extra_in = 0 if is_first or conv.groups > 1 else -conv.in_channels % _BLOCK
        extra_out = -conv.out_channels % _BLOCK
        self.groups = 1 if conv.groups == 1 else conv.groups + extra_out
        filled = functional.pad(weight, (0, 0, 0, 0, 0, 0, 0, extra_in, 0, extra_out))
        self.taps = nn.ParameterList(
            nn.Parameter(tap.contiguous(), requires_grad=False) for tap in filled.unbind(dim=2)
        )
        self.bias = nn.Parameter(functional.pad(bias, (0, extra_out)), requires_grad=False)
        self.has_relu = unit.act is not None

    def forward(self, x: Tensor) -> Tensor:
        """(B*T, C, H, W) to (B*T, C', H', W')."""
        now = len(self.taps) // 2
        out = self._convolve(x, now, self.bias)
        for tap in range(len(self.taps)):
            if tap != now:
                out = out + self._convolve(self._shifted(x, now - tap), tap, None)
        return torch.relu(out) if self.has_relu else out

    def _shifted(self, x: Tensor, frames: int) -> Tensor:
        """Every clip moved so many frames later, zeros where nothing comes after or before."""
        _, C, H, W = x.shape
        # A negative pad cuts, and pictures are moved whole: one plain copy, the quickest of five ways in ONNX Runtime.
        clips = x.reshape(-1, self.num_frames, C * H * W)
        return functional.pad(clips, (0, 0, frames, -frames)).reshape(-1, C, H, W)

    def _convolve(self, x: Tensor, tap: int, bias: Tensor | None) -> Tensor:
        return functional.conv2d(x, self.taps[tap], bias, self.stride, self.padding, groups=self.groups)


def _folded(unit: Conv3d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution with its batch norm inside."""
    weight, norm = unit.conv.weight.detach(), unit.bn
    if norm is None:
        return weight, weight.new_zeros(weight.shape[0])
    assert norm.running_mean is not None
    assert norm.running_var is not None
    gain = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    return weight * gain[:, None, None, None, None], norm.bias.detach() - norm.running_mean * gain
