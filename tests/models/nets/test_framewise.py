"""Frame by frame in 2D, a 3D network answers what it answers."""

import pytest
import torch
from torch import nn

from models.nets.framewise import FrameByFrame
from models.nets.x3d import X3DShallow


@pytest.mark.parametrize("batch", [1, 3])
def test_frames_one_by_one_give_the_networks_own_logits(batch: int) -> None:
    torch.manual_seed(0)
    network = X3DShallow(5, in_channels=3, base_channels=6, stage_blocks=(1, 2, 1)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
    heatmaps = torch.rand(batch, 3, 9, 16, 16)

    with torch.no_grad():
        expected, found = network(heatmaps), FrameByFrame(network, 9)(heatmaps)

    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
