"""How a network is wrapped for serving, and what goes into it: one row per kind of input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from torch import nn

from models.export import Port
from models.nets.build import Input, NetworkEntry
from models.nets.layers import GraphNetwork
from models.nets.slots import SkipEmptySlots


@dataclass(frozen=True, slots=True)
class Servable:
    """A network as it is exported, with its inputs."""

    module: nn.Module
    inputs: tuple[Port, ...]


def wrap(entry: NetworkEntry, network: nn.Module, num_frames: int = 0) -> Servable:
    """The network as it is served; `num_frames` is the window it is tuned for, 0 the paper's."""
    return _WRAPPERS[entry.input](network, num_frames or entry.num_frames)


def _keypoint(network: nn.Module, num_frames: int) -> Servable:
    graph = cast("GraphNetwork", network)
    config = graph.config
    persons = config.num_persons if graph.per_slot else "persons"
    port = Port("keypoint", ("batch", persons, "frames", len(config.layout), config.in_channels))
    return Servable(SkipEmptySlots(graph, num_frames), (port,))


_WRAPPERS: Mapping[Input, Callable[[nn.Module, int], Servable]] = MappingProxyType({"keypoint": _keypoint})
