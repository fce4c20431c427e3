"""Networks by name: the one table that import, export, bench and training read; a new network is one more row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Literal, TypeAlias, TypeVar

from pydantic import ValidationError
from torch import nn

from models.errors import CheckpointMismatch, ModelUnknown, OptionInvalid
from models.nets.aagcn import AAGCN
from models.nets.c3d import C3DLight
from models.nets.ctrgcn import CTRGCN
from models.nets.dgstgcn import DGSTGCN
from models.nets.layers import GraphConfig
from models.nets.msg3d import MSG3D
from models.nets.options import (
    AttentionOptions,
    BlockOptions,
    ColourOptions,
    LocalNonLocalOptions,
    NetworkOptions,
    ShallowOptions,
    SlowOnlyOptions,
    TemporalOptions,
    TwoPathOptions,
    VanillaOptions,
    VolumeOptions,
    WideOptions,
)
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

_Options = TypeVar("_Options", bound=NetworkOptions)
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Input: TypeAlias = Literal["keypoint", "heatmap", "rgbpose"]
"""What goes in: joints of people, heatmaps, or pictures and heatmaps."""
_PARTITION_OF: Mapping[int, Partition] = {1: "uniform", 2: "distance", 3: "stgcn_spatial"}


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """What to build.

    in_channels: values per joint where no checkpoint says it.
    shapes:      shapes of a checkpoint's tensors under our names; when given, width and depth follow them.
    options:     what a recipe chooses of the network, by the fields of its row's `options`; the rest is the paper's.
    num_maps:    heatmaps per frame where no checkpoint says it; 0 takes one per joint.
    """

    layout: Layout
    num_classes: int
    num_persons: int = 2
    in_channels: int = 3
    shapes: Shapes = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    num_maps: int = 0


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """One row: how to build a network and what goes in and out.

    unread:     tensors of published checkpoints that no computation reads.
    num_frames: frames of a window in the paper.
    has_fixed_window: for joints, whether an exported file takes windows of one length only (for heatmaps, all do).
    options:    what may be chosen of it where no checkpoint is given.
    """

    name: str
    build: Callable[[NetworkRequest], nn.Module]
    input: Input = "keypoint"
    outputs: tuple[str, ...] = ("logits",)
    unread: tuple[str, ...] = ()
    num_frames: int = 100
    has_fixed_window: bool = False
    options: type[NetworkOptions] = BlockOptions


def require_network(name: str) -> NetworkEntry:
    """The row of that name; raises ModelUnknown."""
    if name not in NETWORKS:
        raise ModelUnknown(f"network {name!r} is not one of {', '.join(NETWORKS)}")
    return NETWORKS[name]


def parse_options(kind: type[_Options], values: Mapping[str, object]) -> _Options:
    """Options of one kind from plain values; raises OptionInvalid that names the first one that is wrong."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise OptionInvalid(f"{where}: no such option; there are {', '.join(kind.model_fields)}") from cause
        if first["type"] == "value_error":
            raise OptionInvalid(f"{first['ctx']['error']}") from cause
        raise OptionInvalid(f"{where}: {first['msg']} (got {first.get('input')!r})") from cause


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


def _free_config(request: NetworkRequest, kind: type[BlockOptions] = BlockOptions) -> GraphConfig:
    """Settings where no checkpoint asks for any: those that were chosen, else the paper's."""
    size = parse_options(kind, request.options).model_dump(include=set(BlockOptions.model_fields))
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
    if not request.shapes:
        chosen = parse_options(VanillaOptions, request.options).chosen()
        return STGCN(_free_config(request, VanillaOptions), chosen)
    config = graph_config(request, "gcn", "tcn.conv.weight", slots=1)
    subsets = _require(request.shapes, "gcn.0.gcn.A")[0]
    if subsets not in _PARTITION_OF:
        raise CheckpointMismatch(f"gcn.0.gcn.A: {subsets} subsets, expected {', '.join(map(str, _PARTITION_OF))}")
    options = STGCNOptions(_PARTITION_OF[subsets], edge_importance="gcn.0.gcn.PA" in request.shapes)
    return STGCN(config, options)


def _stgcnpp(request: NetworkRequest) -> nn.Module:
    return STGCNPP(graph_config(request, "gcn", "gcn.bn.weight", slots=1))


def _aagcn(request: NetworkRequest) -> nn.Module:
    if not request.shapes:
        options = parse_options(AttentionOptions, request.options)
        return AAGCN(_free_config(request, AttentionOptions), has_attention=options.attention)
    config = graph_config(request, "gcn", "gcn.bn.weight", slots=request.num_persons)
    return AAGCN(config, has_attention="gcn.0.gcn.conv_ta.weight" in request.shapes)


def _ctrgcn(request: NetworkRequest) -> nn.Module:
    return CTRGCN(graph_config(request, "net", "gcn1.bn.weight", slots=request.num_persons))


def _dgstgcn(request: NetworkRequest) -> nn.Module:
    return DGSTGCN(graph_config(request, "gcn", "gcn.bn.weight", slots=1))


def _msg3d(request: NetworkRequest) -> nn.Module:
    if not request.shapes:
        return MSG3D(_wide_config(request))
    channels = input_channels(request, request.num_persons)
    width = _require(request.shapes, "sgcn1.0.mlp.layers.0.weight")[0]
    return MSG3D(GraphConfig(request.layout, request.num_classes, channels, request.num_persons, width))


def _wide_config(request: NetworkRequest) -> GraphConfig:
    options = parse_options(WideOptions, request.options)
    return GraphConfig(
        request.layout, request.num_classes, request.in_channels, request.num_persons, options.base_channels,
        dropout=options.dropout,
    )  # fmt: skip


