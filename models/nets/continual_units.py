"""Temporal units one step at a time: what a convolution over time has seen before, it is handed as a state.

Paper: Hedegaard, Heidari, Iosifidis: Continual Spatio-Temporal Graph Convolutional Networks, Pattern Recognition 2023.

A unit that looks `reach` frames to both sides can answer for a frame only when `reach` later ones have come. Side by
side units (branches, residuals) wait for the slowest of them, the `delay`, so that they speak of the same frame. No
unit pads time. Weights are those of the windowed units in layers.py, used as they are.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets.layers import DilatedTemporal, MultiBranchTemporal, TemporalConv

DELAY_FRAMES = 4
"""Reach of a whole temporal unit: nine frames, or three with dilation four, or five with dilation two."""


@dataclass(slots=True)
class Tape:
    """The frames that each unit remembers, read in order from one flat state and written into the next.

    state: (P, S) for P tracks; None records zeros, to learn how long S is.
    """

    state: Tensor | None
    position: int = 0
    written: list[Tensor] = field(default_factory=list)

    def extend(self, chunk: Tensor, frames: int) -> Tensor:
        """(P, C, n, V) new frames with the `frames` that came before them: (P, C, frames + n, V)."""
        if frames == 0:
            return chunk
        P, C, _, V = chunk.shape
        size = C * frames * V
        if self.state is None:
            past = chunk.new_zeros(P, C, frames, V)
        else:
            past = self.state[:, self.position : self.position + size].reshape(P, C, frames, V)
        self.position += size
        both = torch.cat([past, chunk], dim=2)
        self.written.append(both[:, :, -frames:].reshape(P, size))
        return both

    def next_state(self) -> Tensor:
        """(P, S) what to hand in with the next frames."""
        return torch.cat(self.written, dim=1)


@dataclass(frozen=True, slots=True)
class Pace:
    """How a block counts time.

    stride: frames in per frame out.
    rate:   frames between two that the windowed network would see as neighbours; more than 1 where earlier strides were
            turned into dilation, so that every frame gets an answer.
    """

    stride: int = 1
    rate: int = 1

    def around(self, tape: Tape, x: Tensor, reach: int) -> Tensor:
        """The frames that a unit of this reach needs now: as many centres as frames come out, `reach` on both sides."""
        delay, reach = DELAY_FRAMES * self.rate, reach * self.rate
        both = tape.extend(x, delay + reach - (self.stride - 1))
        return both[:, :, : both.shape[2] - (delay - reach)]


def step_temporal(unit: nn.Module, x: Tensor, tape: Tape, pace: Pace) -> Tensor:
    """One step of a temporal unit: (P, C, n, V) to (P, C', n/stride, V)."""
    if isinstance(unit, TemporalConv):
        return _step_conv(unit, x, tape, pace)
    if isinstance(unit, MultiBranchTemporal):
        mixed = torch.cat([_step_branch(branch, x, tape, pace) for branch in unit.branches], dim=1)
        out: Tensor = unit.bn(unit.transform(mixed))
        return out
    assert isinstance(unit, DilatedTemporal)
    mixed = torch.cat([_step_branch(branch, x, tape, pace) for branch in unit.branches], dim=1)
    activated: Tensor = unit.act(mixed if unit.residual is None else mixed + step_around(unit.residual, x, tape, pace))
    return activated


def step_around(way: nn.Module, x: Tensor, tape: Tape, pace: Pace) -> Tensor:
    """A residual, held back until the block it goes around has its answer."""
    if isinstance(way, nn.Identity):
        return pace.around(tape, x, 0)
    return _step_conv(way, x, tape, pace)


def _step_branch(branch: nn.Module, x: Tensor, tape: Tape, pace: Pace) -> Tensor:
    """Layers that see one frame run on the new frames only; the one that sees several gets its past."""
    layers = list(branch) if isinstance(branch, nn.Sequential) else [branch]
    has_waited = False
    for layer in layers:
        if isinstance(layer, TemporalConv):
            x, has_waited = _step_conv(layer, x, tape, pace), True
        elif isinstance(layer, nn.MaxPool2d):
            frames = pace.around(tape, x, 1)
            x, has_waited = F.max_pool2d(frames, (3, 1), (pace.stride, 1), 0, (pace.rate, 1)), True
        elif isinstance(layer, nn.Conv2d):
            x = F.conv2d(x, layer.weight, layer.bias)
        else:
            x = layer(x)
    return x if has_waited else pace.around(tape, x, 0)[:, :, :: pace.stride]


def _step_conv(unit: nn.Module, x: Tensor, tape: Tape, pace: Pace) -> Tensor:
    assert isinstance(unit, TemporalConv)
    conv = unit.conv
    dilation = int(conv.dilation[0])
    frames = pace.around(tape, x, (int(conv.kernel_size[0]) - 1) // 2 * dilation)
    stepped = F.conv2d(frames, conv.weight, conv.bias, (pace.stride, 1), 0, (dilation * pace.rate, 1))
    out: Tensor = unit.bn(stepped)
    return out
