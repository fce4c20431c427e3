"""Volumes that lie channels-last in memory: the order for which a GPU's half-precision 3D convolutions are written."""

import torch
from torch import nn


def has_volumes(network: nn.Module) -> bool:
    """Whether the network convolves volumes and nothing else; MS-G3D, which does both, is a network of joints."""
    kinds = [type(module) for module in network.modules()]
    return nn.Conv3d in kinds and nn.Conv2d not in kinds


def lay_channels_last(network: nn.Module) -> nn.Module:
    """The same network with its convolutions' weights in that order; one that convolves no volumes as it was.

    cuDNN takes the order from a weight as well as from what goes in, so the volumes follow from the first convolution
    on. Only the order in memory changes, no shape and no answer.
    """
    if has_volumes(network):
        for module in network.modules():
            if isinstance(module, nn.Conv3d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)
    return network
