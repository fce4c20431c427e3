"""Volumes that lie channels-last in memory: the order for which a GPU's half-precision 3D convolutions are written."""

import torch
from torch import Tensor, nn

_VOLUME_DIMS = 5


class ChannelsLast(nn.Module):
    """`network` with its weights and its five-dimensional inputs, (B, C, T, H, W), in channels-last order.

    Shapes and answers stay the same; only the order in memory is another one.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The network's answer."""
        laid = (x.contiguous(memory_format=torch.channels_last_3d) if x.dim() == _VOLUME_DIMS else x for x in inputs)
        answer: Tensor | tuple[Tensor, ...] = self.network(*laid)
        return answer


def has_volumes(network: nn.Module) -> bool:
    """Whether the network convolves volumes."""
    return any(isinstance(module, nn.Conv3d) for module in network.modules())


def with_channels_last(network: nn.Module) -> nn.Module:
    """The network in channels-last order where it convolves volumes; any other one as it is."""
    return ChannelsLast(network) if has_volumes(network) else network
