"""A trained graph network as a step per frame: same weights, cached past, the windowed answer without its window.

Paper:   Hedegaard, Heidari, Iosifidis: Continual Spatio-Temporal Graph Convolutional Networks, Pattern Recognition
         2023.
Taken:   temporal convolutions with their past as a state, delayed residuals, a running window of pooled features.
Differs: strides are kept exactly. One frame per step turns a stride into dilation of all that follows, so every frame
         gets the answer that the strided network gives for a window ending there; with as many frames per step as the
         strides' product, the later stages run at their own lower rate and cost that much less. CTR-GCN's links follow
         each frame's own joints instead of the window's mean, as Hedegaard et al. do for AGCN's attention.
Equal to the windowed network without temporal padding once `warmup_frames` have been seen; before that, not an answer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from models.errors import ContractMismatch
from models.export.onnx import Exported, Port, export_onnx
from models.nets import ctrgcn, stgcn, stgcnpp
from models.nets.continual_units import DELAY_FRAMES, Pace, Tape, step_around, step_temporal
from models.nets.layers import GraphNetwork


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a continual network: its three parts and its pace."""

    spatial: Callable[[Tensor], Tensor]
    temporal: nn.Module
    residual: nn.Module | None
    pace: Pace

    def __call__(self, x: Tensor, tape: Tape) -> Tensor:
        """(P, C, n, V) to (P, C', n/stride, V)."""
        out = step_temporal(self.temporal, self.spatial(x), tape, self.pace)
        if self.residual is not None:
            out = out + step_around(self.residual, x, tape, self.pace)
        return torch.relu(out)


