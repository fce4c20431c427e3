"""PoseConv3D (SlowOnly): a 3D residual network over a volume of joint heatmaps.

Paper:   Duan, Zhao, Chen, Lin, Dai: Revisiting Skeleton-based Action Recognition, CVPR 2022.
Taken:   the network on heatmaps, exact to the authors' implementation: SlowOnly without its first stage, a quarter of
         the width, stages of 4-6-3 bottlenecks (3-4-6 as an option), the stem without stride, time halved in the last
         stage only, the last two stages inflated (3x1x1).
Differs: nothing in the numbers.
Input:   (B, V, T, H, W) heatmaps, V joints (or limbs), 48 x 56 x 56 in the paper; sizes are free.
Output:  (B, K) logits.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from models.nets.layers3d import Conv3d, ResStage, classifier, pooled, res_stage, zero_last_norms


@dataclass(frozen=True, slots=True)
class PoseC3DConfig:
    """Settings; the defaults are the paper's.

    in_channels:  heatmaps per frame: joints, limbs, or both.
    stage_blocks: bottlenecks per stage: (4, 6, 3) as published first, (3, 4, 6) as a variant of the zoo.
    dropout:      before the classifier.
    """

    num_classes: int
    in_channels: int = 17
    base_channels: int = 32
    stage_blocks: tuple[int, int, int] = (4, 6, 3)
    dropout: float = 0.5

    def stages(self) -> list[ResStage]:
        """The three residual stages; each halves the picture, the last one halves time too."""
        widths = [self.base_channels * 2**index for index in range(3)]
        inputs = [self.base_channels, 4 * widths[0], 4 * widths[1]]
        steps = [(1, 2, 2), (1, 2, 2), (2, 2, 2)]
        return [
            ResStage(inputs[index], widths[index], self.stage_blocks[index], steps[index], is_inflated=index > 0)
            for index in range(3)
        ]


class PoseC3D(nn.Module):
    """PoseConv3D on SlowOnly: (B, V, T, H, W) heatmaps to (B, K) logits."""

    def __init__(self, config: PoseC3DConfig) -> None:
        super().__init__()
        self.config = config
        stages = config.stages()
        self.conv1 = Conv3d((config.in_channels, config.base_channels), (1, 7, 7))
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 1, 1), (0, 1, 1))
        self.layer1, self.layer2, self.layer3 = (res_stage(stage) for stage in stages)
        self.drop = nn.Dropout(config.dropout)
        self.fc_cls = classifier(stages[-1].out_channels, config.num_classes)
        zero_last_norms(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, T, H, W) heatmaps to (B, K) logits."""
        x = self.maxpool(self.conv1(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc_cls(self.drop(pooled(x)))
        return logits