def _posec3d(request: NetworkRequest, stage_blocks: tuple[int, int, int] = (4, 6, 3)) -> nn.Module:
    options = parse_options(SlowOnlyOptions, request.options)
    width, channels = _stem(request, "conv1.conv.weight", options.base_channels)
    blocks = options.stage_blocks or stage_blocks
    return PoseC3D(PoseC3DConfig(request.num_classes, channels, width, blocks, options.dropout))


def _c3d(request: NetworkRequest) -> nn.Module:
    options = parse_options(VolumeOptions, request.options)
    width, channels = _stem(request, "conv1a.conv.weight", options.base_channels)
    return C3DLight(request.num_classes, channels, width, options.dropout)


def _x3d(request: NetworkRequest) -> nn.Module:
    options = parse_options(ShallowOptions, request.options)
    width, channels = _stem(request, "conv1_s.conv.weight", options.base_channels)
    return X3DShallow(request.num_classes, channels, width, options.stage_blocks, options.dropout)


def _rgbpose(request: NetworkRequest) -> nn.Module:
    options = parse_options(TwoPathOptions, request.options)
    width, channels = _stem(request, "pose_path.conv1.conv.weight", options.pose_channels)
    rgb_width, lateral = options.rgb_channels, options.lateral
    if request.shapes:
        rgb_width = _require(request.shapes, "rgb_path.conv1.conv.weight")[0]
        lateral = _lateral(request.shapes)
    return RGBPoseC3D(RGBPoseConfig(request.num_classes, channels, rgb_width, width, lateral, options.dropout))


def _lateral(shapes: Shapes) -> Lateral:
    """Which way the features of a checkpoint cross over."""
    sees_pose = "rgb_path.layer2_lateral.conv.weight" in shapes
    sees_rgb = "pose_path.layer1_lateral.conv.weight" in shapes
    laterals: Mapping[tuple[bool, bool], Lateral] = {
        (False, False): "none", (True, False): "to_rgb", (False, True): "to_pose", (True, True): "both",
    }  # fmt: skip
    return laterals[sees_pose, sees_rgb]


def _stem(request: NetworkRequest, key: str, width: int) -> tuple[int, int]:
    """Width and heatmaps of the first convolution: the checkpoint's, else the chosen width and one map per joint."""
    if not request.shapes:
        return width, request.num_maps or len(request.layout)
    found = _require(request.shapes, key)
    return found[0], found[1]


def _potion(request: NetworkRequest) -> nn.Module:
    options = parse_options(ColourOptions, request.options)
    maps = request.num_maps or len(request.layout)
    return PoTion(request.num_classes, maps, options.num_colours, options.channels, options.dropout)


def _stf_stgcnpp(request: NetworkRequest) -> nn.Module:
    return STFSTGCNPP(_free_config(request))


def _stf_msg3d(request: NetworkRequest) -> nn.Module:
    return STFMSG3D(_wide_config(request))


def _slnl(request: NetworkRequest) -> nn.Module:
    options = parse_options(LocalNonLocalOptions, request.options)
    return SLnLrFA(SLnLConfig(len(request.layout), request.num_classes, request.in_channels, **options.model_dump()))


def _tcn(request: NetworkRequest) -> nn.Module:
    joints, channels = len(request.layout), request.in_channels
    if request.shapes:
        width, values, _ = _require(request.shapes, "stem.weight")
        if values % joints:
            raise CheckpointMismatch(
                f"stem.weight: {values} values do not divide by {joints} joints of {request.layout.name}"
            )
        return TCN(joints, values // joints, request.num_classes, width)
    options = parse_options(TemporalOptions, request.options)
    return TCN(joints, channels, request.num_classes, options.base_channels, options.dropout)


NETWORKS: Mapping[str, NetworkEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            NetworkEntry("stgcn", _stgcn, options=VanillaOptions),
            NetworkEntry("stgcn++", _stgcnpp),
            NetworkEntry("aagcn", _aagcn, options=AttentionOptions, unread=("A",)),
            NetworkEntry("msg3d", _msg3d, options=WideOptions, unread=("A",)),
            NetworkEntry("ctrgcn", _ctrgcn, unread=("A",)),
            NetworkEntry("dgstgcn", _dgstgcn),
            NetworkEntry("posec3d-slowonly", _posec3d, "heatmap", options=SlowOnlyOptions, num_frames=48),
            NetworkEntry(
                "posec3d-slowonly-346",
                partial(_posec3d, stage_blocks=(3, 4, 6)),
                "heatmap",
                options=SlowOnlyOptions,
                num_frames=48,
            ),
            NetworkEntry("posec3d-c3d", _c3d, "heatmap", options=VolumeOptions, num_frames=48),
            NetworkEntry("posec3d-x3d", _x3d, "heatmap", options=ShallowOptions, num_frames=48),
            NetworkEntry(
                "rgbpose", _rgbpose, "rgbpose", ("logits_rgb", "logits_pose"), options=TwoPathOptions, num_frames=32
            ),
            NetworkEntry("potion", _potion, "heatmap", options=ColourOptions, num_frames=48),
            NetworkEntry("stf-stgcn++", _stf_stgcnpp),
            NetworkEntry("stf-msg3d", _stf_msg3d, options=WideOptions),
            NetworkEntry("slnl-rfa", _slnl, options=LocalNonLocalOptions, num_frames=64, has_fixed_window=True),
            NetworkEntry("tcn", _tcn, options=TemporalOptions, num_frames=30),
        )
    }
)
