"""Properties of the graph networks that hold for any weights."""

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from models.export.servable import wrap
from models.nets import aagcn, ctrgcn, dgstgcn, msg3d, stgcn, stgcnpp
from models.nets.build import NetworkRequest, require_network
from models.nets.layers import (
    DilatedTemporal,
    GraphConfig,
    GraphNetwork,
    MultiBranchTemporal,
    Stage,
    as_tensor,
)
from models.nets.skip_empty import SkipEmptySlots
from models.nets.stgcn import TWELVE_LAYERS, STGCNOptions
from models.skeleton.graph import PARTITIONS, multi_scale, partition, random_partition
from models.skeleton.layouts import Layout, require_layout

STICK = Layout("stick3", ("left_end", "middle", "right_end"), (1, 1, 1))
every_network = pytest.mark.parametrize("name", ["stgcn", "stgcn++", "aagcn", "msg3d", "ctrgcn", "dgstgcn"])

LAYERS: dict[str, Callable[[Tensor], nn.Module]] = {
    "stgcn": lambda A: stgcn.GraphConv(Stage(2, 4, 1, True), A, STGCNOptions()),
    "stgcn++": lambda A: stgcnpp.AdaptiveGraphConv(2, 4, A),
    "aagcn": lambda A: aagcn.AdaptiveGraphConv(2, 4, A),
    "ctrgcn": lambda A: ctrgcn.RefinedGraphConv(2, 4, A),
    "dgstgcn": lambda A: dgstgcn.DynamicGraphConv(2, 8, A),
    "msg3d": lambda _: msg3d.MultiScaleGraphConv(2, 4, multi_scale(partition(STICK, "binary")[0], 2)),
    "msg3d windows": lambda _: msg3d.WindowGraphConv(Stage(2, 4, 2, True), partition(STICK, "binary")[0], 3, False),
    "six branches": lambda _: MultiBranchTemporal(2 * 6, 2),
    "dilated branches": lambda _: DilatedTemporal(Stage(2, 8, 2, True), 3, (1, 2)),
    "mean joint": lambda _: dgstgcn.DynamicTemporal(2 * 6, 1, 0.0, 3),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_layer_has_the_gradient_of_what_it_computes(layer: str) -> None:
    torch.manual_seed(0)
    module = LAYERS[layer](as_tensor(partition(STICK, "spatial")))
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    module.double().eval()
    channels = 12 if layer in {"six branches", "mean joint"} else 2
    x = torch.randn(2, channels, 5, 3, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda *_: module(x), (x, *module.parameters()), fast_mode=True)


@every_network
def test_order_of_people_changes_nothing(name: str) -> None:
    network = small(name)
    x = torch.randn(2, 2, 16, 13, 3, generator=torch.Generator().manual_seed(1)).double()

    with torch.no_grad():
        torch.testing.assert_close(network(x.flip(1)), network(x))


@every_network
@pytest.mark.parametrize("num_frames", [16, 11], ids=["tuned length", "other length"])
def test_skipped_empty_slots_change_nothing(name: str, num_frames: int) -> None:
    network = small(name)
    nn.init.normal_(network.data_bn.bias)
    x = torch.randn(5, 2, num_frames, 13, 3, generator=torch.Generator().manual_seed(1)).double()
    x[1, 1] = 0
    x[2, 0] = 0
    x[3] = 0

    with torch.no_grad():
        torch.testing.assert_close(SkipEmptySlots(network, 16)(x), network(x))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("stgcn++", ("batch", "persons", "frames", 13, 3)),
        ("aagcn", ("batch", 1, "frames", 13, 3)),
        ("stf-msg3d", ("batch", 1, "frames", 13, 3)),
        ("slnl-rfa", ("batch", "persons", 64, 13, 3)),
    ],
)
def test_served_network_leaves_open_what_it_can_take(name: str, shape: tuple[int | str, ...]) -> None:
    entry = require_network(name)
    network = entry.build(NetworkRequest(require_layout("body13"), 5, num_persons=1))

    (port,) = wrap(entry, network).inputs

    assert port.shape == shape


@pytest.mark.parametrize("name", ["stgcn", "stgcn++", "msg3d", "ctrgcn"])
def test_mirrored_body_gets_the_same_logits_before_training(name: str) -> None:
    network = small(name)
    x = torch.randn(2, 2, 16, 13, 3, generator=torch.Generator().manual_seed(1)).double()

    with torch.no_grad():
        mirrored = network(x[:, :, :, list(require_layout("body13").mirrored)])

        # MS-G3D starts with a little noise on its links.
        torch.testing.assert_close(mirrored, network(x), atol=1e-3, rtol=1e-3)


