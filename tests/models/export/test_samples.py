"""Inputs on which an export is tried: like those that the network was trained on, for every network of the table."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from models.errors import ExportMismatch
from models.export.continual import ContinualNetwork
from models.export.onnx import Check, export_onnx
from models.export.samples import Port, draw_inputs, joint_statistics
from models.export.servable import Servable, wrap
from models.nets.build import NETWORKS, NetworkRequest, require_network
from models.nets.heatmap_input import FromKeypoints, KeypointsToHeatmaps
from models.nets.layers import GraphNetwork, PeopleNetwork
from models.nets.slnl import SLnLrFA
from models.skeleton.heatmaps import COCO17_LIMBS
from models.skeleton.layouts import require_layout
from tests.pipelines.training.recipes import TINY

READS_JOINTS = [name for name, entry in NETWORKS.items() if entry.input == "keypoint"]
# Its features are of the size of a body already.
NORMALISES_NOTHING = {"tcn"}


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    return require_network(name).build(NetworkRequest(require_layout("body13"), 4, options=TINY.get(name, {}))).eval()


def input_norms(network: nn.Module) -> list[nn.BatchNorm1d]:
    """The norms that a network's joints go through first."""
    if isinstance(network, GraphNetwork):
        return [network.data_bn]
    assert isinstance(network, SLnLrFA)
    return [network.position.bn, network.velocity.bn]


def set_statistics(network: nn.Module, mean: float, std: float) -> None:
    """Means of about the given one, and one value in four that is always 0, as a root's are.

    Where velocities have statistics of their own, bodies move by a tenth of a deviation from frame to frame.
    """
    for index, norm in enumerate(input_norms(network)):
        generator = torch.Generator().manual_seed(1)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        count = len(norm.running_mean)
        means = mean + std * torch.randn(count, generator=generator)
        moves = torch.rand(count, generator=generator) > 0.25
        norm.running_mean.copy_(means * moves if index == 0 else torch.zeros(count))
        norm.running_var.copy_((std if index == 0 else std / 10) ** 2 * moves)


def served(name: str, network: nn.Module) -> Servable:
    return wrap(NETWORKS[name], network, 16)


@pytest.mark.parametrize("name", READS_JOINTS)
def test_statistics_are_found_in_every_network_that_reads_joints(name: str) -> None:
    network = build(name)
    if name in NORMALISES_NOTHING:
        assert joint_statistics(network) is None
        return
    set_statistics(network, 3.0, 0.5)

    found = joint_statistics(served(name, network).module)

    assert found is not None
    norm = input_norms(network)[0]
    torch.testing.assert_close(found.mean.flatten(), norm.running_mean)
    torch.testing.assert_close(found.std.flatten() ** 2, norm.running_var)


@pytest.mark.parametrize("name", [name for name in READS_JOINTS if name not in NORMALISES_NOTHING])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 1e-3), (700.0, 150.0), (0.0, 1.0)])
@torch.no_grad()
def test_joints_are_drawn_so_that_they_are_normal_to_the_network(name: str, mean: float, std: float) -> None:
    network = build(name)
    set_statistics(network, mean, std)
    ports = served(name, network).inputs
    reached: list[Tensor] = []
    for norm in input_norms(network):
        norm.register_forward_hook(lambda _, __, output: reached.append(output))

    (joints,) = draw_inputs(network, ports, {"batch": 3, "frames": 16, "persons": 2}, torch.Generator().manual_seed(0))
    assert isinstance(network, PeopleNetwork)
    people = network.normalise(joints)
    if isinstance(network, SLnLrFA):
        network.describe(people)

    assert joints.shape == (3, 2, 16, 13, 3)
    assert len(reached) == len(input_norms(network))
    for output in reached:
        assert output.abs().max() < 15
        assert output.std() > 0.02


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_every_network_takes_what_is_drawn_for_it(name: str) -> None:
    entry, network = NETWORKS[name], build(name)
    if entry.input == "rgbpose":
        ports = [Port("imgs", ("batch", 3, 2, 64, 64)), Port("heatmap", ("batch", 13, 8, 16, 16))]
        module = network
    elif entry.input == "heatmap":
        module, ports = network, [Port("heatmap", ("batch", 13, 8, 32, 32))]
    else:
        servable = served(name, network)
        module, ports = servable.module, list(servable.inputs)

    inputs = draw_inputs(module, ports, {"batch": 1, "frames": 16}, torch.Generator().manual_seed(0))
    found = module(*inputs)

    for output in found if isinstance(found, tuple) else (found,):
        assert output.shape == (1, 4)
        assert output.isfinite().all()


def test_tracks_are_drawn_as_the_first_person_of_a_network_that_tells_slots_apart() -> None:
    network = NETWORKS["ctrgcn"].build(
        NetworkRequest(require_layout("body13"), 4, num_persons=3, options=TINY["ctrgcn"])
    )
    assert isinstance(network, GraphNetwork)
    assert network.data_bn.running_mean is not None
    network.data_bn.running_mean.copy_(torch.arange(3 * 13 * 3).float())
    port = Port("frames", ("tracks", 5, 13, 3))

    (found,) = draw_inputs(network, [port], {"tracks": 4}, torch.Generator().manual_seed(0))

    torch.testing.assert_close(found.mean(dim=(0, 1)).flatten(), torch.arange(39).float(), atol=1.0, rtol=0)


