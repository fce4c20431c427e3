"""Properties of the networks over heatmaps that hold for any weights."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.nets.c3d import C3DLight
from models.nets.heatmap_input import FromKeypoints
from models.nets.posec3d import PoseC3D, PoseC3DConfig
from models.nets.potion import PoTion, colour
from models.nets.rgbposec3d import RGBPoseC3D, RGBPoseConfig
from models.nets.x3d import X3DShallow
from models.skeleton.layouts import require_layout

MIRRORED = list(require_layout("coco17").mirrored)
# With the width at which halving, which begins at the left, is the same from the right.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "slowonly": (lambda: PoseC3D(PoseC3DConfig(5, base_channels=4, stage_blocks=(1, 1, 1))), 17),
    "c3d": (lambda: C3DLight(5, base_channels=4), 16),
    "x3d": (lambda: X3DShallow(5, base_channels=8, stage_blocks=(1, 1, 1)), 17),
    "potion": (lambda: PoTion(5, channels=(4, 8)), 17),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@every_network
@torch.no_grad()
def test_order_of_people_changes_nothing(name: str) -> None:
    network, people = FromKeypoints(build(name), 16), bodies()

    torch.testing.assert_close(network(people.flip(1)), network(people))


@every_network
@torch.no_grad()
def test_empty_people_change_nothing(name: str) -> None:
    network, people = FromKeypoints(build(name), 16), bodies()

    padded = torch.cat([people, torch.zeros_like(people)], dim=1)

    torch.testing.assert_close(network(padded), network(people))


@every_network
@torch.no_grad()
def test_mirrored_body_gets_the_same_logits_from_a_network_without_left_and_right(name: str) -> None:
    network, width = build(name), NETWORKS[name][1]
    heatmaps = torch.rand(2, 17, 4, 16, width, dtype=torch.float64)
    mirrored = heatmaps[:, MIRRORED].flip(-1)
    assert not torch.allclose(network(mirrored), network(heatmaps))

    make_even_handed(network)

    torch.testing.assert_close(network(mirrored), network(heatmaps))


@torch.no_grad()
def test_mirrored_body_and_picture_get_the_same_logits_from_a_network_without_left_and_right() -> None:
    torch.manual_seed(0)
    network = RGBPoseC3D(RGBPoseConfig(5, rgb_channels=4, pose_channels=2)).double().eval()
    wake(network)
    imgs, heatmaps = torch.randn(1, 3, 2, 64, 65).double(), torch.rand(1, 17, 8, 16, 17).double()
    mirrored = imgs.flip(-1), heatmaps[:, MIRRORED].flip(-1)
    assert not torch.allclose(network(*mirrored)[0], network(imgs, heatmaps)[0])

    make_even_handed(network)

    for found, expected in zip(network(*mirrored), network(imgs, heatmaps), strict=True):
        torch.testing.assert_close(found, expected)


def test_colouring_has_the_gradient_of_what_it_computes() -> None:
    heatmaps = torch.rand(2, 2, 5, 3, 3, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x: colour(x, 3), (heatmaps,))


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = NETWORKS[name][0]().double().eval()
    wake(network)
    return network


def wake(network: nn.Module) -> None:
    """Norms that begin at zero let nothing through."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)


def bodies() -> Tensor:
    """(1, 2, 4, 17, 3) two people in a picture."""
    generator = torch.Generator().manual_seed(1)
    xy = torch.rand(1, 2, 4, 17, 2, generator=generator, dtype=torch.float64) * 200 + 50
    score = torch.rand(1, 2, 4, 17, 1, generator=generator, dtype=torch.float64) * 0.5 + 0.5
    return torch.cat([xy, score], dim=-1)


def make_even_handed(network: nn.Module) -> None:
    """Every filter becomes its own mirror image; over joints' maps, with left and right joints exchanged."""
    for conv in network.modules():
        if isinstance(conv, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d):
            image = conv.weight.flip(-1)
            if conv.weight.shape[1] % len(MIRRORED) == 0:
                joints = image.reshape(len(image), len(MIRRORED), -1, *image.shape[2:])
                image = joints[:, MIRRORED].reshape(image.shape)
            conv.weight.copy_((conv.weight + image) / 2)