@every_network
def test_network_learns_from_every_parameter_that_it_reads(name: str) -> None:
    network = small(name).train()
    x = torch.randn(2, 2, 16, 13, 3).double()

    network(x).square().sum().backward()

    silent = {key for key, parameter in network.named_parameters() if parameter.grad is None}
    assert not silent


def test_twelve_layers_have_the_channels_of_nagy_et_al() -> None:
    config = GraphConfig(require_layout("openpose25"), 6, in_channels=2, **TWELVE_LAYERS)

    widths = [(stage.in_channels, stage.out_channels) for stage in config.stages()][1:]

    assert widths == [*[(64, 64)] * 3, (64, 128), *[(128, 128)] * 3, (128, 256), *[(256, 256)] * 3]
    assert all(before[1] == after[0] for before, after in pairwise(widths))


@pytest.mark.parametrize("kind", PARTITIONS)
@pytest.mark.parametrize("scaling", ["average", "symmetric"])
def test_stgcn_takes_every_partition(kind: str, scaling: str) -> None:
    options = dataclasses.replace(STGCNOptions(), partition=kind, scaling=scaling)  # type: ignore[arg-type]
    network = stgcn.STGCN(tiny(), options).eval()

    with torch.no_grad():
        logits = network(torch.randn(1, 1, 8, 13, 3))

    assert logits.shape == (1, 5)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("norm", "norms_per_block"), [("before", 1), ("after", 1), ("both", 2)])
def test_stgcn_puts_batch_norm_where_it_is_told(norm: str, norms_per_block: int) -> None:
    network = stgcn.STGCN(tiny(), dataclasses.replace(STGCNOptions(), norm=norm))  # type: ignore[arg-type]
    block = network.gcn[1]
    assert isinstance(block, stgcn.Block)

    assert isinstance(block.gcn.bn, nn.BatchNorm2d) == (norm != "after")
    assert isinstance(block.tcn.bn, nn.BatchNorm2d) == (norm != "before")
    assert sum(isinstance(module, nn.BatchNorm2d) for module in block.modules()) == norms_per_block


def test_stgcn_without_edge_importance_has_fixed_links() -> None:
    network = stgcn.STGCN(tiny(), STGCNOptions(edge_importance=False))

    assert not [key for key, _ in network.named_parameters() if key.endswith("PA")]


def test_pre_activated_block_is_its_input_when_its_weights_are_silent() -> None:
    network = stgcn.STGCN(tiny(), STGCNOptions(residual="pre_activation")).eval()
    block = network.gcn[1]
    assert isinstance(block, stgcn.Block)
    nn.init.zeros_(block.tcn.conv.weight)
    assert block.tcn.conv.bias is not None
    nn.init.zeros_(block.tcn.conv.bias)
    x = torch.randn(2, 12, 8, 13)

    torch.testing.assert_close(block(x), x)


def test_random_graphs_of_dgstgcn_follow_the_seed() -> None:
    graphs = [dgstgcn.DGSTGCN(tiny(), seed=seed).state_dict()["gcn.0.gcn.A"] for seed in (1, 1, 2)]

    assert torch.equal(graphs[0], graphs[1])
    assert not torch.equal(graphs[0], graphs[2])
    assert random_partition.__doc__ is not None


def tiny() -> GraphConfig:
    return GraphConfig(require_layout("body13"), 5, base_channels=12, num_stages=2, inflate_stages=(), down_stages=())


def small(name: str) -> GraphNetwork:
    """A full-depth network made narrow, in eval mode; links and norms that start at nothing are given something."""
    torch.manual_seed(0)
    entry = require_network(name)
    network = entry.build(NetworkRequest(require_layout("body13"), 5))
    assert isinstance(network, GraphNetwork)
    narrow = type(network)(dataclasses.replace(network.config, base_channels=24))  # type: ignore[call-arg]
    for key, parameter in narrow.named_parameters():
        if key.endswith(("alpha", "beta")) or (key.endswith("bn.weight") and bool((parameter < 1e-3).all())):
            nn.init.constant_(parameter, 0.5)
    return narrow.double().eval()
