"""STF: a graph network that asks its own gradients where and when it looked, and learns a graph per person from it.

Paper:   Ke, Peng, Lyu: Towards To-a-T Spatio-Temporal Focus for Skeleton-Based Action Recognition, AAAI 2022.
Taken:   the focus Q of a class on a feature map, GradCAM over time and joints (seed 002); the STF module, whose map
         beta(X) is pulled towards Q and whose alpha turns that map into an adjacency of this very instance; both on
         MS-G3D and on ST-GCN++. The four losses on Q are in pipelines/training/focus.py.
Differs: the paper leaves alpha and beta open. Here beta is a two-layer 1x1 network with ReLU, and alpha the mean over
         time of the products of two embeddings of beta(X), squashed by tanh and scaled by a learnt number that begins
         at zero, so that training starts from the plain network.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros).
Output:  (B, K) logits; `observe` and `focus` give what the losses, and a person who asks why, need.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.layers import GraphConfig, GraphNetwork
from models.nets.msg3d import MSG3D, MultiScaleGraphConv
from models.nets.stgcnpp import STGCNPP, AdaptiveGraphConv, Block

_EMBEDDING = 4


@dataclass(frozen=True, slots=True)
class Observation:
    """One forward pass with what the focus needs.

    logits: (B, K).
    maps:   per STF module, the (B*M, C, T, V) feature map that it hands on.
    views:  per STF module, beta of that module's input: (B*M, T', V), not negative.
    """

    logits: Tensor
    maps: tuple[Tensor, ...]
    views: tuple[Tensor, ...]


class InstanceGraph(nn.Module):
    """An adjacency for each person from where the module looks: (P, C, T, V) to (P, V, V)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(4, channels // 4)
        self.beta = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, 1, 1), nn.Softplus())
        self.alpha = nn.Conv2d(1, 2 * _EMBEDDING, 1)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The adjacency (P, V, V) and the view beta(X) (P, T, V)."""
        P, _, T, V = x.shape
        view = self.beta(x)
        query, key = self.alpha(view).chunk(2, dim=1)
        links = query.reshape(P, -1, V).transpose(1, 2) @ key.reshape(P, -1, V) / (_EMBEDDING * T)
        return self.strength * torch.tanh(links), view[:, 0]


class FocusGraphConv(nn.Module):
    """ST-GCN++'s graph layer with the instance's graph added to its own: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, base: AdaptiveGraphConv, in_channels: int) -> None:
        super().__init__()
        self.base = base
        self.instance = InstanceGraph(in_channels)
        self.view: Tensor | None = None
        self.is_observed = False

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        graph, view = self.instance(x)
        if self.is_observed:
            self.view = view
        base = self.base
        P, _, T, V = x.shape
        K = base.A.shape[0]
        spread = base.conv(x).reshape(P, K, -1, V)
        adjacency = base.A.unsqueeze(0) + graph.unsqueeze(1)
        mixed = (spread @ adjacency).sum(dim=1).reshape(P, -1, T, V)
        out: Tensor = base.act(base.bn(mixed) + base.down(x))
        return out


class FocusMultiScale(nn.Module):
    """MS-G3D's multi-scale graph layer with the instance's graph added at every distance."""

    def __init__(self, base: MultiScaleGraphConv, in_channels: int) -> None:
        super().__init__()
        self.base = base
        self.instance = InstanceGraph(in_channels)
        self.view: Tensor | None = None
        self.is_observed = False

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        graph, view = self.instance(x)
        if self.is_observed:
            self.view = view
        P, C, T, V = x.shape
        scales = (self.base.A + self.base.PA).unsqueeze(0) + graph.unsqueeze(1)
        spread = x.reshape(P, 1, C * T, V) @ scales
        out: Tensor = self.base.mlp(spread.reshape(P, -1, T, V))
        return out


class FocusNetwork(GraphNetwork):
    """What both STF networks share; subclasses give `stages`, the parts of `encode` after which the focus is taken."""

    def stages(self) -> Sequence[nn.Module]:
        """The modules of `encode`, each (P, C, T, V) to (P, C', T', V), in order; each holds one STF module."""
        raise NotImplementedError

    def encode(self, people: Tensor) -> Tensor:
        """(P, C, T, V) normalised joints of P people to a (P, C', T', V) feature map."""
        for stage in self.stages():
            people = stage(people)
        return people

    def observe(self, x: Tensor) -> Observation:
        """A forward pass that keeps the feature maps and views: (B, M, T, V, C)."""
        B, M, _, _, _ = x.shape
        people, maps, views = self.normalise(x), [], []
        modules = [module for stage in self.stages() for module in _stf_modules(stage)]
        for module in modules:
            module.is_observed = True
        for stage in self.stages():
            people = stage(people)
            maps.append(people)
        for module in modules:
            assert module.view is not None
            views.append(module.view)
            module.view, module.is_observed = None, False
        logits = self.fc_cls(people.mean(dim=(2, 3)).reshape(B, M, -1).mean(dim=1))
        return Observation(logits, tuple(maps), tuple(views))


