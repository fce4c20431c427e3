"""Networks by name: the one table that import, export, bench and training read; a new network is one more row."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias

from torch import nn

from models.errors import CheckpointMismatch, ModelUnknown
from models.nets.aagcn import AAGCN
from models.nets.c3d import C3DLight
from models.nets.ctrgcn import CTRGCN
from models.nets.dgstgcn import DGSTGCN
from models.nets.layers import GraphConfig
from models.nets.msg3d import MSG3D
from models.nets.posec3d import PoseC3D, PoseC3DConfig
from models.nets.potion import PoTion
from models.nets.rgbposec3d import Lateral, RGBPoseC3D, RGBPoseConfig
from models.nets.slnl import SLnLConfig, SLnLrFA
from models.nets.stf import STFMSG3D, STFSTGCNPP
from models.nets.stgcn import STGCN, STGCNOptions
from models.nets.stgcnpp import STGCNPP
from models.nets.tcn import TCN
from models.nets.x3d import X3DShallow
from models.skeleton.graph import Partition
from models.skeleton.layouts import Layout

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Input: TypeAlias = Literal["keypoint", "heatmap", "rgbpose"]
"""What goes in: joints of people, heatmaps, or pictures and heatmaps."""
_PARTITION_OF: Mapping[int, Partition] = {1: "uniform", 2: "distance", 3: "stgcn_spatial"}


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """Width, depth and dropout of a network that is trained here; the fields are those of `GraphConfig`."""

    base_channels: int
    num_stages: int
    inflate_stages: tuple[int, ...]
    down_stages: tuple[int, ...]
    dropout: float


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """What to build.

    in_channels: values per joint where no checkpoint says it.
    shapes:      shapes of a checkpoint's tensors under our names; when given, width and depth follow them.
    size:        width, depth and dropout where neither a checkpoint nor the paper says them; TCN and the networks of
                 equal blocks follow it.
    """

    layout: Layout
    num_classes: int
    num_persons: int = 2
    in_channels: int = 3
    shapes: Shapes = field(default_factory=dict)
    size: NetworkSize | None = None


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One row: how to build a network and what goes in and out.

    unread:     tensors of published checkpoints that no computation reads.
    num_frames: frames of a window in the paper.
    has_fixed_window: for joints, whether an exported file takes windows of one length only (for heatmaps, all do).
    """

    name: str
    build: Callable[[NetworkRequest], nn.Module]
    input: Input = "keypoint"
    outputs: tuple[str, ...] = ("logits",)
    unread: tuple[str, ...] = ()
    num_frames: int = 100
    has_fixed_window: bool = False


