"""The networks over heatmaps: equal to the reference, with its tensors, and sensible where the reference has none."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.nets.c3d import C3DLight
from models.nets.posec3d import PoseC3D, PoseC3DConfig
from models.nets.potion import PoTion, colour, colours
from models.nets.rgbposec3d import Lateral, RGBPoseC3D, RGBPoseConfig
from models.nets.x3d import X3DShallow

TOLERANCE = 2e-4
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "posec3d_slowonly_r50_ntu60": lambda: PoseC3D(PoseC3DConfig(60)),
    "posec3d_c3d_light_ntu60": lambda: C3DLight(60),
    "posec3d_x3d_shallow_ntu60": lambda: X3DShallow(60),
    "rgbpose_conv3d_ntu60": lambda: RGBPoseC3D(RGBPoseConfig(60)),
}


@pytest.fixture(scope="module")
def reference(golden_dir: Path) -> Iterator[ModuleType]:
    """The golden folder's own module that rebuilds a checkpoint."""
    sys.path.insert(0, str(golden_dir))
    spec = importlib.util.spec_from_file_location("golden_checkpoint", golden_dir / "checkpoint.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(golden_dir))


def plain(key: str) -> str:
    return key.removeprefix("backbone.").removeprefix("cls_head.")


def test_posec3d_gives_the_reference_logits(reference: ModuleType) -> None:
    name = "posec3d_slowonly_r50_ntu60"
    network = NETWORKS[name]().eval()
    network.load_state_dict({plain(key): torch.as_tensor(value) for key, value in reference.state_dict(name).items()})
    inputs, expected = reference.case(name)

    with torch.inference_mode():
        logits = network(torch.as_tensor(inputs["imgs"]))

    assert np.abs(logits.numpy() - expected["cls"]).max() <= TOLERANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_network_has_as_many_tensors_and_elements_as_the_reference(golden_dir: Path, name: str) -> None:
    listed = re.search(rf"### {name}: (\d+) tensors, (\d+) float elements", (golden_dir / "keys.md").read_text())
    assert listed is not None
    expected = (int(listed[1]), int(listed[2]))

    tensors = NETWORKS[name]().state_dict().values()

    assert (len(tensors), sum(tensor.numel() for tensor in tensors if tensor.is_floating_point())) == expected


@pytest.mark.parametrize("blocks", [(4, 6, 3), (3, 4, 6)])
def test_posec3d_takes_other_depths_and_sizes(blocks: tuple[int, int, int]) -> None:
    network = PoseC3D(PoseC3DConfig(5, in_channels=13, base_channels=4, stage_blocks=blocks)).eval()

    logits = network(torch.rand(2, 13, 8, 32, 24))

    assert logits.shape == (2, 5)


@pytest.mark.parametrize(
    ("lateral", "rgb_sees_pose", "pose_sees_rgb"),
    [("none", False, False), ("to_rgb", True, False), ("to_pose", False, True), ("both", True, True)],
)
def test_rgbpose_crosses_only_where_it_is_told(lateral: Lateral, rgb_sees_pose: bool, pose_sees_rgb: bool) -> None:
    torch.manual_seed(0)
    network = RGBPoseC3D(RGBPoseConfig(3, rgb_channels=8, pose_channels=4, lateral=lateral)).eval()
    imgs = torch.randn(1, 3, 2, 32, 32)
    heatmap = torch.rand(1, 17, 8, 8, 8)

    base_rgb, base_pose = network(imgs, heatmap)
    other_rgb, _ = network(imgs, heatmap * 2 + 0.5)
    _, other_pose = network(imgs + 1, heatmap)

    assert torch.equal(base_rgb, other_rgb) is not rgb_sees_pose
    assert torch.equal(base_pose, other_pose) is not pose_sees_rgb


def test_colours_of_a_frame_sum_to_one_and_run_from_first_to_last() -> None:
    weights = colours(7, 3, torch.zeros(()))

    assert torch.allclose(weights.sum(dim=1), torch.ones(7))
    assert torch.equal(weights[0], torch.tensor([1.0, 0.0, 0.0]))
    assert torch.equal(weights[-1], torch.tensor([0.0, 0.0, 1.0]))


def test_potion_image_tells_the_direction_of_a_movement() -> None:
    forward = moving_dot()

    there, back = colour(forward, 3), colour(forward.flip(2), 3)

    assert not torch.allclose(there, back)
    assert torch.allclose(there[:, 3], back[:, 3], atol=1e-5)  # the total forgets time


def test_potion_is_finite_when_a_joint_is_never_seen() -> None:
    network = PoTion(4, in_channels=2, channels=(4, 8)).eval()
    heatmaps = torch.cat([moving_dot(), torch.zeros(1, 1, 5, 8, 8)], dim=1)

    logits = network(heatmaps)

    assert torch.isfinite(logits).all()


def moving_dot() -> Tensor:
    volume = torch.zeros(1, 1, 5, 8, 8)
    for frame in range(5):
        volume[0, 0, frame, 4, frame + 1] = 1.0
    return volume
