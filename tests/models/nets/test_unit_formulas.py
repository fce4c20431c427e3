"""The papers' special units, written out joint by joint beside the modules that compute them at once."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.nets import aagcn, ctrgcn, dgstgcn, msg3d
from models.nets.layers import DilatedTemporal, MultiBranchTemporal, Stage
from models.skeleton.graph import multi_scale, partition, window_graph
from models.skeleton.layouts import Layout

STICK = Layout("stick4", ("left_end", "left", "right", "right_end"), (1, 1, 1, 2))
P, T, V = 2, 6, 4


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def awake(module: nn.Module) -> nn.Module:
    """In eval mode and double precision, nothing zero and no norm that does nothing."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.4)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.5, 1.5)
    return module.double().eval()


def joints(channels: int) -> Tensor:
    return torch.randn(P, channels, T, V, dtype=torch.float64)


def graphs(count: int = 3) -> Tensor:
    return torch.rand(count, V, V)


def pairs() -> list[tuple[int, int]]:
    return list(product(range(V), range(V)))


@torch.no_grad()
def test_ctrgcn_refines_each_channels_links_by_the_difference_of_two_joints() -> None:
    layer = awake(ctrgcn.RefinedGraphConv(16, 5, graphs()))
    assert isinstance(layer, ctrgcn.RefinedGraphConv)
    x = joints(16)

    total = torch.zeros(P, 5, T, V, dtype=torch.float64)
    for A, conv in zip(layer.A, layer.convs, strict=True):
        assert isinstance(conv, ctrgcn.Refinement)
        giver, taker = conv.conv1(x).mean(dim=2), conv.conv2(x).mean(dim=2)
        features = conv.conv3(x)
        for v, w in pairs():
            relation = torch.tanh(giver[:, :, v] - taker[:, :, w])
            link = A[v, w] + layer.alpha * conv.conv4(relation[:, :, None, None])[:, :, 0, 0]
            total[..., w] += link[:, :, None] * features[..., v]

    torch.testing.assert_close(layer(x), torch.relu(layer.bn(total) + layer.down(x)))


@torch.no_grad()
def test_aagcn_adds_the_likeness_of_two_joints_movements_to_their_link() -> None:
    layer = awake(aagcn.AdaptiveGraphConv(3, 8, graphs(), has_attention=False))
    assert isinstance(layer, aagcn.AdaptiveGraphConv)
    x = joints(3)

    total = torch.zeros(P, 8, T, V, dtype=torch.float64)
    for A, a, b, d in zip(layer.A, layer.conv_a, layer.conv_b, layer.conv_d, strict=True):
        one, other = a(x), b(x)
        spread = torch.zeros_like(x)
        for v, w in pairs():
            likeness = (one[..., v] * other[..., w]).sum(dim=(1, 2)) / (one.shape[1] * T)
            spread[..., w] += (A[v, w] + layer.alpha * torch.tanh(likeness))[:, None, None] * x[..., v]
        total += d(spread)

    torch.testing.assert_close(layer(x), torch.relu(layer.bn(total) + layer.down(x)))


@torch.no_grad()
def test_aagcn_raises_joints_then_frames_then_channels() -> None:
    layer = awake(aagcn.AdaptiveGraphConv(3, 8, graphs()))
    assert isinstance(layer, aagcn.AdaptiveGraphConv)
    y = joints(8)

    expected = y.clone()
    gain = torch.sigmoid(F.conv1d(expected.mean(2), layer.conv_sa.weight, layer.conv_sa.bias, padding=1))
    assert layer.conv_sa.kernel_size == (3,)  # the odd number below four joints
    for v in range(V):
        expected[..., v] = expected[..., v] * (1 + gain[:, 0, v])[:, None, None]
    gain = torch.sigmoid(F.conv1d(expected.mean(3), layer.conv_ta.weight, layer.conv_ta.bias, padding=4))
    for t in range(T):
        expected[:, :, t] = expected[:, :, t] * (1 + gain[:, 0, t])[:, None, None]
    squeezed = torch.relu(expected.mean(dim=(2, 3)) @ layer.fc1c.weight.T + layer.fc1c.bias)
    gain = torch.sigmoid(squeezed @ layer.fc2c.weight.T + layer.fc2c.bias)
    for c in range(8):
        expected[:, c] = expected[:, c] * (1 + gain[:, c])[:, None, None]

    torch.testing.assert_close(layer.attend(y), expected)


@torch.no_grad()
def test_dgstgcn_moves_its_links_by_channel_and_by_pair() -> None:
    layer = awake(dgstgcn.DynamicGraphConv(3, 8, graphs(4)))
    assert isinstance(layer, dgstgcn.DynamicGraphConv)
    x = joints(3)
    mean = x.mean(dim=2, keepdim=True)
    giver, taker, features = (conv(part) for conv, part in ((layer.conv1, mean), (layer.conv2, mean), (layer.pre, x)))

    spread = torch.zeros_like(features)
    for subset, w in product(range(4), range(V)):
        own = slice(2 * subset, 2 * subset + 2)
        products = [(giver[:, own, 0, v] * taker[:, own, 0, w]).sum(dim=1) for v in range(V)]
        share = torch.softmax(torch.stack(products), dim=0)
        for v in range(V):
            by_channel = torch.tanh(giver[:, own, 0, v] - taker[:, own, 0, w])
            link = layer.A[subset, v, w] + layer.alpha[0] * by_channel + layer.beta[0] * share[v][:, None]
            spread[:, own, :, w] += link[:, :, None] * features[:, own, :, v]

    torch.testing.assert_close(layer(x), torch.relu(layer.bn(layer.post(spread)) + layer.down(x)))


