"""RGBPose-Conv3D: pictures and heatmaps side by side, each path helping the other half way.

Paper:   Duan, Zhao, Chen, Lin, Dai: Revisiting Skeleton-based Action Recognition, CVPR 2022.
Taken:   exact to the authors' implementation: the RGB path is SlowOnly-50 (few frames, wide), the pose path is
         PoseConv3D's 4-6-3 without its stride in time (four times the frames, narrow); after RGB stages 2 and 3 and
         pose stages 1 and 2 features cross over, by strided convolution towards RGB and by transposed convolution of an
         explicit output size towards pose. The paths are classified apart; their scores are averaged later.
Differs: which directions features cross is an option (none, to_rgb, to_pose, both), for the paper's comparison.
Input:   imgs (B, 3, T, H, W) normalised pictures and heatmap (B, V, 4*T, H/4, W/4).
Output:  logits_rgb (B, K), logits_pose (B, K).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from models.nets.layers3d import Conv3d, ResStage, Triple, classifier, pooled, res_stage, zero_last_norms

Lateral = Literal["none", "to_rgb", "to_pose", "both"]
_SPEED = 4
_FUSION_KERNEL: Triple = (7, 1, 1)
_PICTURE_STEP: Triple = (1, 2, 2)


@dataclass(frozen=True, slots=True)
class RGBPoseConfig:
    """Settings; the defaults are the paper's.

    in_channels: heatmaps per frame.  lateral: which way features cross over.
    """

    num_classes: int
    in_channels: int = 17
    rgb_channels: int = 64
    pose_channels: int = 32
    lateral: Lateral = "both"
    dropout: float = 0.5


class Slower(nn.Module):
    """Pose features to the RGB path's frame rate: a strided convolution over time."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, _FUSION_KERNEL, (_SPEED, 1, 1), (3, 0, 0), bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 4*T, H, W) to (B, C, T, H, W)."""
        out: Tensor = self.conv(x)
        return out


class Faster(nn.Module):
    """RGB features to the pose path's frame rate: a transposed convolution over time, batch norm, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        # Without the one extra frame at the end, seven taps and a stride of four would give 4*T - 3.
        self.conv = nn.ConvTranspose3d(
            in_channels, out_channels, _FUSION_KERNEL, (_SPEED, 1, 1), (3, 0, 0), (3, 0, 0), bias=False
        )
        self.bn = nn.BatchNorm3d(out_channels)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', 4*T, H, W)."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class RGBPath(nn.Module):
    """SlowOnly-50 with room for the pose path's features in front of its last two stages."""

    def __init__(self, config: RGBPoseConfig, has_lateral: bool) -> None:
        super().__init__()
        base, extra = config.rgb_channels, (1 if has_lateral else 0)
        self.conv1 = Conv3d((3, base), (1, 7, 7), _PICTURE_STEP)
        self.maxpool = nn.MaxPool3d((1, 3, 3), _PICTURE_STEP, (0, 1, 1))
        side = 4 * config.pose_channels
        self.layer1 = res_stage(ResStage(base, base, 3, (1, 1, 1), is_inflated=False))
        self.layer2 = res_stage(ResStage(4 * base, 2 * base, 4, _PICTURE_STEP, is_inflated=False))
        self.layer3 = res_stage(ResStage(8 * base + extra * side, 4 * base, 6, _PICTURE_STEP, is_inflated=True))
        self.layer4 = res_stage(ResStage(16 * base + 2 * extra * side, 8 * base, 3, _PICTURE_STEP, is_inflated=True))
        self.layer2_lateral = Slower(side) if has_lateral else None
        self.layer3_lateral = Slower(2 * side) if has_lateral else None


class PosePath(nn.Module):
    """PoseConv3D's 4-6-3 at full frame rate, with room for the RGB path's features in front of its last two stages."""

    def __init__(self, config: RGBPoseConfig, has_lateral: bool) -> None:
        super().__init__()
        base, extra = config.pose_channels, (config.pose_channels if has_lateral else 0)
        rgb = 8 * config.rgb_channels
        self.conv1 = Conv3d((config.in_channels, base), (1, 7, 7))
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 1, 1), (0, 1, 1))
        self.layer1 = res_stage(ResStage(base, base, 4, _PICTURE_STEP, is_inflated=False))
        self.layer2 = res_stage(ResStage(4 * base + extra, 2 * base, 6, _PICTURE_STEP, is_inflated=True))
        self.layer3 = res_stage(ResStage(8 * base + 2 * extra, 4 * base, 3, _PICTURE_STEP, is_inflated=True))
        self.layer1_lateral = Faster(rgb, base) if has_lateral else None
        self.layer2_lateral = Faster(2 * rgb, 2 * base) if has_lateral else None


class RGBPoseC3D(nn.Module):
    """RGBPose-Conv3D: pictures (B, 3, T, H, W) and heatmaps (B, V, 4*T, H/4, W/4) to two (B, K) logits."""

    def __init__(self, config: RGBPoseConfig) -> None:
        super().__init__()
        self.config = config
        self.rgb_path = RGBPath(config, config.lateral in ("to_rgb", "both"))
        self.pose_path = PosePath(config, config.lateral in ("to_pose", "both"))
        self.drop = nn.Dropout(config.dropout)
        self.fc_rgb = classifier(32 * config.rgb_channels, config.num_classes)
        self.fc_pose = classifier(16 * config.pose_channels, config.num_classes)
        zero_last_norms(self)

    def forward(self, imgs: Tensor, heatmap: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the RGB path and of the pose path."""
        rgb, pose = self.rgb_path, self.pose_path
        x_rgb = rgb.layer2(rgb.layer1(rgb.maxpool(rgb.conv1(imgs))))
        x_pose = pose.layer1(pose.maxpool(pose.conv1(heatmap)))
        x_rgb, x_pose = cross(x_rgb, x_pose, rgb.layer2_lateral, pose.layer1_lateral)
        x_rgb, x_pose = rgb.layer3(x_rgb), pose.layer2(x_pose)
        x_rgb, x_pose = cross(x_rgb, x_pose, rgb.layer3_lateral, pose.layer2_lateral)
        x_rgb, x_pose = rgb.layer4(x_rgb), pose.layer3(x_pose)
        return self.fc_rgb(self.drop(pooled(x_rgb))), self.fc_pose(self.drop(pooled(x_pose)))


def cross(rgb: Tensor, pose: Tensor, to_rgb: nn.Module | None, to_pose: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Each path's features, with the other's beside them where a connection leads."""
    from_pose = [] if to_rgb is None else [to_rgb(pose)]
    from_rgb = [] if to_pose is None else [to_pose(rgb)]
    return torch.cat([rgb, *from_pose], dim=1), torch.cat([pose, *from_rgb], dim=1)
