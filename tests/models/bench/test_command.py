from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from models.bench.command import main
from models.bench.engines import Setting, alternate, count_macs
from models.bench.measure import measure_network
from models.bench.tables import NetworkRow, network_table
from models.nets.build import NetworkEntry, NetworkRequest, require_network
from models.nets.potion import PoTion
from models.skeleton.layouts import require_layout


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

    assert calls == ["a", "b"] * 5
    assert len(times) == 2


def test_measure_network_times_both_engines_on_the_same_network(tmp_path: Path) -> None:
    entry = NetworkEntry("tiny", lambda request: PoTion(request.num_classes, channels=(4, 8)), "heatmap", num_frames=4)

    row = measure_network(entry, Setting(1, 0, tmp_path))

    assert row.parameters == sum(p.numel() for p in PoTion(60, channels=(4, 8)).parameters())
    assert row.onnx_ms is not None
    assert min(*row.torch_ms, *row.onnx_ms, row.matmul_share) > 0
    assert (row.empty_slot, row.fp16_error) == (None, None)


def test_network_table_has_a_line_per_network() -> None:
    row = NetworkRow("stgcn", 3_090_000, 3_820_000_000, (28.0, 34.0), (14.0, 17.0), 0.5, 1.04)
    on_gpu = NetworkRow("aagcn", 3_760_000, 4_340_000_000, (2.5, 1.25), None, 0.5, None, 3.2e-3)

    lines = network_table([row, on_gpu]).splitlines()

    assert lines[2] == "| stgcn | 3.09 M | 3.82 G | 28 / 34 | 14 / 17 | 2.00 / 2.00 | 50% | 1.04 | - |"
    assert lines[3] == "| aagcn | 3.76 M | 4.34 G | 2.50 / 1.25 | - | - | 50% | - | 3.2e-03 |"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--networks stgcn99", "model_unknown: network 'stgcn99' is not one of stgcn,"),
        ("--device gpu", "device_unavailable: device 'gpu' is not cpu or cuda:N"),
        ("--device cuda:63", "device_unavailable: device cuda:63: torch "),
        ("--fp16", "device_unavailable: float16 is measured on a GPU only"),
    ],
)
def test_bench_refuses_what_it_cannot_measure(options: str, message: str) -> None:
    result = CliRunner().invoke(main, options.split())

    assert result.exit_code == 2
    assert result.stderr.startswith(f"actogram: {message}")
