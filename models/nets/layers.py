"""What several graph networks really share: their settings, the input normalisation and head, and temporal units."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.skeleton.graph import Adjacency
from models.skeleton.layouts import Layout


class Stage(NamedTuple):
    """One block: channels in and out, step in time, and whether a residual goes around it."""

    in_channels: int
    out_channels: int
    stride: int
    has_residual: bool


@dataclass(frozen=True, slots=True)
class GraphConfig:
    """Settings of a graph network; the defaults are the papers'.

    num_persons:    slots of the input; counts only where the input's statistics are kept per slot.
    base_channels:  width of the first stage.
    inflate_stages: stages, from 1, that double the width.
    down_stages:    stages, from 1, that halve the number of frames.
    dropout:        of the temporal units, from the second stage on.
    """

    layout: Layout
    num_classes: int
    in_channels: int = 3
    num_persons: int = 2
    base_channels: int = 64
    num_stages: int = 10
    inflate_stages: tuple[int, ...] = (5, 8)
    down_stages: tuple[int, ...] = (5, 8)
    dropout: float = 0.0

    def stages(self) -> Iterator[Stage]:
        """The blocks in order; the first one changes the channels and has no residual."""
        channels, width = self.in_channels, self.base_channels
        for index in range(1, self.num_stages + 1):
            width *= 2 if index in self.inflate_stages else 1
            yield Stage(channels, width, 2 if index in self.down_stages else 1, index > 1)
            channels = width

    @property
    def out_channels(self) -> int:
        """Width of the last stage."""
        return self.base_channels << sum(index <= self.num_stages for index in self.inflate_stages)


class PeopleNetwork(nn.Module):
    """A classifier that describes every person alone and answers for the group: (B, M, T, V, C) to (B, K).

    num_slots:    person slots that are told apart, no more and no fewer; 0 takes any number, all alike.
    person_shape: (V, C), joints and values of each.
    Subclasses give `normalise`, `describe` and `classify`.
    """

    def __init__(self, num_slots: int, person_shape: tuple[int, int]) -> None:
        super().__init__()
        self.num_slots = num_slots
        self.person_shape = person_shape

    def normalise(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B*M, C, T, V), in the scale that the network works with."""
        raise NotImplementedError

    def describe(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to (P, F), each person's from their own joints alone."""
        raise NotImplementedError

    def classify(self, described: Tensor) -> Tensor:
        """(B, M, F) to (B, K) logits."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B, K) logits."""
        B, M, _, _, _ = x.shape
        return self.classify(self.describe(self.normalise(x)).reshape(B, M, -1))


class GraphNetwork(PeopleNetwork):
    """A classifier of people: normalise the joints, encode each person, average, classify.

    Input (B, M, T, V, C), logits (B, K). Subclasses give `encode`.
    per_slot: keep the input's statistics for each person slot (M*V*C channels) instead of for any person (V*C).
    """

    def __init__(self, config: GraphConfig, num_features: int, per_slot: bool) -> None:
        super().__init__(config.num_persons if per_slot else 0, (len(config.layout), config.in_channels))
        self.config = config
        self.per_slot = per_slot
        self.data_bn = nn.BatchNorm1d(max(1, self.num_slots) * len(config.layout) * config.in_channels)
        self.fc_cls = nn.Linear(num_features, config.num_classes)
        nn.init.normal_(self.fc_cls.weight, std=0.01)
        nn.init.zeros_(self.fc_cls.bias)

    def normalise(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B*M, C, T, V), each of the V*C (or M*V*C) values scaled by its statistics."""
        B, M, T, V, C = x.shape
        if self.per_slot:
            rows = self.data_bn(x.transpose(1, 2).reshape(B * T, M * V * C))
            x = rows.reshape(B, T, M, V, C).transpose(1, 2)
        else:
            x = self.data_bn(x.reshape(B * M * T, V * C))
        return x.reshape(B * M, T, V, C).permute(0, 3, 1, 2).contiguous()

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        raise NotImplementedError

    def describe(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to (P, C'): the mean of their feature maps."""
        return self.encode(people).mean(dim=(2, 3))

    def classify(self, described: Tensor) -> Tensor:
        """(B, M, C') to (B, K) logits: the mean of all slots, empty ones too."""
        logits: Tensor = self.fc_cls(described.mean(dim=1))
        return logits


class TemporalConv(nn.Module):
    """Convolution over time alone, with batch norm if asked for: (P, C, T, V) to (P, C', T/stride, V)."""

    def __init__(
        self, channels: tuple[int, int], kernel: int, stride: int = 1, dilation: int = 1, has_norm: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            *channels,
            kernel_size=(kernel, 1),
            padding=((kernel - 1) * dilation // 2, 0),
            stride=(stride, 1),
            dilation=(dilation, 1),
        )
        self.bn = nn.BatchNorm2d(channels[1]) if has_norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out: Tensor = self.bn(self.conv(x))
        return out


class MultiBranchTemporal(nn.Module):
    """ST-GCN++'s and DG-STGCN's temporal unit: four dilated convolutions, a max-pool and a 1x1 side by side.

    The channels that do not divide by six go to branch 0; the 1x1 branch has neither batch norm nor ReLU.
    """

    def __init__(self, channels: int, stride: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        narrow = channels // 6
        widths = (channels - 5 * narrow, *[narrow] * 5)
        dilated = [
            nn.Sequential(
                *pointwise(channels, width), TemporalConv((width, width), 3, stride, dilation, has_norm=False)
            )
            for width, dilation in zip(widths[:4], (1, 2, 3, 4), strict=True)
        ]
        pooled = nn.Sequential(*pointwise(channels, widths[4]), nn.MaxPool2d((3, 1), (stride, 1), (1, 0)))
        plain = nn.Conv2d(channels, widths[5], 1, stride=(stride, 1))
        self.branches = nn.ModuleList([*dilated, pooled, plain])
        self.transform = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.bn = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(dropout)

    def mix(self, x: Tensor) -> Tensor:
        """The branches side by side, before they are transformed."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, T/stride, V)."""
        out: Tensor = self.drop(self.bn(self.transform(self.mix(x))))
        return out


class DilatedTemporal(nn.Module):
    """MS-G3D's and CTR-GCN's temporal unit: dilated convolutions, a max-pool and a 1x1 side by side, then ReLU.

    Every branch ends in batch norm; the channels that do not divide go to the last, the 1x1 branch.
    """

    def __init__(self, stage: Stage, kernel: int, dilations: tuple[int, ...], dropout: float = 0.0) -> None:
        super().__init__()
        channels, stride = stage.in_channels, stage.stride
        narrow = stage.out_channels // (len(dilations) + 2)
        rest = stage.out_channels - narrow * (len(dilations) + 1)
        dilated = [
            nn.Sequential(*pointwise(channels, narrow), TemporalConv((narrow, narrow), kernel, stride, dilation))
            for dilation in dilations
        ]
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        pooled = nn.Sequential(*pointwise(channels, narrow), pool, nn.BatchNorm2d(narrow))
        plain = nn.Sequential(nn.Conv2d(channels, rest, 1, stride=(stride, 1)), nn.BatchNorm2d(rest))
        self.branches = nn.ModuleList([*dilated, pooled, plain])
        self.residual = residual(stage)
        self.act: nn.Module = nn.ReLU()
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T/stride, V)."""
        out = add_residual(torch.cat([branch(x) for branch in self.branches], dim=1), self.residual, x)
        dropped: Tensor = self.drop(self.act(out))
        return dropped


def pointwise(in_channels: int, out_channels: int) -> list[nn.Module]:
    """A 1x1 convolution, its batch norm and ReLU."""
    return [nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU()]


def residual(stage: Stage) -> nn.Module | None:
    """The way around a block: nothing, the input itself, or a strided 1x1 convolution where the shape changes."""
    if not stage.has_residual:
        return None
    if stage.in_channels == stage.out_channels and stage.stride == 1:
        return nn.Identity()
    return TemporalConv((stage.in_channels, stage.out_channels), 1, stage.stride)


def add_residual(out: Tensor, way: nn.Module | None, x: Tensor) -> Tensor:
    """`out` plus what `way` makes of the block's input, where there is a way."""
    return out if way is None else out + way(x)


def downsample(in_channels: int, out_channels: int) -> nn.Module:
    """The way around a graph layer: the input itself, or 1x1 convolution and batch norm where the width changes."""
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))


