"""What may be chosen of each network that is trained here; the defaults are the papers'."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.nets.rgbposec3d import Lateral
from models.nets.slnl import Attention
from models.nets.stages import require_stages
from models.nets.stgcn import STGCNOptions
from models.skeleton.graph import Partition


class NetworkOptions(BaseModel):
    """Settings of one network: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BlockOptions(NetworkOptions):
    """Of a network of equal blocks."""

    base_channels: int = Field(default=64, ge=8, le=512, description="Width of the first block.")
    num_stages: int = Field(default=10, ge=1, le=20, description="Number of blocks.")
    inflate_stages: tuple[int, ...] = Field(default=(5, 8), description="Blocks, from 1, that double the width.")
    down_stages: tuple[int, ...] = Field(default=(5, 8), description="Blocks, from 1, that halve the frames.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout inside the blocks.")

    @model_validator(mode="after")
    def _stages_exist(self) -> Self:
        require_stages(self.num_stages, inflate_stages=self.inflate_stages, down_stages=self.down_stages)
        return self


class VanillaOptions(BlockOptions):
    """Of ST-GCN: what Nagy et al. 2020 compared."""

    partition: Partition = Field(default="stgcn_spatial", description="How a joint's neighbourhood is divided.")
    scaling: Literal["average", "symmetric"] = Field(default="average", description="Of the neighbours' sum.")
    edge_importance: bool = Field(default=True, description="Learn a factor for each link of each layer.")
    norm: Literal["before", "after", "both"] = Field(default="both", description="Batch norm around the temporal unit.")
    residual: Literal["none", "plain", "pre_activation"] = Field(default="plain", description="Way around a block.")

    def chosen(self) -> STGCNOptions:
        """The part that is not size."""
        return STGCNOptions(self.partition, self.scaling, self.edge_importance, self.norm, self.residual)


class AttentionOptions(BlockOptions):
    """Of AAGCN; without attention it is a stream of 2s-AGCN."""

    attention: bool = Field(default=True, description="Attend to joints, frames and channels.")


class WideOptions(NetworkOptions):
    """Of MS-G3D, whose three stages are given."""

    base_channels: int = Field(default=96, ge=8, le=512, description="Width of the first stage.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout of the temporal units.")


class VolumeOptions(NetworkOptions):
    """Of C3D-light."""

    base_channels: int = Field(default=32, ge=4, le=256, description="Width of the first convolution.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout before the classifier.")


class SlowOnlyOptions(VolumeOptions):
    """Of PoseConv3D's SlowOnly."""

    stage_blocks: tuple[int, int, int] | None = Field(default=None, description="Blocks per stage; none: the name's.")


class ShallowOptions(VolumeOptions):
    """Of X3D-shallow."""

    base_channels: int = Field(default=24, ge=4, le=256, description="Width of the first convolution.")
    stage_blocks: tuple[int, int, int] = Field(default=(2, 5, 3), description="Blocks per stage.")


class TwoPathOptions(NetworkOptions):
    """Of RGBPose-Conv3D."""

    rgb_channels: int = Field(default=64, ge=4, le=256, description="Width of the picture path.")
    pose_channels: int = Field(default=32, ge=4, le=256, description="Width of the pose path.")
    lateral: Lateral = Field(default="both", description="Which way features cross over.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout before the classifiers.")


class ColourOptions(NetworkOptions):
    """Of PoTion."""

    num_colours: int = Field(default=3, ge=2, le=8, description="Colours that time is painted in.")
    channels: tuple[int, ...] = Field(default=(128, 256, 512), min_length=1, description="Width of each stage.")
    dropout: float = Field(default=0.25, ge=0, lt=1, description="Dropout after each convolution.")


class LocalNonLocalOptions(NetworkOptions):
    """Of SLnL-rFA."""

    num_systems: int = Field(default=8, ge=1, le=32, description="Learnt coordinate systems.")
    num_learnt_joints: int = Field(default=32, ge=4, le=128, description="Learnt joints.")
    width: int = Field(default=64, ge=8, le=512, description="Channels of each block.")
    slnl_blocks: int = Field(default=3, ge=0, le=12, description="Blocks with non-local modules, M1.")
    local_blocks: int = Field(default=3, ge=0, le=12, description="Blocks without, M2.")
    attention: Attention = Field(default="residual", description="Kind of frequency attention.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout before the classifiers.")

    @model_validator(mode="after")
    def _has_blocks(self) -> Self:
        if self.slnl_blocks + self.local_blocks < 2:
            raise ValueError(
                f"slnl_blocks {self.slnl_blocks} and local_blocks {self.local_blocks}: each half needs a block"
            )
        return self


class TemporalOptions(NetworkOptions):
    """Of the temporal network."""

    base_channels: int = Field(default=96, ge=8, le=512, description="Width.")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="Dropout inside the blocks.")