def require_network(name: str) -> NetworkEntry:
    """The row of that name; raises ModelUnknown."""
    if name not in NETWORKS:
        raise ModelUnknown(f"network {name!r} is not one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def graph_config(request: NetworkRequest, prefix: str, width_key: str, slots: int) -> GraphConfig:
    """Settings of a network of equal blocks `prefix.0`, `prefix.1`, ...; a wider block is taken to halve time too.

    width_key: the tensor of a block whose length is its width. Raises CheckpointMismatch if the input's statistics do
    not fit layout and slots.
    """
    if not request.shapes:
        return _free_config(request)
    indexes = {int(key.split(".")[1]) for key in request.shapes if key.startswith(f"{prefix}.")}
    widths = [_require(request.shapes, f"{prefix}.{index}.{width_key}")[0] for index in range(len(indexes))]
    if not widths:
        raise CheckpointMismatch(f"no tensor {prefix}.0.{width_key}: not a checkpoint of this network")
    inflated = tuple(i + 1 for i in range(1, len(widths)) if widths[i] == 2 * widths[i - 1])
    strided = tuple(i + 1 for i in range(1, len(widths)) if f"{prefix}.{i}.residual.conv.weight" in request.shapes)
    channels = input_channels(request, slots)
    return GraphConfig(
        request.layout, request.num_classes, channels, request.num_persons, widths[0], len(widths), inflated, strided
    )


def _free_config(request: NetworkRequest) -> GraphConfig:
    """Settings where no checkpoint asks for any: those of `size`, else the paper's."""
    size = {} if request.size is None else asdict(request.size)
    return GraphConfig(request.layout, request.num_classes, request.in_channels, request.num_persons, **size)


def input_channels(request: NetworkRequest, slots: int) -> int:
    """Values per joint that a checkpoint's input statistics are for; raises CheckpointMismatch if they are uneven."""
    length = _require(request.shapes, "data_bn.weight")[0]
    joints = len(request.layout) * slots
    if length % joints:
        raise CheckpointMismatch(
            f"data_bn.weight: {length} values do not divide by {len(request.layout)} joints of {request.layout.name}"
            + (f" x {slots} persons" if slots > 1 else "")
        )
    return length // joints


def _require(shapes: Shapes, key: str) -> tuple[int, ...]:
    if not shapes.get(key):
        raise CheckpointMismatch(f"no tensor {key}: not a checkpoint of this network")
    return shapes[key]


def _stgcn(request: NetworkRequest) -> nn.Module:
    config = graph_config(request, "gcn", "tcn.conv.weight", slots=1)
    if not request.shapes:
        return STGCN(config)
    subsets = _require(request.shapes, "gcn.0.gcn.A")[0]
    if subsets not in _PARTITION_OF:
        raise CheckpointMismatch(f"gcn.0.gcn.A: {subsets} subsets, expected {', '.join(map(str, _PARTITION_OF))}")
    options = STGCNOptions(_PARTITION_OF[subsets], edge_importance="gcn.0.gcn.PA" in request.shapes)
    return STGCN(config, options)


def _stgcnpp(request: NetworkRequest) -> nn.Module:
    return STGCNPP(graph_config(request, "gcn", "gcn.bn.weight", slots=1))


def _aagcn(request: NetworkRequest) -> nn.Module:
    config = graph_config(request, "gcn", "gcn.bn.weight", slots=request.num_persons)
    return AAGCN(config, has_attention=not request.shapes or "gcn.0.gcn.conv_ta.weight" in request.shapes)


def _ctrgcn(request: NetworkRequest) -> nn.Module:
    return CTRGCN(graph_config(request, "net", "gcn1.bn.weight", slots=request.num_persons))


def _dgstgcn(request: NetworkRequest) -> nn.Module:
    return DGSTGCN(graph_config(request, "gcn", "gcn.bn.weight", slots=1))


def _msg3d(request: NetworkRequest) -> nn.Module:
    channels, width = request.in_channels, 96
    if request.shapes:
        channels = input_channels(request, request.num_persons)
        width = _require(request.shapes, "sgcn1.0.mlp.layers.0.weight")[0]
    return MSG3D(GraphConfig(request.layout, request.num_classes, channels, request.num_persons, width))


def _posec3d(request: NetworkRequest, stage_blocks: tuple[int, int, int] = (4, 6, 3)) -> nn.Module:
    width, channels = _stem(request, "conv1.conv.weight", 32)
    return PoseC3D(PoseC3DConfig(request.num_classes, channels, width, stage_blocks))


def _c3d(request: NetworkRequest) -> nn.Module:
    width, channels = _stem(request, "conv1a.conv.weight", 32)
    return C3DLight(request.num_classes, channels, width)


def _x3d(request: NetworkRequest) -> nn.Module:
    width, channels = _stem(request, "conv1_s.conv.weight", 24)
    return X3DShallow(request.num_classes, channels, width)


def _rgbpose(request: NetworkRequest) -> nn.Module:
    width, channels = _stem(request, "pose_path.conv1.conv.weight", 32)
    rgb_width = _require(request.shapes, "rgb_path.conv1.conv.weight")[0] if request.shapes else 64
    sees_pose = not request.shapes or "rgb_path.layer2_lateral.conv.weight" in request.shapes
    sees_rgb = not request.shapes or "pose_path.layer1_lateral.conv.weight" in request.shapes
    laterals: Mapping[tuple[bool, bool], Lateral] = {
        (False, False): "none", (True, False): "to_rgb", (False, True): "to_pose", (True, True): "both",
    }  # fmt: skip
    return RGBPoseC3D(RGBPoseConfig(request.num_classes, channels, rgb_width, width, laterals[sees_pose, sees_rgb]))


def _stem(request: NetworkRequest, key: str, width: int) -> tuple[int, int]:
    """Width and heatmaps of the first convolution: the checkpoint's, else the paper's width and one map per joint."""
    if not request.shapes:
        return width, len(request.layout)
    found = _require(request.shapes, key)
    return found[0], found[1]


def _potion(request: NetworkRequest) -> nn.Module:
    return PoTion(request.num_classes, len(request.layout))


def _stf_stgcnpp(request: NetworkRequest) -> nn.Module:
    return STFSTGCNPP(GraphConfig(request.layout, request.num_classes, request.in_channels, request.num_persons))


def _stf_msg3d(request: NetworkRequest) -> nn.Module:
    return STFMSG3D(GraphConfig(request.layout, request.num_classes, request.in_channels, request.num_persons, 96))


def _slnl(request: NetworkRequest) -> nn.Module:
    return SLnLrFA(SLnLConfig(len(request.layout), request.num_classes, request.in_channels))


def _tcn(request: NetworkRequest) -> nn.Module:
    joints, channels = len(request.layout), request.in_channels
    if request.shapes:
        width, values, _ = _require(request.shapes, "stem.weight")
        if values % joints:
            raise CheckpointMismatch(
                f"stem.weight: {values} values do not divide by {joints} joints of {request.layout.name}"
            )
        return TCN(joints, values // joints, request.num_classes, width)
    if request.size is None:
        return TCN(joints, channels, request.num_classes)
    return TCN(joints, channels, request.num_classes, request.size.base_channels, request.size.dropout)


NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            NetworkEntry("stgcn", _stgcn),
            NetworkEntry("stgcn++", _stgcnpp),
            NetworkEntry("aagcn", _aagcn, unread=("A",)),
            NetworkEntry("msg3d", _msg3d, unread=("A",)),
            NetworkEntry("ctrgcn", _ctrgcn, unread=("A",)),
            NetworkEntry("dgstgcn", _dgstgcn),
            NetworkEntry("posec3d-slowonly", _posec3d, "heatmap", num_frames=48),
            NetworkEntry("posec3d-slowonly-346", partial(_posec3d, stage_blocks=(3, 4, 6)), "heatmap", num_frames=48),
            NetworkEntry("posec3d-c3d", _c3d, "heatmap", num_frames=48),
            NetworkEntry("posec3d-x3d", _x3d, "heatmap", num_frames=48),
            NetworkEntry("rgbpose", _rgbpose, "rgbpose", ("logits_rgb", "logits_pose"), num_frames=32),
            NetworkEntry("potion", _potion, "heatmap", num_frames=48),
            NetworkEntry("stf-stgcn++", _stf_stgcnpp),
            NetworkEntry("stf-msg3d", _stf_msg3d),
            NetworkEntry("slnl-rfa", _slnl, num_frames=64, has_fixed_window=True),
            NetworkEntry("tcn", _tcn, num_frames=30),
        )
    }
)
