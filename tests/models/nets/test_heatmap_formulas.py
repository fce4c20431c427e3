"""C3D-light, X3D-shallow and RGBPose-Conv3D, written out from the papers' layers on the tensors' published names."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.c3d import C3DLight
from models.nets.rgbposec3d import RGBPoseC3D, RGBPoseConfig
from models.nets.x3d import X3DShallow

State = dict[str, Tensor]
Triple = tuple[int, int, int]


def awake(network: nn.Module) -> State:
    """The network's tensors; its norms do something, also those that begin at zero."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm3d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.uniform_(norm.bias, -0.5, 0.5)
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    network.double().eval()
    return network.state_dict()


def conv(state: State, name: str, x: Tensor, stride: Triple = (1, 1, 1), groups: int = 1) -> Tensor:
    """Convolution that keeps the size, and its batch norm where the checkpoint has one."""
    weight = state[f"{name}.conv.weight"]
    _, _, t, h, w = weight.shape
    out = F.conv3d(x, weight, None, stride, (t // 2, h // 2, w // 2), groups=groups)
    return norm(state, name, out) if f"{name}.bn.weight" in state else out


def norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance, gain, shift = (
        state[f"{name}.bn.{part}"][:, None, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (variance + 1e-5).sqrt() * gain + shift


def classified(state: State, x: Tensor, name: str = "fc_cls") -> Tensor:
    return x.flatten(2).mean(dim=2) @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def bottleneck(state: State, name: str, x: Tensor, stride: Triple) -> Tensor:
    out = conv(state, f"{name}.conv1", x).relu()
    out = conv(state, f"{name}.conv2", out, stride).relu()
    way = conv(state, f"{name}.downsample", x, stride) if f"{name}.downsample.conv.weight" in state else x
    return (conv(state, f"{name}.conv3", out) + way).relu()


def stage(state: State, name: str, x: Tensor, num_blocks: int, stride: Triple) -> Tensor:
    for index in range(num_blocks):
        x = bottleneck(state, f"{name}.{index}", x, stride if index == 0 else (1, 1, 1))
    return x


@torch.no_grad()
def test_c3d_is_six_convolutions_with_pictures_halved_between_them() -> None:
    torch.manual_seed(0)
    network = C3DLight(4, in_channels=3, base_channels=4)
    state = awake(network)
    x = torch.rand(2, 3, 4, 16, 16, dtype=torch.float64)

    y = x
    for stage_names in (("conv1a",), ("conv2a",), ("conv3a", "conv3b")):
        for name in stage_names:
            y = conv(state, name, y).relu()
        y = (y[..., ::2, ::2] + y[..., 1::2, ::2] + y[..., ::2, 1::2] + y[..., 1::2, 1::2]) / 4
    for name in ("conv4a", "conv4b"):
        y = conv(state, name, y).relu()

    torch.testing.assert_close(network(x), classified(state, y))


@torch.no_grad()
def test_x3d_widens_filters_each_channel_by_itself_and_narrows() -> None:
    torch.manual_seed(0)
    network = X3DShallow(4, in_channels=3, base_channels=8, stage_blocks=(2, 1, 2))
    state = awake(network)
    x = torch.rand(2, 3, 6, 16, 16, dtype=torch.float64)

    y = conv(state, "conv1_s", x, (1, 2, 2))
    y = conv(state, "conv1_t", y, groups=8).relu()
    for level, num_blocks in ((1, 2), (2, 1), (3, 2)):
        for index in range(num_blocks):
            name, step = f"layer{level}.{index}", (1, 2, 2) if index == 0 else (1, 1, 1)
            wide = conv(state, f"{name}.conv1", y).relu()
            assert wide.shape[1] == int(2.25 * 8 * 2 ** (level - 1))
            filtered = conv(state, f"{name}.conv2", wide, step, groups=wide.shape[1])
            way = conv(state, f"{name}.downsample", y, step) if index == 0 else y
            y = (conv(state, f"{name}.conv3", filtered) + way).relu()
    y = conv(state, "conv5", y).relu()

    torch.testing.assert_close(network(x), classified(state, y))


@torch.no_grad()
def test_rgbpose_is_two_networks_that_meet_twice() -> None:
    torch.manual_seed(0)
    network = RGBPoseC3D(RGBPoseConfig(3, in_channels=5, rgb_channels=4, pose_channels=2))
    state = awake(network)
    imgs = torch.randn(1, 3, 2, 32, 32, dtype=torch.float64)
    heatmap = torch.rand(1, 5, 8, 8, 8, dtype=torch.float64)

    rgb = conv(state, "rgb_path.conv1", imgs, (1, 2, 2)).relu()
    rgb = F.max_pool3d(rgb, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    rgb = stage(state, "rgb_path.layer1", rgb, 3, (1, 1, 1))
    rgb = stage(state, "rgb_path.layer2", rgb, 4, (1, 2, 2))
    pose = conv(state, "pose_path.conv1", heatmap).relu()
    pose = F.max_pool3d(pose, (1, 3, 3), (1, 1, 1), (0, 1, 1))
    pose = stage(state, "pose_path.layer1", pose, 4, (1, 2, 2))
    rgb, pose = meet(state, rgb, pose, "rgb_path.layer2_lateral", "pose_path.layer1_lateral")
    rgb, pose = stage(state, "rgb_path.layer3", rgb, 6, (1, 2, 2)), stage(state, "pose_path.layer2", pose, 6, (1, 2, 2))
    rgb, pose = meet(state, rgb, pose, "rgb_path.layer3_lateral", "pose_path.layer2_lateral")
    rgb, pose = stage(state, "rgb_path.layer4", rgb, 3, (1, 2, 2)), stage(state, "pose_path.layer3", pose, 3, (1, 2, 2))

    found_rgb, found_pose = network(imgs, heatmap)
    torch.testing.assert_close(found_rgb, classified(state, rgb, "fc_rgb"))
    torch.testing.assert_close(found_pose, classified(state, pose, "fc_pose"))


def meet(state: State, rgb: Tensor, pose: Tensor, to_rgb: str, to_pose: str) -> tuple[Tensor, Tensor]:
    """What the pose path says every four frames goes to RGB; each RGB frame speaks to the seven pose frames around."""
    slow, fast = state[f"{to_rgb}.conv.weight"][..., 0, 0], state[f"{to_pose}.conv.weight"][..., 0, 0]
    frames, all_frames = rgb.shape[2], pose.shape[2]
    for_rgb = torch.zeros(*pose.shape[:2], frames, *pose.shape[3:], dtype=pose.dtype)
    for_pose = torch.zeros(rgb.shape[0], fast.shape[1], all_frames, *rgb.shape[3:], dtype=rgb.dtype)
    for t in range(frames):
        for tap in range(7):
            at = 4 * t + tap - 3
            if 0 <= at < all_frames:
                for_rgb[:, :, t] += torch.einsum("oc,bchw->bohw", slow[:, :, tap], pose[:, :, at])
                for_pose[:, :, at] += torch.einsum("co,bchw->bohw", fast[:, :, tap], rgb[:, :, t])
    heard = norm(state, to_pose, for_pose).relu()
    return torch.cat([rgb, for_rgb], dim=1), torch.cat([pose, heard], dim=1)