def aggregate(x: Tensor, adjacency: Tensor) -> Tensor:
    """Sum over subsets of features times graph: (P, K*C, T, V) and (K, V, V) to (P, C, T, V)."""
    P, _, T, V = x.shape
    K = adjacency.shape[0]
    spread = x.reshape(P, K, -1, V) @ adjacency
    return spread.sum(dim=1).reshape(P, -1, T, V)


def side_by_side(convs: Iterable[nn.Module], x: Tensor) -> Tensor:
    """Several 1x1 convolutions of the same input as one: (P, C, T, V) to (P, the sum of their widths, T, V)."""
    weights, biases = _parameters(convs)
    return F.conv2d(x, torch.cat(weights), torch.cat(biases))


def summed(convs: Iterable[nn.Module], x: Tensor) -> Tensor:
    """The sum of 1x1 convolutions, each of its own input, as one: (P, their inputs' widths, T, V) to (P, C', T, V)."""
    weights, biases = _parameters(convs)
    return F.conv2d(x, torch.cat(weights, dim=1), torch.stack(biases).sum(dim=0))


def _parameters(convs: Iterable[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    weights, biases = [], []
    for conv in convs:
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        weights.append(conv.weight)
        biases.append(conv.bias)
    return weights, biases


def as_tensor(adjacency: Adjacency) -> Tensor:
    """A graph as float32 tensor."""
    return torch.as_tensor(adjacency, dtype=torch.float32)


def init_convolutions(network: nn.Module) -> None:
    """Kaiming fan-out weights and zero biases for every 2D convolution of `network` (AAGCN's and CTR-GCN's start)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