class STFSTGCNPP(FocusNetwork):
    """STF on ST-GCN++: the last stage of each width holds an STF module."""

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config, config.out_channels, per_slot=False)
        plain = STGCNPP(config)
        blocks = [block for block in plain.gcn if isinstance(block, Block)]
        self.gcn = nn.ModuleList(_cut(blocks, config))

    def stages(self) -> Sequence[nn.Module]:
        """One stage per width."""
        return list(self.gcn)


class STFMSG3D(FocusNetwork):
    """STF on MS-G3D: the factorised path of each of its three stages holds an STF module."""

    def __init__(self, config: GraphConfig) -> None:
        plain = MSG3D(config)
        super().__init__(config, 4 * config.base_channels, per_slot=True)
        widths = (config.in_channels, config.base_channels, 2 * config.base_channels)
        parts = (
            (plain.sgcn1, plain.gcn3d1, plain.tcn1),
            (plain.sgcn2, plain.gcn3d2, plain.tcn2),
            (plain.sgcn3, plain.gcn3d3, plain.tcn3),
        )
        self.gcn = nn.ModuleList(_TwoPaths(*part, width) for part, width in zip(parts, widths, strict=True))

    def stages(self) -> Sequence[nn.Module]:
        """MS-G3D's three stages."""
        return list(self.gcn)


class _TwoPaths(nn.Module):
    """One stage of MS-G3D: factorised path (with the STF module) and windows, summed, then the temporal unit."""

    def __init__(self, factorised: nn.Sequential, windows: nn.Module, temporal: nn.Module, in_channels: int) -> None:
        super().__init__()
        first = factorised[0]
        assert isinstance(first, MultiScaleGraphConv)
        self.factorised = nn.Sequential(FocusMultiScale(first, in_channels), *list(factorised)[1:])
        self.windows = windows
        self.temporal = temporal

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T', V)."""
        out: Tensor = self.temporal(F.relu(self.factorised(x) + self.windows(x)))
        return out


def focus(observation: Observation, classes: Tensor, *, is_trained: bool = False) -> tuple[Tensor, ...]:
    """Where and when each module saw evidence for a class: per module (B*M, T', V), not negative.

    classes: (B,) int64, the class whose focus is wanted, per sample.
    is_trained: keeps the graph, so that a loss on the focus can be minimised (gradients of gradients).
    """
    picked = observation.logits.gather(1, classes[:, None]).sum()
    gradients = torch.autograd.grad(picked, observation.maps, create_graph=is_trained, retain_graph=True)
    found = []
    for feature_map, gradient in zip(observation.maps, gradients, strict=True):
        weight = gradient.mean(dim=(2, 3), keepdim=True)
        found.append(F.relu((weight * feature_map).sum(dim=1)))
    return tuple(found)


def scaled(q: Tensor) -> Tensor:
    """A focus with its largest value 1 in each person; one that is nowhere stays 0: (P, T, V)."""
    return q / q.amax(dim=(1, 2), keepdim=True).clamp(min=1e-6)


def stretched(q: Tensor, num_frames: int) -> Tensor:
    """A focus at another number of frames, linear in time: (P, T', V) to (P, num_frames, V)."""
    return F.interpolate(q.transpose(1, 2), size=num_frames, mode="linear", align_corners=False).transpose(1, 2)


def _cut(blocks: Sequence[Block], config: GraphConfig) -> Iterator[nn.Sequential]:
    """ST-GCN++'s blocks in stages of one width each; the last block of each gets the STF module."""
    stages = list(config.stages())
    held: list[Block] = []
    for index, block in enumerate(blocks):
        held.append(block)
        is_last = index + 1 == len(blocks) or stages[index + 1].out_channels != stages[index].out_channels
        if is_last:
            assert isinstance(block.gcn, AdaptiveGraphConv)
            block.gcn = FocusGraphConv(block.gcn, stages[index].in_channels)  # type: ignore[assignment]
            yield nn.Sequential(*held)
            held = []


def _stf_modules(stage: nn.Module) -> Iterator[FocusGraphConv | FocusMultiScale]:
    for module in stage.modules():
        if isinstance(module, (FocusGraphConv, FocusMultiScale)):
            yield module
