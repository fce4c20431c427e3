"""SLnL-rFA: local and non-local modules side by side, after a residual attention over frequencies.

Paper:   Hu, Cui, Yu: Skeleton-Based Action Recognition with Synchronous Local and Non-local Spatio-temporal Learning
         and Frequency Attention, ICME 2019.
Taken:   learnt coordinate systems (3 to 3K) and learnt joints (N to N'); the 2D Fourier transform over time and joints,
         attended in its sine and cosine parts apart, put back with a residual, and the ablations of that attention
         (none, amplitude, shared, dependent, residual); SLnL modules along time, joints and both, M1 such blocks and M2
         local ones; branches for positions, velocities and both joined, each with its classifier (pseudo multi-task).
Differs: widths and the attention's two-layer form are ours, the paper's text leaves them open. The transform is two
         matrix products, exact for any number of frames and exportable.
Input:   (B, M, T, V, C) joints, M people (an absent one is all zeros).
Output:  (B, K) logits: the mean of the three branches' own logits, which `branches` gives one by one.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.layers import PeopleNetwork
from models.nets.layers3d import classifier

Attention = Literal["none", "amplitude", "shared", "dependent", "residual"]
Axis = Literal["time", "joints", "both"]
_KERNELS: dict[Axis, tuple[int, int]] = {"time": (3, 1), "joints": (1, 3), "both": (3, 3)}
_POOL_MAX_TOKENS = 400


@dataclass(frozen=True, slots=True)
class SLnLConfig:
    """Settings; the defaults are the poster's best where it names them.

    num_systems: coordinate systems K.  num_learnt_joints: joints N' after the skeleton transform.
    slnl_blocks, local_blocks: M1 and M2.
    """

    num_joints: int
    num_classes: int
    in_channels: int = 3
    num_systems: int = 8
    num_learnt_joints: int = 32
    width: int = 64
    slnl_blocks: int = 3
    local_blocks: int = 3
    attention: Attention = "residual"
    dropout: float = 0.5


def fourier_matrix(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and minus sine of 2 pi k n / size: the real and imaginary part of the discrete Fourier transform."""
    # Float16 has no whole numbers past 2048.
    index = torch.arange(size, device=like.device, dtype=torch.promote_types(like.dtype, torch.float32))
    angle = 2 * math.pi * torch.remainder(index[:, None] * index[None, :], size) / size
    return torch.cos(angle).to(like.dtype), -torch.sin(angle).to(like.dtype)


def fourier(x: Tensor) -> tuple[Tensor, Tensor]:
    """2D transform of a real signal over its last two axes: real (cosine) and imaginary (sine) part."""
    cos_t, sin_t = fourier_matrix(x.shape[-2], x)
    cos_v, sin_v = fourier_matrix(x.shape[-1], x)
    real, imaginary = cos_t @ x, sin_t @ x
    return real @ cos_v - imaginary @ sin_v, real @ sin_v + imaginary @ cos_v


def inverse_fourier(real: Tensor, imaginary: Tensor) -> Tensor:
    """The real part of the inverse 2D transform over the last two axes."""
    cos_t, sin_t = fourier_matrix(real.shape[-2], real)
    cos_v, sin_v = fourier_matrix(real.shape[-1], real)
    # The inverse matrix is the conjugate, divided by the size.
    half_real, half_imaginary = cos_t @ real + sin_t @ imaginary, cos_t @ imaginary - sin_t @ real
    return (half_real @ cos_v + half_imaginary @ sin_v) / (real.shape[-2] * real.shape[-1])


