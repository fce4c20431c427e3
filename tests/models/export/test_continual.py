from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from models.errors import ContractMismatch
from models.export.continual import ContinualNetwork, export_continual, num_outputs, reach_frames
from models.nets.aagcn import AAGCN
from models.nets.ctrgcn import CTRGCN
from models.nets.layers import GraphConfig, GraphNetwork
from models.nets.stgcn import STGCN, STGCNOptions
from models.nets.stgcnpp import STGCNPP
from models.skeleton.layouts import require_layout

STRIDES = [1, 2, 1, 2]
NETWORKS = [STGCN, STGCNPP, CTRGCN]


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("is_every_frame", [True, False], ids=["every frame", "at the strides' pace"])
def test_steps_equal_the_windowed_network_without_padding(kind: type[GraphNetwork], is_every_frame: bool) -> None:
    network = small(kind)
    window = reach_frames(STRIDES) + 8
    continual = ContinualNetwork(network, window, is_every_frame)
    frames = torch.randn(2, window + 12, 13, 3, generator=torch.Generator().manual_seed(2))
    state = continual.initial_state(2)

    answers = {}
    with torch.no_grad():
        for end in range(continual.frames_per_step, frames.shape[1] + 1, continual.frames_per_step):
            logits, state = continual(frames[:, end - continual.frames_per_step : end], state)
            answers[end] = logits
        compared = [end for end in answers if end >= continual.warmup_frames]
        for end in compared:
            windowed = without_padding(network, frames[:, end - continual.warmup_frames : end])
            difference = (answers[end] - windowed).abs().max() / windowed.abs().max()
            assert difference <= 1e-4, end

    assert len(compared) >= 3
    assert continual.frames_per_step == (1 if is_every_frame else 4)
    assert continual.warmup_frames <= window


# A second stage, with a residual that waits, once: the exporter takes long.
@pytest.mark.parametrize(("kind", "num_stages"), [(STGCN, 2), (STGCNPP, 1), (CTRGCN, 1)])
def test_export_carries_the_state_from_step_to_step(kind: type[GraphNetwork], num_stages: int, tmp_path: Path) -> None:
    continual = ContinualNetwork(small(kind, num_stages), 30)
    export_continual(continual, tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "step.onnx")
    frames = torch.randn(3, 5, 13, 3, generator=torch.Generator().manual_seed(3))
    state, fed = continual.initial_state(3), continual.initial_state(3).numpy()

    with torch.no_grad():
        for index in range(5):
            logits, state = continual(frames[:, index : index + 1], state)
            found, fed = session.run(None, {"frames": frames[:, index : index + 1].numpy(), "state": fed})

    np.testing.assert_allclose(found, logits.numpy(), atol=1e-5 * float(logits.abs().max()))
    np.testing.assert_allclose(fed, state.numpy(), atol=1e-5 * float(state.abs().max()))


def test_tracks_do_not_see_each_other() -> None:
    continual = ContinualNetwork(small(STGCNPP), reach_frames(STRIDES))
    frames = torch.randn(2, 1, 13, 3)
    state = torch.randn(2, continual.state_size)

    with torch.no_grad():
        together = continual(frames, state)
        alone = continual(frames[1:], state[1:])

    for whole, part in zip(together, alone, strict=True):
        torch.testing.assert_close(whole[1:], part)


def test_window_arithmetic_agrees_with_the_network() -> None:
    assert reach_frames([1]) == 9
    assert num_outputs(9, [1]) == 1
    assert num_outputs(reach_frames(STRIDES), STRIDES) == 1
    assert num_outputs(reach_frames(STRIDES) - 1, STRIDES) == 0
    assert num_outputs(300, [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]) == 37


@pytest.mark.parametrize(
    ("network", "window", "message"),
    [
        (lambda: AAGCN(config()), 90, "AAGCN has no continual form"),
        (lambda: STGCN(config(), STGCNOptions(residual="pre_activation")), 90, "pre-activation has no"),
        (lambda: STGCNPP(config()), 48, "window of 48 frames is shorter than the network's reach of 49"),
    ],
    ids=["network", "option", "window"],
)
def test_continual_refuses_what_it_cannot_do(network: object, window: int, message: str) -> None:
    assert callable(network)

    with pytest.raises(ContractMismatch, match=message):
        ContinualNetwork(network(), window)


def config(num_stages: int = 4) -> GraphConfig:
    return GraphConfig(require_layout("body13"), 5, 3, 2, 12, num_stages, inflate_stages=(2, 4), down_stages=(2, 4))


def small(kind: type[GraphNetwork], num_stages: int = 4) -> GraphNetwork:
    """A network whose batch norms and links are as if trained."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    network = kind(config(num_stages))  # type: ignore[call-arg]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    for name, parameter in network.named_parameters():
        if name.endswith("alpha"):
            nn.init.constant_(parameter, 0.7)
    return network.eval()


def without_padding(network: GraphNetwork, frames: Tensor) -> Tensor:
    """The windowed network's logits for one person if no unit padded time.

    Runs the padded blocks and keeps, after each, only what padding could not reach; CTR-GCN's spatial part sees each
    frame on its own.
    """
    people = torch.stack([frames, torch.zeros_like(frames)], dim=1)
    x = network.normalise(people)[::2]
    for block, stride in zip(
        network.get_submodule("net" if isinstance(network, CTRGCN) else "gcn").children(), STRIDES, strict=True
    ):
        T = x.shape[2]
        padded = framewise(block, x) if isinstance(network, CTRGCN) else block(x)
        x = padded[:, :, -(-4 // stride) : (T - 5) // stride + 1]
    logits: Tensor = network.fc_cls(x.mean(dim=(2, 3)))
    return logits


def framewise(block: nn.Module, x: Tensor) -> Tensor:
    P, C, T, V = x.shape
    one_by_one = x.permute(0, 2, 1, 3).reshape(P * T, C, 1, V)
    spatial = block.get_submodule("gcn1")(one_by_one).reshape(P, T, -1, V).permute(0, 2, 1, 3)
    out: Tensor = block.get_submodule("tcn1")(spatial)
    if getattr(block, "residual", None) is not None:
        out = out + block.get_submodule("residual")(x)
    return torch.relu(out)
