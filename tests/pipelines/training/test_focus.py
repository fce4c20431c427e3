"""STF's four losses on the focus, and the two steps that keep exploration apart."""

import pytest
import torch
from torch import Tensor

from models.nets.layers import GraphConfig
from models.nets.stf import STFSTGCNPP, FocusNetwork, focus, scaled, stretched
from models.skeleton.layouts import require_layout
from pipelines.training.focus import (
    FocusWeights,
    consistency_loss,
    divergence_loss,
    exploration_loss,
    focus_loss,
    graph_loss,
    train_step,
)

LABEL = torch.tensor([0, 2])


@pytest.fixture
def network() -> FocusNetwork:
    torch.manual_seed(0)
    config = GraphConfig(
        require_layout("body13"), 3, base_channels=12, num_stages=2, inflate_stages=(2,), down_stages=(2,)
    )
    return STFSTGCNPP(config)


def joints() -> Tensor:
    return torch.randn(2, 2, 8, 13, 3, generator=torch.Generator().manual_seed(1))


def foci(seed: int, *frames: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(2, length, 3) for length in frames]
    return [torch.rand(shape, generator=generator, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_divergence_is_less_the_further_two_classes_look_apart() -> None:
    first = torch.zeros(1, 4, 3)
    first[0, 1, 2] = 1.0
    near, far = first.clone(), first.clone()
    near[0, 1, 1] = 0.5
    far[0, 3, 0], far[0, 1, 2] = 1.0, 0.0

    assert divergence_loss([first], [far]) < divergence_loss([first], [near]) < divergence_loss([first], [first]) <= 0


def test_consistency_is_nothing_when_modules_look_at_the_same_at_their_own_rates() -> None:
    late = torch.rand(2, 1, 3).expand(2, 4, 3)

    same = consistency_loss([late.repeat(1, 2, 1) * 7, late])

    assert same < 1e-3 < consistency_loss([late.flip(2), late])
    assert consistency_loss([late]) == 0


def test_graph_loss_moves_the_view_and_not_the_focus() -> None:
    (q,), (view,) = foci(0, 8), foci(1, 4)

    torch.autograd.backward(graph_loss([q], [view]))

    assert q.grad is None
    assert view.grad is not None
    assert view.grad.abs().sum() > 0


def test_exploration_is_what_is_left_of_the_class_when_its_focus_is_hidden(network: FocusNetwork) -> None:
    network.eval()
    x, classes = joints(), torch.tensor([1, 2])
    observation = network.observe(x)

    found = exploration_loss(network, x, observation, classes)

    hidden = 1 - stretched(scaled(focus(observation, classes)[-1]), 8).reshape(2, 2, 8, 13, 1)
    left = network(x * hidden).softmax(dim=1)[torch.arange(2), classes]
    torch.testing.assert_close(found, left.mean())


def test_losses_have_the_gradients_of_finite_differences() -> None:
    early, late = foci(0, 6, 3), foci(1, 6, 3)

    assert torch.autograd.gradcheck(lambda a, b, c, d: divergence_loss([a, b], [c, d]), (*early, *late))
    assert torch.autograd.gradcheck(lambda a, b: consistency_loss([a, b]), early)
    assert torch.autograd.gradcheck(lambda a, b: graph_loss([q.detach() for q in early], [a, b]), late)


def test_joint_loss_has_its_gradient_through_the_gradients_that_make_the_focus(network: FocusNetwork) -> None:
    network.double().eval()
    # What the graph loss detaches is no function of finite differences.
    weights = FocusWeights(divergence=1.0, graph=0.0, consistency=1.0)
    observed = joints().double()

    def loss(*_: Tensor) -> Tensor:
        return focus_loss(network.observe(observed), LABEL, weights)

    # Deeper weights open and close ReLUs, and the focus, which is a gradient, jumps with each.
    assert torch.autograd.gradcheck(loss, (network.fc_cls.weight, network.fc_cls.bias), fast_mode=True)


@pytest.mark.parametrize(("exploration", "steps"), [(0.1, 2), (0.0, 1)])
def test_exploration_is_a_step_of_its_own(network: FocusNetwork, exploration: float, steps: int) -> None:
    optimiser = _Counting(network.parameters(), lr=0.01)

    train_step(network, optimiser, joints(), LABEL, FocusWeights(exploration=exploration))

    assert optimiser.num_steps == steps


def test_training_lowers_the_loss(network: FocusNetwork) -> None:
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)

    losses = [train_step(network, optimiser, joints(), LABEL, FocusWeights()) for _ in range(12)]

    assert losses[-1] < 0.7 * losses[0]


class _Counting(torch.optim.SGD):
    """Says how often it was asked to step."""

    num_steps = 0

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        self.num_steps += 1
        super().step(closure)