class ContinualNetwork(nn.Module):
    """ST-GCN, ST-GCN++ or CTR-GCN, a step at a time for P tracks at once.

    window_frames:  what the windowed network would average over; must be longer than its reach.
    is_every_frame: answer after every frame, or after as many as the strides' product, for less.
    A track stands in person slot 0. Raises ContractMismatch for another network or too short a window.
    """

    def __init__(self, network: GraphNetwork, window_frames: int, is_every_frame: bool = True) -> None:
        super().__init__()
        kind = _PARTS.get(type(network))
        if kind is None:
            raise ContractMismatch(
                f"{type(network).__name__} has no continual form; only ST-GCN, ST-GCN++ and CTR-GCN have one"
            )
        self.network = network.eval()
        strides = [stage.stride for stage in network.config.stages()]
        self.num_outputs = num_outputs(window_frames, strides)
        if self.num_outputs < 1:
            raise ContractMismatch(
                f"a window of {window_frames} frames is shorter than the network's reach of {reach_frames(strides)}"
            )
        self.total_stride = 1
        self.steps = []
        for (spatial, temporal, residual), stride in zip(kind(network), strides, strict=True):
            pace = Pace(1, self.total_stride) if is_every_frame else Pace(stride)
            self.steps.append(Step(spatial, temporal, residual, pace))
            self.total_stride *= stride
        self.frames_per_step = 1 if is_every_frame else self.total_stride
        self.warmup_frames = reach_frames(strides) + (self.num_outputs - 1) * self.total_stride
        self.state_size = self._measure()

    def forward(self, frames: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """(P, n, V, C) new joints and the (P, S) state to (P, K) logits and the next state."""
        tape = Tape(state)
        logits = self._step(frames, tape)
        return logits, tape.next_state()

    @property
    def ports(self) -> tuple[Port, Port]:
        """The inputs of the exported step."""
        config = self.network.config
        shape = ("tracks", self.frames_per_step, len(config.layout), config.in_channels)
        return Port("frames", shape), Port("state", ("tracks", self.state_size))

    def initial_state(self, num_tracks: int) -> Tensor:
        """(P, S) state of tracks that have just begun."""
        return torch.zeros(num_tracks, self.state_size)

    def _step(self, frames: Tensor, tape: Tape) -> Tensor:
        x = self._normalise(frames)
        for step in self.steps:
            x = step(x, tape)
        pooled = x.mean(dim=3, keepdim=True)
        spacing = self.total_stride // self.frames_per_step
        window = tape.extend(pooled, (self.num_outputs - 1) * spacing)[:, :, ::spacing]
        logits: Tensor = self.network.fc_cls(window.mean(dim=(2, 3)))
        return logits

    def _normalise(self, frames: Tensor) -> Tensor:
        P, n, V, C = frames.shape
        norm = self.network.data_bn
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = (norm.weight / (norm.running_var + norm.eps).sqrt())[: V * C]
        shift = norm.bias[: V * C] - norm.running_mean[: V * C] * gain
        scaled = frames.reshape(P * n, V * C) * gain + shift
        return scaled.reshape(P, n, V, C).permute(0, 3, 1, 2)

    def _measure(self) -> int:
        config, tape = self.network.config, Tape(None)
        with torch.no_grad():
            self._step(torch.zeros(1, self.frames_per_step, len(config.layout), config.in_channels), tape)
        return tape.position


def num_outputs(window_frames: int, strides: list[int]) -> int:
    """Frames that come out of a window when no unit pads time; less than 1 if the window is too short."""
    frames = window_frames
    for stride in strides:
        frames = (frames - DELAY_FRAMES - 1) // stride - -(-DELAY_FRAMES // stride) + 1
    return frames


def reach_frames(strides: list[int]) -> int:
    """Frames of input that one frame of output depends on."""
    reach, step = 1, 1
    for stride in strides:
        reach += 2 * DELAY_FRAMES * step
        step *= stride
    return reach


def export_continual(network: ContinualNetwork, path: Path) -> Exported:
    """Write the step as ONNX: frames (tracks, n, V, C) and state (tracks, S) to logits and next_state."""
    return export_onnx(network, network.ports, ("logits", "next_state"), path)


def as_step(network: nn.Module, num_frames: int = 0) -> ContinualNetwork:
    """The step of a trained network that answers after every frame.

    num_frames: length of the window whose answer it gives; 0 takes the shortest. Raises ContractMismatch.
    """
    if not isinstance(network, GraphNetwork):
        raise ContractMismatch(f"{type(network).__name__} has no continual form; only graph networks have one")
    strides = [stage.stride for stage in network.config.stages()]
    return ContinualNetwork(network, num_frames or reach_frames(strides))


def step_fields(step: ContinualNetwork, rate_hz: float) -> dict[str, object]:
    """What a contract says of a step: a window as long as its warm-up, sample by sample, one person at a time."""
    return {
        "is_continual": True,
        "num_persons": 1,
        "sampling": "resample",
        "num_frames": step.warmup_frames,
        "window_s": step.warmup_frames / rate_hz,
        "rate_hz": rate_hz,
        "inputs": [asdict(port) | {"dtype": "float32"} for port in step.ports],
        "outputs": ["logits", "next_state"],
    }


Parts = tuple[Callable[[Tensor], Tensor], nn.Module, nn.Module | None]


def _stgcn(network: nn.Module) -> Iterator[Parts]:
    assert isinstance(network, stgcn.STGCN)
    for block in network.gcn:
        assert isinstance(block, stgcn.Block)
        if block.is_pre_activated:
            raise ContractMismatch("ST-GCN with pre-activation has no continual form")
        yield block.spatial, block.tcn, block.residual


def _stgcnpp(network: nn.Module) -> Iterator[Parts]:
    assert isinstance(network, stgcnpp.STGCNPP)
    for block in network.gcn:
        assert isinstance(block, stgcnpp.Block)
        yield block.gcn, block.tcn, block.residual


def _ctrgcn(network: nn.Module) -> Iterator[Parts]:
    assert isinstance(network, ctrgcn.CTRGCN)
    for block in network.net:
        assert isinstance(block, ctrgcn.Block)
        yield _FrameByFrame(block.gcn1), block.tcn1, block.residual


@dataclass(frozen=True, slots=True)
class _FrameByFrame:
    """A graph convolution whose links are drawn from each frame alone."""

    spatial: nn.Module

    def __call__(self, x: Tensor) -> Tensor:
        P, C, n, V = x.shape
        out: Tensor = self.spatial(x.transpose(1, 2).reshape(P * n, C, 1, V))
        return out.reshape(P, n, -1, V).transpose(1, 2)


_PARTS: Mapping[type[nn.Module], Callable[[nn.Module], Iterator[Parts]]] = MappingProxyType(
    {stgcn.STGCN: _stgcn, stgcnpp.STGCNPP: _stgcnpp, ctrgcn.CTRGCN: _ctrgcn}
)
