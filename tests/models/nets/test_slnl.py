"""SLnL-rFA: its Fourier transform is the Fourier transform, and its ablations differ where they should."""

from dataclasses import replace

import pytest
import torch

from models.nets.skip_empty import SkipEmptySlots
from models.nets.slnl import (
    Attention,
    Axis,
    FrequencyAttention,
    NonLocal,
    SLnLBlock,
    SLnLConfig,
    SLnLrFA,
    fourier,
    inverse_fourier,
)
from models.skeleton.layouts import require_layout

CONFIG = SLnLConfig(num_joints=13, num_classes=5, num_systems=2, num_learnt_joints=8, width=8)


def test_fourier_is_the_two_dimensional_transform() -> None:
    x = torch.randn(2, 3, 12, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    real, imaginary = fourier(x)

    expected = torch.fft.fft2(x)
    assert torch.allclose(real, expected.real, atol=1e-9)
    assert torch.allclose(imaginary, expected.imag, atol=1e-9)
    assert torch.allclose(inverse_fourier(real, imaginary), x, atol=1e-9)


def test_inverse_takes_the_real_part_of_a_spectrum_that_is_none_of_a_real_signal() -> None:
    generator = torch.Generator().manual_seed(1)
    real, imaginary = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))

    found = inverse_fourier(real, imaginary)

    assert torch.allclose(found, torch.fft.ifft2(torch.complex(real, imaginary)).real, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "masks"), [("none", 0), ("amplitude", 1), ("shared", 1), ("dependent", 2), ("residual", 2)]
)
def test_attention_has_the_masks_of_its_kind(kind: Attention, masks: int) -> None:
    attention = FrequencyAttention(4, kind)

    out = attention(torch.randn(2, 4, 6, 5))

    assert len(attention.masks) == masks
    assert out.shape == (2, 4, 6, 5)


def test_residual_attention_keeps_the_signal_when_every_mask_is_closed() -> None:
    attention = FrequencyAttention(4, "residual")
    for mask in attention.masks:
        last = list(mask.children())[-2]
        assert isinstance(last, torch.nn.Conv2d)
        torch.nn.init.zeros_(last.weight)
        assert last.bias is not None
        torch.nn.init.constant_(last.bias, -50.0)
    x = torch.randn(2, 4, 6, 5)

    assert torch.allclose(attention(x), x, atol=1e-5)


@pytest.mark.parametrize("axis", ["time", "joints"])
def test_nonlocal_module_mixes_along_its_axis_only(axis: str) -> None:
    torch.manual_seed(0)
    module = NonLocal(4, 4, "time" if axis == "time" else "joints")
    x = torch.randn(1, 4, 5, 6)
    changed = x.clone()
    changed[:, :, 0, 0] += 1

    difference = (module(changed) - module(x)).abs().sum(dim=(0, 1)) > 1e-7

    touched = difference[:, 0] if axis == "time" else difference[0]
    assert touched.all()
    assert difference.sum() == len(touched)


@pytest.mark.parametrize(("slnl_blocks", "local_blocks"), [(0, 6), (1, 5), (3, 3), (4, 2)])
def test_network_takes_every_split_of_its_blocks(slnl_blocks: int, local_blocks: int) -> None:
    network = SLnLrFA(replace(CONFIG, slnl_blocks=slnl_blocks, local_blocks=local_blocks)).eval()

    logits = network(torch.randn(2, 2, 20, 13, 3))

    assert logits.shape == (2, 5)


def test_logits_are_the_mean_of_the_three_branches() -> None:
    network = SLnLrFA(CONFIG).eval()
    x = torch.randn(2, 1, 16, 13, 3)

    branches = network.branches(x)

    assert torch.allclose(network(x), torch.stack(branches).mean(dim=0))
    assert not torch.allclose(branches[0], branches[1])


def test_people_may_change_places() -> None:
    network = SLnLrFA(CONFIG).eval()
    x = torch.randn(2, 2, 16, 13, 3)

    assert torch.allclose(network(x), network(x.flip(1)), atol=1e-5)


@pytest.mark.parametrize("num_frames", [16, 11], ids=["tuned length", "other length"])
@torch.no_grad()
def test_skipped_empty_slots_change_nothing(num_frames: int) -> None:
    torch.manual_seed(0)
    network = SLnLrFA(CONFIG).eval()
    for branch in (network.position, network.velocity):
        torch.nn.init.normal_(branch.bn.bias)
    x = torch.randn(4, 2, num_frames, 13, 3)
    x[1, 1] = 0
    x[2, 0] = 0
    x[3] = 0

    torch.testing.assert_close(SkipEmptySlots(network, 16)(x), network(x), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_learnt_joints_can_undo_a_mirror() -> None:
    network = SLnLrFA(CONFIG).eval()
    order = list(require_layout("body13").mirrored)
    x = torch.randn(2, 2, 16, 13, 3)
    expected = network(x)

    for branch in (network.position, network.velocity):
        branch.skeleton.weight.copy_(branch.skeleton.weight[:, order])

    torch.testing.assert_close(network(x[:, :, :, order]), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("axis", ["time", "joints", "both"])
def test_nonlocal_module_has_the_gradient_of_what_it_computes(axis: Axis) -> None:
    assert has_its_gradient(NonLocal(3, 2, axis))


@pytest.mark.parametrize("kind", ["amplitude", "shared", "dependent", "residual"])
def test_attention_has_the_gradient_of_what_it_computes(kind: Attention) -> None:
    assert has_its_gradient(FrequencyAttention(3, kind))


def test_block_has_the_gradient_of_what_it_computes() -> None:
    assert has_its_gradient(SLnLBlock(3, 2, has_nonlocal=True))


def has_its_gradient(module: torch.nn.Module) -> bool:
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, 0, 0.5)
    module.double().eval()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    return torch.autograd.gradcheck(lambda *_: module(x), (x, *module.parameters()), fast_mode=True)