@torch.no_grad()
def test_dgstgcn_gives_each_joint_its_share_of_the_mean_joint() -> None:
    unit = awake(dgstgcn.DynamicTemporal(12, 2, 0.0, V))
    assert isinstance(unit, dgstgcn.DynamicTemporal)
    x = joints(12)
    plain = super(dgstgcn.DynamicTemporal, unit).mix

    own, mean = plain(x), plain(x.mean(dim=3, keepdim=True))[..., 0]

    for v in range(V):
        torch.testing.assert_close(unit.mix(x)[..., v], own[..., v] + unit.add_coeff[v] * mean)


@torch.no_grad()
def test_msg3d_shows_each_joint_the_mean_of_itself_and_those_at_each_distance_alone() -> None:
    layer = awake(msg3d.MultiScaleGraphConv(3, 5, multi_scale(partition(STICK, "binary")[0], 5)))
    assert isinstance(layer, msg3d.MultiScaleGraphConv)
    x = joints(3)

    by_distance = []
    for distance in range(5):
        mixed = torch.einsum("pctv,vw->pctw", x, layer.PA[distance])
        for w in range(V):
            # The bones of STICK are a line, so that distance is a difference; none is four bones away.
            seen = {w} | {v for v in range(V) if abs(v - w) == distance}
            for v in seen:
                mixed[..., w] += x[..., v] / len(seen)
        by_distance.append(mixed)

    torch.testing.assert_close(layer(x), layer.mlp(torch.cat(by_distance, dim=1)), atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_msg3d_counts_distance_across_the_frames_of_a_window() -> None:
    frames, distances = 3, 3
    scales = multi_scale(window_graph(partition(STICK, "binary")[0], frames), distances)

    expected = torch.zeros(distances, frames * V, frames * V, dtype=torch.float64)
    places = list(product(range(frames), range(V)))
    for k, (to, (frame, w)) in product(range(distances), enumerate(places)):
        # Another frame is one step away, with or without a bone in the same step.
        steps = [0 if (other, v) == (frame, w) else max(1, abs(v - w)) for other, v in places]
        seen = [at for at, step in enumerate(steps) if step == k or at == to]
        for at in seen:
            expected[k, at, to] = 1 / len(seen)

    torch.testing.assert_close(torch.as_tensor(scales), expected)


@pytest.mark.parametrize(("frames", "stride"), [(3, 1), (5, 2)])
@torch.no_grad()
def test_msg3d_joins_the_joints_of_a_window_and_collapses_them_as_a_3d_convolution(frames: int, stride: int) -> None:
    graph = partition(STICK, "binary")[0]
    layer = awake(msg3d.WindowGraphConv(Stage(3, 5, stride, True), graph, frames, is_first=True))
    assert isinstance(layer, msg3d.WindowGraphConv)
    gcn = layer.gcn3d[1]
    assert isinstance(gcn, msg3d.MultiScaleGraphConv)
    x = joints(3)

    windows = F.unfold(x, (frames, 1), padding=(frames // 2, 0), stride=(stride, 1))
    side = windows.reshape(P, 3, frames, -1, V).permute(0, 1, 3, 2, 4).reshape(P, 3, -1, frames * V)
    mixed = gcn(side).reshape(P, 5, -1, frames, V)

    torch.testing.assert_close(layer(x), layer.out_bn(layer.out_conv(mixed)[:, :, :, 0]))
    # Every joint has the links of its own frame to all frames of the window.
    assert window_graph(graph, frames).shape == (frames * V, frames * V)


UNITS: dict[str, tuple[Callable[[], nn.Module], int, list[tuple[int, int, int]]]] = {
    # kernel, dilation and width of each dilated branch
    "st-gcn++": (lambda: MultiBranchTemporal(14, 2), 14, [(3, 1, 4), (3, 2, 2), (3, 3, 2), (3, 4, 2)]),
    "ms-g3d": (
        lambda: DilatedTemporal(Stage(6, 14, 2, False), 3, (1, 2, 3, 4)),
        6,
        [(3, 1, 2), (3, 2, 2), (3, 3, 2), (3, 4, 2)],
    ),
    "ctr-gcn": (lambda: DilatedTemporal(Stage(6, 9, 2, False), 5, (1, 2)), 6, [(5, 1, 2), (5, 2, 2)]),
}


@pytest.mark.parametrize("name", UNITS)
@torch.no_grad()
def test_dilated_branches_look_where_their_paper_says(name: str) -> None:
    build, channels, expected = UNITS[name]
    unit = awake(build())
    x = joints(channels)
    branches = unit.get_submodule("branches")
    assert isinstance(branches, nn.ModuleList)

    for branch, (kernel, dilation, width) in zip(branches, expected, strict=False):
        assert isinstance(branch, nn.Sequential)
        temporal = branch[-1]
        weight, bias = temporal.get_parameter("conv.weight"), temporal.get_parameter("conv.bias")
        before = branch[:-1](x)
        found = torch.zeros(P, width, T // 2, V, dtype=torch.float64) + bias[:, None, None]
        for t, tap in product(range(T // 2), range(kernel)):
            frame = 2 * t + (tap - kernel // 2) * dilation
            if 0 <= frame < T:
                found[:, :, t] += torch.einsum("oc,pcv->pov", weight[:, :, tap, 0], before[:, :, frame])
        torch.testing.assert_close(branch(x), temporal.get_submodule("bn")(found))

    plain = branches[len(expected) + 1](x)
    assert plain.shape[1] == {"st-gcn++": 2, "ms-g3d": 4, "ctr-gcn": 3}[name]