class FrequencyAttention(nn.Module):
    """Weights frequencies over time and joints: (P, C, T, V) to the same shape."""

    def __init__(self, channels: int, kind: Attention) -> None:
        super().__init__()
        self.kind = kind
        num_masks = {"none": 0, "amplitude": 1, "shared": 1, "dependent": 2, "residual": 2}[kind]
        self.masks = nn.ModuleList(_mask_network(channels) for _ in range(num_masks))

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, T, V)."""
        if self.kind == "none":
            return x
        cosine, sine = fourier(x)
        mask_cosine, mask_sine = self._masks(cosine, sine)
        attended = inverse_fourier(cosine * mask_cosine, sine * mask_sine)
        return x + attended if self.kind == "residual" else attended

    def _masks(self, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor]:
        if self.kind == "amplitude":
            mask = self.masks[0](_compressed(torch.sqrt(cosine**2 + sine**2 + 1e-12)))
            return mask, mask
        last = self.masks[-1]
        return self.masks[0](_compressed(cosine)), last(_compressed(sine))


class NonLocal(nn.Module):
    """Every place sees every other one along an axis, by embedded Gaussian affinity: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, axis: Axis) -> None:
        super().__init__()
        self.axis = axis
        inner = max(8, in_channels // 2)
        self.query = nn.Conv2d(in_channels, inner, 1)
        self.key = nn.Conv2d(in_channels, inner, 1)
        self.value = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        P, _, T, V = x.shape
        query, key, value = self.query(x), self.key(x), self.value(x)
        if self.axis == "both":
            if T * V > _POOL_MAX_TOKENS:  # as in the non-local paper: fewer keys, the same queries
                key, value = F.max_pool2d(key, (2, 2), ceil_mode=True), F.max_pool2d(value, (2, 2), ceil_mode=True)
            rows = [part.flatten(2).transpose(1, 2) for part in (query, key, value)]
            seen = attend(rows[0], rows[1], rows[2])
            return seen.transpose(1, 2).reshape(P, -1, T, V)
        # (P, the other axis, places, C): one sequence per joint, or one per frame.
        order = (0, 3, 2, 1) if self.axis == "time" else (0, 2, 3, 1)
        rows = [part.permute(order) for part in (query, key, value)]
        seen = attend(rows[0], rows[1], rows[2])
        return seen.permute((0, 3, 2, 1) if self.axis == "time" else (0, 3, 1, 2))


class SLnLModule(nn.Module):
    """A local convolution and, if asked for, a non-local module, summed: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, axis: Axis, has_nonlocal: bool) -> None:
        super().__init__()
        kernel = _KERNELS[axis]
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.local = nn.Conv2d(in_channels, out_channels, kernel, padding=padding, bias=False)
        self.nonlocal_ = NonLocal(in_channels, out_channels, axis) if has_nonlocal else None
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        out = self.local(x)
        if self.nonlocal_ is not None:
            out = out + self.nonlocal_(x)
        activated: Tensor = F.relu(self.bn(out))
        return activated


class SLnLBlock(nn.Module):
    """Time, then joints, then both, with a residual: (P, C, T, V) to (P, C', T, V)."""

    def __init__(self, in_channels: int, out_channels: int, has_nonlocal: bool) -> None:
        super().__init__()
        self.time = SLnLModule(in_channels, out_channels, "time", has_nonlocal)
        self.joints = SLnLModule(out_channels, out_channels, "joints", has_nonlocal)
        self.both = SLnLModule(out_channels, out_channels, "both", has_nonlocal)
        self.way = nn.Identity() if in_channels == out_channels else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        out: Tensor = self.both(self.joints(self.time(x))) + self.way(x)
        return out


class Branch(nn.Module):
    """Coordinates and joints learnt, frequencies attended, then the first half of the blocks."""

    def __init__(self, config: SLnLConfig) -> None:
        super().__init__()
        channels = config.in_channels * config.num_systems
        self.bn = nn.BatchNorm1d(config.num_joints * config.in_channels)
        self.coordinates = nn.Conv2d(config.in_channels, channels, 1, bias=False)
        self.skeleton = nn.Linear(config.num_joints, config.num_learnt_joints, bias=False)
        self.attention = FrequencyAttention(channels, config.attention)
        self.blocks, self.out_channels = _stack(channels, config, _kinds(config)[: _half(config)])

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) joints to a (P, C', T', N') feature map."""
        P, C, T, V = x.shape
        normal = self.bn(x.permute(0, 2, 3, 1).reshape(P * T, V * C)).reshape(P, T, V, C).permute(0, 3, 1, 2)
        learnt = self.skeleton(self.coordinates(normal))
        out: Tensor = self.blocks(self.attention(learnt))
        return out


class SLnLrFA(PeopleNetwork):
    """SLnL-rFA: (B, M, T, V, C) to (B, K)."""

    def __init__(self, config: SLnLConfig) -> None:
        super().__init__(0, (config.num_joints, config.in_channels))
        self.config = config
        self.position, self.velocity = Branch(config), Branch(config)
        rest = _kinds(config)[_half(config) :]
        self.position_rest, width = _stack(self.position.out_channels, config, rest)
        self.velocity_rest, _ = _stack(self.velocity.out_channels, config, rest)
        self.joined_rest, _ = _stack(2 * self.position.out_channels, config, rest)
        self.drop = nn.Dropout(config.dropout)
        self.heads = nn.ModuleList(classifier(width, config.num_classes) for _ in range(3))

    def normalise(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B*M, C, T, V); the scaling is each branch's own."""
        B, M, T, V, C = x.shape
        return x.reshape(B * M, T, V, C).permute(0, 3, 1, 2)

    def describe(self, people: Tensor) -> Tensor:
        """(P, C, T, V) joints to (P, 3*W): the means of the feature maps of positions, velocities and both joined."""
        moved = F.pad(people[:, :, 1:] - people[:, :, :-1], (0, 0, 0, 1))
        position, velocity = self.position(people), self.velocity(moved)
        maps = (
            self.position_rest(position),
            self.velocity_rest(velocity),
            self.joined_rest(torch.cat([position, velocity], dim=1)),
        )
        return torch.cat([m.mean(dim=(2, 3)) for m in maps], dim=1)

    def classify(self, described: Tensor) -> Tensor:
        """(B, M, 3*W) to (B, K) logits: the mean of the three branches' own."""
        return torch.stack(self._answers(described)).mean(dim=0)

    def branches(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, K) of positions, velocities and both joined: one loss each in the pseudo multi-task sum."""
        B, M, _, _, _ = x.shape
        return self._answers(self.describe(self.normalise(x)).reshape(B, M, -1))

    def _answers(self, described: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # As in HCN, which the paper builds on: the person who shows the feature most decides.
        parts = described.amax(dim=1).chunk(3, dim=1)
        first, second, third = (head(self.drop(part)) for head, part in zip(self.heads, parts, strict=True))
        return first, second, third


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Values weighted by the softmax of scaled products: (..., N, E), (..., M, E), (..., M, C) to (..., N, C)."""
    affinity = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    return affinity.softmax(dim=-1) @ value


def _kinds(config: SLnLConfig) -> list[bool]:
    """Per block, whether it has non-local modules."""
    return [True] * config.slnl_blocks + [False] * config.local_blocks


def _half(config: SLnLConfig) -> int:
    return (config.slnl_blocks + config.local_blocks) // 2


def _stack(in_channels: int, config: SLnLConfig, kinds: list[bool]) -> tuple[nn.Sequential, int]:
    """Blocks of one half, time and joints halved after the first; and the width that comes out."""
    parts: list[nn.Module] = []
    channels = in_channels
    for index, has_nonlocal in enumerate(kinds):
        parts.append(SLnLBlock(channels, config.width, has_nonlocal))
        channels = config.width
        if index == 0:
            parts.append(nn.MaxPool2d(2, ceil_mode=True))
    return nn.Sequential(*parts), channels


def _mask_network(channels: int) -> nn.Module:
    inner = max(4, channels // 4)
    return nn.Sequential(nn.Conv2d(channels, inner, 1), nn.ReLU(), nn.Conv2d(inner, channels, 1), nn.Sigmoid())


def _compressed(spectrum: Tensor) -> Tensor:
    """Spectra span orders of magnitude; their logarithm keeps the sign."""
    return torch.sign(spectrum) * torch.log1p(spectrum.abs())
