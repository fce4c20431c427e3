"""How a network is wrapped for serving, and what goes into it: one row per kind of input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from torch import nn

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


@dataclass(frozen=True, slots=True)
class Servable:
    """A network as it is exported, with its inputs."""

    module: nn.Module
    inputs: tuple[Port, ...]


def wrap(entry: NetworkEntry, network: nn.Module, num_frames: int = 0) -> Servable:
    """The network as it is served; `num_frames` is the window it is tuned for, 0 the paper's."""
    return _WRAPPERS[entry.input](entry, network, num_frames or entry.num_frames)


def _keypoint(entry: NetworkEntry, network: nn.Module, num_frames: int) -> Servable:
    people = cast("PeopleNetwork", network)
    frames = num_frames if entry.has_fixed_window else "frames"
    port = Port("keypoint", ("batch", people.num_slots or "persons", frames, *people.person_shape))
    return Servable(SkipEmptySlots(people, num_frames), (port,))


def _heatmap(_: NetworkEntry, network: nn.Module, num_frames: int) -> Servable:
    port = Port("heatmap", ("batch", num_maps(network), num_frames, HEATMAP_SIDE, HEATMAP_SIDE))
    return Servable(_fast(network, num_frames), (port,))


def _fast(network: nn.Module, num_frames: int) -> nn.Module:
    """The same answers in the form in which ONNX Runtime is fastest."""
    return FrameByFrame(network, num_frames) if isinstance(network, X3DShallow) else network


def from_keypoints(network: nn.Module, num_frames: int) -> Servable:
    """A heatmap network that takes keypoints in picture pixels, (batch, persons, frames, V, 3): maps inside."""
    port = Port("keypoint", ("batch", "persons", num_frames, num_maps(network), 3))
    return Servable(FromKeypoints(_fast(network, num_frames), HEATMAP_SIDE), (port,))


def _rgbpose(entry: NetworkEntry, network: nn.Module, num_frames: int) -> Servable:
    pictures = Port("imgs", ("batch", 3, num_frames // 4, 4 * HEATMAP_SIDE, 4 * HEATMAP_SIDE))
    return Servable(network, (pictures, _heatmap(entry, network, num_frames).inputs[0]))


def num_maps(network: nn.Module) -> int:
    """Heatmaps per frame that a network takes: those of its first convolution over heatmaps."""
    if isinstance(network, PoTion):
        return network.num_maps
    path = network.pose_path if isinstance(network, RGBPoseC3D) else network
    first = next(module for module in path.modules() if isinstance(module, nn.Conv3d))
    return int(first.in_channels)


_WRAPPERS: Mapping[Input, Callable[[NetworkEntry, nn.Module, int], Servable]] = MappingProxyType(
    {"keypoint": _keypoint, "heatmap": _heatmap, "rgbpose": _rgbpose}
)
