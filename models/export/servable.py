"""How a network is wrapped for serving, and what goes into it: one row per kind of input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from torch import nn

from models.errors import CheckpointMismatch
from models.export.onnx import Port
from models.nets.build import Input, NetworkEntry
from models.nets.framewise import FrameByFrame
from models.nets.heatmap_input import FromKeypoints
from models.nets.layers import PeopleNetwork
from models.nets.potion import PoTion
from models.nets.rgbposec3d import RGBPoseC3D
from models.nets.skip_empty import SkipEmptySlots
from models.nets.x3d import X3DShallow

HEATMAP_SIDE = 56
"""Pixels of a heatmap's side, as the papers train; the networks take other sizes, an exported file this one."""
PICTURE_SIDE = 224
"""The same of RGBPose-Conv3D's pictures; its heatmaps have a quarter of it."""
_PICTURE_STEP, _FRAME_STEP = 8, 4


@dataclass(frozen=True, slots=True)
class Servable:
    """A network as it is exported, with its inputs."""

    module: nn.Module
    inputs: tuple[Port, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a network is exported for.

    num_frames: the window it is tuned for. side_px: of its pictures, or of its heatmaps where it sees none; 0 takes the
    papers'.
    """

    num_frames: int
    side_px: int = 0


def wrap(entry: NetworkEntry, network: nn.Module, num_frames: int = 0, side_px: int = 0) -> Servable:
    """The network as it is served; `num_frames` and `side_px` are those it is exported for, 0 the paper's.

    Raises CheckpointMismatch for a size that the network cannot take.
    """
    return _WRAPPERS[entry.input](entry, network, Extent(num_frames or entry.num_frames, side_px))


def _keypoint(entry: NetworkEntry, network: nn.Module, extent: Extent) -> Servable:
    people = cast("PeopleNetwork", network)
    frames = extent.num_frames if entry.has_fixed_window else "frames"
    port = Port("keypoint", ("batch", people.num_slots or "persons", frames, *people.person_shape))
    return Servable(SkipEmptySlots(people, extent.num_frames), (port,))


def _heatmap(_: NetworkEntry, network: nn.Module, extent: Extent) -> Servable:
    side = extent.side_px or HEATMAP_SIDE
    port = Port("heatmap", ("batch", num_maps(network), extent.num_frames, side, side))
    return Servable(_fast(network, extent.num_frames), (port,))


def _fast(network: nn.Module, num_frames: int) -> nn.Module:
    """The same answers in the form in which ONNX Runtime is fastest."""
    return FrameByFrame(network, num_frames) if isinstance(network, X3DShallow) else network


def from_keypoints(network: nn.Module, extent: Extent, num_joints: int, *, has_limbs: bool = False) -> Servable:
    """A heatmap network that takes keypoints in picture pixels, (batch, persons, frames, V, 3): maps inside."""
    port = Port("keypoint", ("batch", "persons", extent.num_frames, num_joints, 3))
    fast = _fast(network, extent.num_frames)
    return Servable(FromKeypoints(fast, extent.side_px or HEATMAP_SIDE, has_limbs=has_limbs), (port,))


def _rgbpose(_: NetworkEntry, network: nn.Module, extent: Extent) -> Servable:
    side, frames = extent.side_px or PICTURE_SIDE, extent.num_frames
    if side % _PICTURE_STEP or frames % _FRAME_STEP:
        raise CheckpointMismatch(
            f"RGBPose-Conv3D takes pictures whose side is a multiple of {_PICTURE_STEP} and windows of a multiple of "
            f"{_FRAME_STEP} frames, found {side} pixels and {frames} frames"
        )
    pictures = Port("imgs", ("batch", 3, frames // _FRAME_STEP, side, side))
    maps = Port("heatmap", ("batch", num_maps(network), frames, side // 4, side // 4))
    return Servable(network, (pictures, maps))


def num_maps(network: nn.Module) -> int:
    """Heatmaps per frame that a network takes: those of its first convolution over heatmaps."""
    if isinstance(network, PoTion):
        return network.num_maps
    path = network.pose_path if isinstance(network, RGBPoseC3D) else network
    first = next(module for module in path.modules() if isinstance(module, nn.Conv3d))
    return int(first.in_channels)


_WRAPPERS: Mapping[Input, Callable[[NetworkEntry, nn.Module, Extent], Servable]] = MappingProxyType(
    {"keypoint": _keypoint, "heatmap": _heatmap, "rgbpose": _rgbpose}
)
