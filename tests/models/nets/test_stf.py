"""STF: starts as the plain network, and its focus is GradCAM."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.nets.layers import GraphConfig
from models.nets.stf import STFMSG3D, STFSTGCNPP, FocusNetwork, focus, scaled, stretched
from models.nets.stgcnpp import STGCNPP
from models.skeleton import require_layout

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

    for name, parameter in network.named_parameters():
        if name.endswith("strength"):
            parameter.data.fill_(1.0)

    assert not torch.allclose(before, network(x), atol=1e-4)


def test_people_may_change_places(network: FocusNetwork) -> None:
    if network.per_slot:
        pytest.skip("its input statistics are kept per slot, as in the reference")
    x = joints()

    assert torch.allclose(network(x), network(x.flip(1)), atol=1e-5)


def test_scaled_focus_peaks_at_one_and_nowhere_stays_nowhere() -> None:
    q = torch.zeros(2, 4, 3)
    q[0, 1, 2] = 5.0

    found = scaled(q)

    assert found[0].max() == 1
    assert found[1].max() == 0
    assert stretched(found, 8).shape == (2, 8, 3)
