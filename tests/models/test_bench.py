import torch
from click.testing import CliRunner
from torch import nn

from models.bench import NetworkRow, alternate, count_macs, main, network_table
from models.nets.build import NetworkRequest, require_network
from models.skeleton import require_layout


def test_count_macs_counts_a_convolution() -> None:
    conv = nn.Conv2d(3, 8, (9, 1), bias=False)

    assert count_macs(conv, [torch.zeros(2, 3, 20, 17)]) == 2 * 12 * 17 * 8 * 3 * 9


def test_count_macs_is_near_the_published_count() -> None:
    network = require_network("stgcn").build(NetworkRequest(require_layout("coco17"), 60)).eval()

    macs = count_macs(network, [torch.zeros(1, 2, 100, 17, 3)])

    assert 0.95 < macs / 3.82e9 < 1.05


def test_alternate_takes_turns() -> None:
    calls: list[str] = []

    times = alternate([lambda: calls.append("a"), lambda: calls.append("b")], seconds=0)

    assert calls == ["a", "b"] * 4
    assert len(times) == 2


def test_network_table_has_a_line_per_network() -> None:
    row = NetworkRow("stgcn", 3_090_000, 3_820_000_000, (28.0, 34.0), (14.0, 17.0), 0.5, 1.04)

    lines = network_table([row]).splitlines()

    assert lines[2] == "| stgcn | 3.09 M | 3.82 G | 28 / 34 | 14 / 17 | 2.00 / 2.00 | 50% | 1.04 |"


def test_bench_refuses_a_network_that_does_not_exist() -> None:
    result = CliRunner().invoke(main, ["--networks", "stgcn99"])

    assert result.exit_code == 2
    assert result.stderr.startswith("actogram: model_unknown: 'stgcn99' is not one of stgcn,")
