"""Torch networks in every way that a CPU can run them; what only a GPU can is planned and told as left out."""

import json
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

from models.bench.budget import Budget
from models.bench.ceilings import Ceilings, measure_ceilings
from models.bench.torch_nets import (
    SMALL_PLAN,
    build_subject,
    iter_compiled,
    iter_variants,
    main,
    measure_subject,
    row_of,
)
from models.bench.traffic import count_bytes
from models.bench.variants import Speed, Variant, measure_variant
from models.errors import DeviceUnavailable
from models.nets.build import NetworkRequest, require_network
from models.nets.channels_last import has_volumes, lay_channels_last
from models.nets.cuda_graph import GraphedNetwork
from models.skeleton.layouts import require_layout

CPU = torch.device("cpu")


class _Refusing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError(f"no kernel for {x.dtype}\nand a long story")


def test_count_bytes_counts_what_a_product_reads_and_writes() -> None:
    layer = nn.Linear(8, 4, bias=False)

    assert count_bytes(layer, [torch.zeros(2, 8)]) == 4 * (2 * 8 + 8 * 4 + 2 * 4)


def test_count_bytes_takes_views_for_free() -> None:
    class Viewing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.transpose(0, 1)[None].reshape(-1, 2)

    assert count_bytes(Viewing(), [torch.zeros(2, 8)]) == 0


def test_channels_last_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.ReLU(), nn.Conv3d(4, 2, 1)).eval()
    x = torch.randn(2, 3, 5, 8, 8)
    expected = network(x)

    found = lay_channels_last(network)(x)

    assert network[0](x).is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["stgcn++", "msg3d"])
def test_network_of_joints_keeps_its_order(name: str) -> None:
    network = require_network(name).build(NetworkRequest(require_layout("coco17"), 4))

    laid = lay_channels_last(network)

    assert not has_volumes(network)
    assert all(parameter.is_contiguous() for parameter in laid.parameters())


def test_graph_refuses_inputs_that_are_not_on_a_gpu() -> None:
    with pytest.raises(DeviceUnavailable, match="needs inputs on a GPU"):
        GraphedNetwork(nn.Identity(), (torch.zeros(1),))


def test_ceilings_are_measured_in_every_precision_that_the_device_computes() -> None:
    ceilings = measure_ceilings(CPU)

    assert set(ceilings.flop_per_s) >= {"fp32", "bf16"}
    assert min(*ceilings.flop_per_s.values(), ceilings.bytes_per_s) > 0


@pytest.mark.parametrize("mode", ["eager", "compiled"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_variant_is_measured_and_leaves_the_network_as_it_was(mode: str, precision: str) -> None:
    network = nn.Linear(8, 4).eval()

    speed = measure_variant(network, [torch.zeros(2, 8)], Variant(mode, precision, 2), 0, "eager")  # type: ignore[arg-type]

    assert speed.samples_per_s > 0
    assert speed.memory_bytes is None
    assert network.weight.dtype == torch.float32


def test_gpu_is_asked_for_graphs_and_float16_and_volumes_in_both_orders() -> None:
    found = list(iter_variants(SMALL_PLAN, is_gpu=True, has_volumes=True))

    assert {variant.mode for variant in found} == {"eager", "graph"}
    assert {variant.precision for variant in found} == {"fp32", "bf16", "fp16"}
    eager = [v for v in found if v.mode == "eager" and v.precision == "fp16" and v.batch == 1]
    assert [variant.is_channels_last for variant in eager] == [False, True]


def test_gpu_is_asked_for_compiled_networks_with_and_without_a_graph() -> None:
    on_gpu, on_cpu = (list(iter_compiled(SMALL_PLAN, is_gpu=is_gpu)) for is_gpu in (True, False))

    assert [(variant.mode, variant.batch) for variant in on_gpu] == [("compiled", 2), ("compiled graph", 1)]
    assert on_cpu == on_gpu[:1]


def test_graph_of_a_compiled_network_is_captured_on_a_gpu_alone() -> None:
    variant = Variant("compiled graph", "fp32", 2)

    with pytest.raises(DeviceUnavailable, match="needs inputs on a GPU"):
        measure_variant(nn.Linear(8, 4).eval(), [torch.zeros(2, 8)], variant, 0, "eager")


def test_row_says_which_share_of_the_ceilings_is_reached() -> None:
    subject = build_subject("tcn", CPU, is_small=True)
    flop, moved = 2 * subject.macs, subject.sample_bytes + subject.fixed_bytes / 10
    ceilings = Ceilings({"fp32": 1000.0 * flop}, 1000.0 * moved)

    row = row_of(subject, Variant("eager", "fp32", 10), Speed(500.0, 0.1, None), ceilings)

    assert row["compute_share"] == pytest.approx(0.5)
    assert row["bandwidth_share"] == pytest.approx(0.5)


def test_half_precision_moves_half_the_bytes() -> None:
    subject = build_subject("tcn", CPU, is_small=True)
    ceilings = Ceilings({"fp32": 1e12, "bf16": 1e12}, 1e12)

    full = row_of(subject, Variant("eager", "fp32", 4), Speed(9.0, 0.1, None), ceilings)
    half = row_of(subject, Variant("eager", "bf16", 4), Speed(9.0, 0.1, None), ceilings)

    assert float(str(half["bandwidth_share"])) == pytest.approx(float(str(full["bandwidth_share"])) / 2)


def test_variant_that_cannot_run_is_told_and_the_rest_goes_on() -> None:
    broken = replace(build_subject("tcn", CPU, is_small=True), network=_Refusing())
    variants = [Variant("eager", "fp32", 2), Variant("eager", "bf16", 2)]
    how = (SMALL_PLAN, Ceilings({}, 1.0), Budget(60))

    rows = list(measure_subject(broken, variants, CPU, how))

    assert [row["samples_per_s"] for row in rows] == [None, None]
    assert [row["why"] for row in rows] == [
        f"RuntimeError: no kernel for torch.{name}" for name in ("float32", "bfloat16")
    ]


@pytest.mark.slow
def test_small_run_tells_every_kind_of_line() -> None:
    result = CliRunner().invoke(main, ["--small", "--networks", "tcn,posec3d-x3d"])

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    networks = [row for row in rows if row["kind"] == "network"]
    assert [row["kind"] for row in rows[:2]] == ["device", "ceilings"]
    assert {row["mode"] for row in networks} == {"eager", "compiled"}
    assert min(row["samples_per_s"] for row in networks) > 0
    assert rows[-1] == {"kind": "left_out", "items": ["CUDA graphs, float16: need a GPU"]}


def test_run_without_time_names_the_networks_that_it_left_out() -> None:
    result = CliRunner().invoke(main, ["--small", "--seconds", "0"])

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["device", "ceilings", "left_out"]
    assert "tcn: no time left" in rows[-1]["items"]


@pytest.mark.parametrize("device", ["cuda:63", "tpu"])
def test_device_that_is_not_there_is_refused(device: str) -> None:
    result = CliRunner().invoke(main, ["--device", device])

    assert result.exit_code == 2
    assert result.stderr.startswith("actogram: device_unavailable: ")
    assert device in result.stderr
