"""The losses of seeds 002 and 004: their identities, their gradients, their directions."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.nets.layers import GraphConfig
from models.nets.stf import STFSTGCNPP
from models.skeleton.layouts import require_layout
from pipelines.training.focal import focal_loss, pseudo_multi_task_loss, soft_margin, soft_margin_focal_loss
from pipelines.training.focus import (
    FocusWeights,
    consistency_loss,
    divergence_loss,
    exploration_loss,
    focus_loss,
    graph_loss,
    train_step,
)

LABEL = torch.tensor([0, 2, 1, 2])


def logits(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 3, generator=generator, dtype=torch.float64, requires_grad=True)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    assert torch.allclose(focal_loss(logits(), LABEL, gamma=0.0), F.cross_entropy(logits(), LABEL, reduction="none"))


def test_soft_margin_cross_entropy_takes_the_margin_off_the_true_logit() -> None:
    margin = 0.6
    shifted = logits() - margin * F.one_hot(LABEL, 3)

    found = soft_margin_focal_loss(logits(), LABEL, gamma=0.0, margin=margin)

    assert torch.allclose(found, F.cross_entropy(shifted, LABEL, reduction="none"))


def test_soft_margin_punishes_the_unsure_more() -> None:
    sure, unsure = torch.tensor([[5.0, 0.0]]), torch.tensor([[0.5, 0.0]])
    label = torch.tensor([0])

    assert soft_margin(unsure, label) > soft_margin(sure, label) > 0


@pytest.mark.parametrize("loss", [focal_loss, soft_margin, soft_margin_focal_loss])
def test_gradients_are_those_of_finite_differences(loss: object) -> None:
    assert callable(loss)
    assert torch.autograd.gradcheck(lambda x: loss(x, LABEL), (logits(),))


def test_pseudo_multi_task_is_the_sum_over_branches() -> None:
    branches = [logits(seed) for seed in range(3)]

    found = pseudo_multi_task_loss(branches, LABEL)

    assert torch.allclose(found, torch.stack([soft_margin_focal_loss(b, LABEL).mean() for b in branches]).sum())


def network() -> STFSTGCNPP:
    torch.manual_seed(0)
    layout = require_layout("body13")
    config = GraphConfig(
        layout, 3, num_persons=1, base_channels=12, num_stages=3, inflate_stages=(2,), down_stages=(2,)
    )
    return STFSTGCNPP(config)


def clips() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(6, 1, 8, 13, 3, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2])


def test_divergence_rewards_focus_that_differs() -> None:
    here, there = torch.zeros(1, 4, 3), torch.zeros(1, 4, 3)
    here[0, 0, 0] = there[0, 3, 2] = 1.0

    assert divergence_loss([here], [there]) < divergence_loss([here], [here])


def test_consistency_and_graph_are_smallest_where_the_maps_agree() -> None:
    q = torch.rand(2, 4, 3)
    q = q / q.amax(dim=(1, 2), keepdim=True)

    assert consistency_loss([q, q]) < 1e-3
    assert consistency_loss([q, 1 - q]) > consistency_loss([q, q])
    assert graph_loss([q], [q]) < 1e-3
    assert consistency_loss([q]) == 0


@pytest.mark.parametrize("name", ["divergence", "graph", "consistency"])
def test_each_loss_reaches_the_weights(name: str) -> None:
    model, (x, label) = network(), clips()
    off = {"exploration": 0.0, "divergence": 0.0, "graph": 0.0, "consistency": 0.0}
    plain = focus_loss(model.observe(x), label, FocusWeights(**off))

    joined = focus_loss(model.observe(x), label, FocusWeights(**(off | {name: 1.0})))
    torch.autograd.backward(joined - plain)

    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.gcn.parameters())


def test_exploration_is_what_is_left_of_the_class_when_its_focus_is_hidden() -> None:
    model, (x, _) = network().eval(), clips()
    observation = model.observe(x)
    classes = observation.logits.argmax(dim=1)

    left = exploration_loss(model, x, observation, classes)

    assert 0 < left.item() < 1


def test_training_with_every_loss_learns_a_small_task() -> None:
    model, (x, label) = network(), clips()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)

    losses = [train_step(model, optimiser, x, label, FocusWeights()) for _ in range(8)]

    assert losses[-1] < losses[0] - 0.2