def test_heatmaps_are_mostly_empty_and_end_at_one() -> None:
    port = Port("heatmap", ("batch", 17, 4, 56, 48))

    (found,) = draw_inputs(nn.Identity(), [port], {"batch": 2}, torch.Generator().manual_seed(0))

    assert found.shape == (2, 17, 4, 56, 48)
    assert 0 <= found.min() < found.max() <= 1
    assert 0 < (found > 0).float().mean() < 0.05


def test_keypoints_of_a_network_with_heatmaps_inside_are_pixels_and_scores() -> None:
    module = FromKeypoints(nn.Flatten(), 16)

    (found,) = draw_inputs(
        module, [Port("keypoint", ("batch", 1, 4, 17, 3))], {"batch": 3}, torch.Generator().manual_seed(0)
    )

    assert found[..., :2].max() > 100
    assert 0 <= found[..., 2].min() < found[..., 2].max() <= 1
    assert 0 < (found == 0).all(dim=-1).float().mean() < 0.3


def test_pictures_are_normalised_and_smooth() -> None:
    (found,) = draw_inputs(
        nn.Identity(), [Port("imgs", ("batch", 3, 2, 64, 80))], {"batch": 2}, torch.Generator().manual_seed(0)
    )

    assert found.shape == (2, 3, 2, 64, 80)
    assert -2.2 < found.min() < 0 < found.max() < 2.7
    assert (found[..., 1:] - found[..., :-1]).abs().mean() < 0.2 * found.std()


@torch.no_grad()
def test_state_is_one_that_the_network_comes_to() -> None:
    network = build("stgcn++")
    assert isinstance(network, GraphNetwork)
    step = ContinualNetwork(network, 60)
    ports = [Port("frames", ("tracks", step.frames_per_step, 13, 3)), Port("state", ("tracks", step.state_size))]

    frames, state = draw_inputs(step, ports, {"tracks": 2}, torch.Generator().manual_seed(0))

    expected = step.initial_state(2)
    for _ in range(8):
        expected = step(frames, expected)[1]
    assert torch.equal(state, expected)
    assert state.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [("aagcn", 0.0, 1e-3), ("dgstgcn", 0.0, 1e-3), ("ctrgcn", 0.0, 1e-3), ("ctrgcn", 900.0, 0.5)],
)
def test_export_passes_whatever_the_scale_of_the_input(name: str, mean: float, std: float, tmp_path: Path) -> None:
    network = build(name)
    set_statistics(network, mean, std)
    servable = served(name, network)

    exported = export_onnx(servable.module, servable.inputs, ["logits"], tmp_path / "net.onnx")

    assert exported.max_difference < 1e-3 * exported.scale
    assert exported.scale < 1e3


class Wrong(nn.Module):
    """A network that answers a little differently while it is exported."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x)
        return logits * 1.02 if torch.compiler.is_exporting() else logits


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1e-3), (900.0, 0.5)])
def test_export_refuses_a_wrong_graph_whatever_the_scale_of_the_input(mean: float, std: float, tmp_path: Path) -> None:
    network = build("stgcn++")
    set_statistics(network, mean, std)
    port = Port("keypoint", ("batch", 2, 16, 13, 3))

    with pytest.raises(ExportMismatch, match="differ by"):
        export_onnx(Wrong(network), [port], ["logits"], tmp_path / "net.onnx")

    assert not list(tmp_path.iterdir())


class Cancelling(nn.Module):
    """Takes a large number off and away again: what is left has few digits, in any runtime."""

    far: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("far", torch.tensor(3e4))

    def forward(self, x: Tensor) -> Tensor:
        return (((x * 0.1 + self.far) * 1.0001) - self.far * 1.0001).sum(dim=-1)


def test_export_takes_rounding_for_what_it_is(tmp_path: Path) -> None:
    exported = export_onnx(Cancelling(), [Port("x", ("batch", 64))], ["logits"], tmp_path / "net.onnx")

    assert exported.path.is_file()


def test_a_check_may_draw_its_own_inputs(tmp_path: Path) -> None:
    seen: list[int] = []

    def ones(_: nn.Module, ports: object, sizes: object, generator: torch.Generator) -> list[Tensor]:
        seen.append(generator.initial_seed())
        return [torch.ones(2, 3)]

    export_onnx(nn.Linear(3, 2), [Port("x", (2, 3))], ["y"], tmp_path / "net.onnx", Check(draw=ones))

    assert len(seen) >= 3


def test_heatmaps_in_the_graph_may_be_told_the_size_of_the_pictures(tmp_path: Path) -> None:
    module = KeypointsToHeatmaps(24, COCO17_LIMBS)
    ports = [Port("keypoint", ("batch", "persons", 2, 17, 3)), Port("size_wh", ("batch", 2))]
    keypoints = torch.rand(1, 2, 2, 17, 3, generator=torch.Generator().manual_seed(0))
    keypoints[..., :2] = 200 + 5 * keypoints[..., :2]

    export_onnx(module, ports, ["heatmap"], tmp_path / "net.onnx")

    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    for size_wh in ([640.0, 480.0], [480.0, 640.0]):
        sizes = torch.tensor([size_wh])
        found = session.run(None, {"keypoint": keypoints.numpy(), "size_wh": sizes.numpy()})[0]
        np.testing.assert_allclose(found, module(keypoints, sizes).numpy(), atol=1e-5)
        assert found.max() > 0.1
