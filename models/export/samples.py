"""What a network is tried on before it is exported: inputs like those it was trained on, drawn from what it stores.

Normal noise will not do. A network that saw coordinates of a thousandth, or a joint that never moved, divides by that
deviation; its answers to noise are so large that rounding alone exceeds any sensible tolerance.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nets.heatmap_input import KeypointsToHeatmaps
from models.nets.layers import GraphNetwork
from models.nets.slnl import SLnLrFA
from models.skeleton.reference.pictures import RGB_MEAN, RGB_STD

Sizes: TypeAlias = Mapping[str, int]
_ANY_SIZE = 2
_PICTURE_WH = (640.0, 480.0)
_BODY_PX = (20.0, 400.0)
_MISSING = 0.1
_PATCH_PX = 16
_STATE_STEPS = 8
_TRACK_DIMS = 4


@dataclass(frozen=True, slots=True)
class Port:
    """An input of an exported network: float32, its name and shape; a string is a dynamic size such as "batch"."""

    name: str
    shape: tuple[int | str, ...]

    def sample(self, sizes: Mapping[str, int], generator: torch.Generator) -> Tensor:
        """A normal draw of the shape that `sizes` gives to the dynamic axes."""
        return torch.randn(self.sizes(sizes), generator=generator)

    def sizes(self, sizes: Mapping[str, int]) -> list[int]:
        """The shape that `sizes` gives to the dynamic axes; one that it does not name is 2."""
        return [sizes.get(size, _ANY_SIZE) if isinstance(size, str) else size for size in self.shape]


@dataclass(frozen=True, slots=True)
class Joints:
    """Mean and deviation of a network's joints, (V, C) or, where person slots are told apart, (M, 1, V, C).

    step: the same of the difference between two frames where the network keeps that as well, else None.
    """

    mean: Tensor
    std: Tensor
    step: tuple[Tensor, Tensor] | None = None


def draw_inputs(network: nn.Module, ports: Sequence[Port], sizes: Sizes, generator: torch.Generator) -> list[Tensor]:
    """One plausible input per port, in their order.

    Joints follow the statistics that the network has stored of them; where its heatmaps are made in the graph they are
    pixels and scores; heatmaps are dots of bodies, pictures are smooth and normalised, a state is one that the network
    itself has come to.
    """
    tensors = [_DRAWS.get(port.name, _noise)(network, port.sizes(sizes), generator) for port in ports]
    if "state" in [port.name for port in ports]:
        return _with_state(network, ports, tensors)
    return tensors


def joint_statistics(network: nn.Module) -> Joints | None:
    """What the network, or the one that it wraps, has stored of its joints; None where it does not normalise them."""
    for module in network.modules():
        if isinstance(module, GraphNetwork):
            shape = (module.config.num_persons, 1) if module.per_slot else ()
            mean, std = _of_norm(module.data_bn, (*shape, *module.person_shape))
            return Joints(mean, std)
        if isinstance(module, SLnLrFA):
            position, velocity = (_of_norm(part.bn, module.person_shape) for part in (module.position, module.velocity))
            return Joints(*position, step=velocity)
    return None


def _of_norm(norm: nn.BatchNorm1d, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, variance = norm.running_mean.float().cpu(), norm.running_var.float().cpu()
    return mean.reshape(shape), variance.clamp(min=0).sqrt().reshape(shape)


def _joints(network: nn.Module, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    if any(isinstance(module, KeypointsToHeatmaps) for module in network.modules()):
        return _pixels(shape, generator)
    found = joint_statistics(network)
    noise = torch.randn(shape, generator=generator)
    if found is None:
        return noise
    if found.step is None:
        # Tracks have no person slots; a network that tells slots apart sees each of them in the first.
        is_of_tracks = found.mean.dim() == len(shape) == _TRACK_DIMS
        mean, std = (found.mean[0], found.std[0]) if is_of_tracks else (found.mean, found.std)
        return mean + std * noise
    mean, std = found.step
    walk = torch.cumsum(mean + std * noise, dim=-3)
    start = torch.randn([*shape[:-3], 1, *shape[-2:]], generator=generator)
    return found.mean + found.std * start + walk - walk.mean(dim=-3, keepdim=True)


def _pixels(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """(B, M, T, V, 3) joints of bodies in pictures, in pixels and with scores; some are missing."""
    B, M, T, V, _ = shape
    centre = torch.rand([B, M, 1, 1, 2], generator=generator) * torch.tensor(_PICTURE_WH)
    low, high = _BODY_PX
    body = low + (high - low) * torch.rand([B, 1, 1, 1, 1], generator=generator)
    xy = centre + body * (torch.rand([B, M, T, V, 2], generator=generator) - 0.5)
    score = torch.rand([B, M, T, V, 1], generator=generator)
    is_seen = torch.rand([B, M, T, V, 1], generator=generator) > _MISSING
    return torch.cat([xy, score], dim=-1) * is_seen


def _heatmaps(_: nn.Module, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """(B, V, T, H, W) maps of bodies' joints, 0..1 and mostly 0."""
    B, V, T, H, W = shape
    maps: Tensor = KeypointsToHeatmaps(max(H, W))(_pixels([B, 1, T, V, 3], generator))
    return maps[..., :H, :W].contiguous()


def _pictures(_: nn.Module, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """(B, 3, T, H, W) pictures without detail, of values 0..255 normalised as the published networks take them."""
    B, C, T, H, W = shape
    patches = torch.rand([B * T, C, H // _PATCH_PX + 2, W // _PATCH_PX + 2], generator=generator) * 255
    smooth = functional.interpolate(patches, size=(H, W), mode="bilinear").reshape(B, T, C, H, W).transpose(1, 2)
    mean, std = (torch.tensor(value).reshape(-1, 1, 1, 1)[:C] for value in (RGB_MEAN, RGB_STD))
    return ((smooth - mean) / std).contiguous()


def _picture_sizes(_: nn.Module, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.tensor(_PICTURE_WH) * torch.ones(list(shape)) + torch.randint(0, 2, list(shape), generator=generator)


def _noise(_: nn.Module, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randn(list(shape), generator=generator)


def _nothing(_: nn.Module, shape: Sequence[int], __: torch.Generator) -> Tensor:
    return torch.zeros(list(shape))


def _with_state(network: nn.Module, ports: Sequence[Port], tensors: list[Tensor]) -> list[Tensor]:
    """The inputs with the state that the network is in after some steps; its last output is the next state."""
    index = [port.name for port in ports].index("state")
    with torch.no_grad():
        for _ in range(_STATE_STEPS):
            tensors[index] = network(*tensors)[-1]
    return tensors


_Draw: TypeAlias = Callable[[nn.Module, Sequence[int], torch.Generator], Tensor]
_DRAWS: Mapping[str, _Draw] = MappingProxyType(
    {
        "keypoint": _joints,
        "features": _joints,
        "frames": _joints,
        "heatmap": _heatmaps,
        "imgs": _pictures,
        "size_wh": _picture_sizes,
        "state": _nothing,
    }
)
