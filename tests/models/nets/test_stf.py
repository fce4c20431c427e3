"""STF: starts as the plain network, and its focus is GradCAM."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.nets.layers import GraphConfig, as_tensor
from models.nets.msg3d import MultiScaleGraphConv
from models.nets.skip_empty import SkipEmptySlots
from models.nets.stf import (
    STFMSG3D,
    STFSTGCNPP,
    FocusGraphConv,
    FocusMultiScale,
    FocusNetwork,
    focus,
    scaled,
    stretched,
)
from models.nets.stgcnpp import STGCNPP, AdaptiveGraphConv
from models.skeleton.graph import partition
from models.skeleton.layouts import require_layout

CONFIG = GraphConfig(
    require_layout("body13"), 4, num_persons=2, base_channels=12, num_stages=4, inflate_stages=(3,), down_stages=(3,)
)
BUILD: dict[str, Callable[[GraphConfig], FocusNetwork]] = {"stgcn++": STFSTGCNPP, "msg3d": STFMSG3D}


@pytest.fixture(params=BUILD)
def network(request: pytest.FixtureRequest) -> FocusNetwork:
    torch.manual_seed(0)
    return BUILD[request.param](CONFIG).eval()


def joints() -> Tensor:
    return torch.randn(3, 2, 12, 13, 3, generator=torch.Generator().manual_seed(1))


def test_stf_begins_as_the_plain_network() -> None:
    torch.manual_seed(3)
    plain = STGCNPP(CONFIG).eval()
    torch.manual_seed(3)
    with_focus = STFSTGCNPP(CONFIG).eval()
    own = {key.replace("base.", ""): value for key, value in with_focus.state_dict().items()}
    blocks = [block for stage in with_focus.gcn for block in stage.children()]
    for index, block in enumerate(blocks):
        prefix = next(name for name, module in with_focus.named_modules() if module is block)
        for key, value in plain.gcn[index].state_dict().items():
            own[f"{prefix}.{key}"].copy_(value)
    with_focus.fc_cls.load_state_dict(plain.fc_cls.state_dict())

    with torch.no_grad():
        difference = (plain(joints()) - with_focus(joints())).abs().max()

    assert difference < 1e-5


def test_observe_gives_the_logits_of_forward(network: FocusNetwork) -> None:
    observation = network.observe(joints())

    assert torch.allclose(observation.logits, network(joints()), atol=1e-6)
    assert len(observation.maps) == len(observation.views)


def test_focus_is_the_gradient_weighted_map_of_its_class(network: FocusNetwork) -> None:
    observation = network.observe(joints())
    classes = torch.tensor([0, 3, 1])

    found = focus(observation, classes)

    last = observation.maps[-1]
    (gradient,) = torch.autograd.grad(observation.logits[torch.arange(3), classes].sum(), last)
    expected = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * last).sum(dim=1))
    assert torch.allclose(found[-1], expected, atol=1e-6)
    assert all((q >= 0).all() for q in found)


def test_focus_can_be_trained_through(network: FocusNetwork) -> None:
    observation = network.observe(joints())

    found = focus(observation, torch.zeros(3, dtype=torch.int64), is_trained=True)
    torch.autograd.backward(torch.stack([q.sum() for q in found]).sum())

    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_instance_graph_differs_between_people_once_it_has_strength(network: FocusNetwork) -> None:
    x = joints()
    before = network(x)

    give_strength(network)

    assert not torch.allclose(before, network(x), atol=1e-4)


@torch.no_grad()
def test_people_may_change_places(network: FocusNetwork) -> None:
    give_strength(network)
    x = joints()

    assert torch.allclose(network(x), network(x.flip(1)), atol=1e-5)


@pytest.mark.parametrize("num_frames", [12, 9], ids=["tuned length", "other length"])
@torch.no_grad()
def test_skipped_empty_slots_change_nothing(network: FocusNetwork, num_frames: int) -> None:
    give_strength(network)
    nn.init.normal_(network.data_bn.bias)
    x = joints()[:, :, :num_frames]
    x[1, 1] = 0
    x[2] = 0

    torch.testing.assert_close(SkipEmptySlots(network, 12)(x), network(x), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_mirrored_body_gets_the_same_logits_before_training(network: FocusNetwork) -> None:
    give_strength(network)
    x = joints()

    mirrored = network(x[:, :, :, list(require_layout("body13").mirrored)])

    # MS-G3D starts with a little noise on its links.
    torch.testing.assert_close(mirrored, network(x), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("layer", ["stgcn++", "msg3d"])
def test_layer_has_the_gradient_of_what_it_computes(layer: str) -> None:
    torch.manual_seed(0)
    graph = partition(require_layout("body13"), "spatial")
    module: nn.Module = FocusGraphConv(AdaptiveGraphConv(2, 3, as_tensor(graph)), 2)
    if layer == "msg3d":
        module = FocusMultiScale(MultiScaleGraphConv(2, 3, graph), 2)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    module.double().eval()
    x = torch.randn(2, 2, 3, 13, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda *_: module(x), (x, *module.parameters()), fast_mode=True)


def give_strength(network: FocusNetwork) -> None:
    """As if trained: the graphs of the instances count, also beside the number of joints."""
    for name, parameter in network.named_parameters():
        if name.endswith("strength"):
            parameter.data.fill_(1.0)


def test_scaled_focus_peaks_at_one_and_nowhere_stays_nowhere() -> None:
    q = torch.zeros(2, 4, 3)
    q[0, 1, 2] = 5.0

    found = scaled(q)

    assert found[0].max() == 1
    assert found[1].max() == 0
    assert stretched(found, 8).shape == (2, 8, 3)
