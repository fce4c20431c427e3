import pytest

from pipelines.bench.torch_process import measure_torch, read_rows, torch_device


def test_lines_that_are_no_rows_are_left_out() -> None:
    text = 'a warning\n{"kind": "device", "torch": "2"}\n{"no": "kind"}\n[1]\n{"kind": "netw'

    assert read_rows(text) == [{"kind": "device", "torch": "2"}]


@pytest.mark.parametrize(
    ("device", "expected"),
    [("cpu", "cpu"), ("cpu:fixed", "cpu"), ("cuda:1", "cuda:1"), ("cuda:1,tensorrt,fp16", "cuda:1"), ("cuda", "cuda")],
)
def test_torch_knows_a_device_without_its_options(device: str, expected: str) -> None:
    assert torch_device(device) == expected


def test_process_that_refuses_the_device_is_told() -> None:
    rows = measure_torch("cuda:63", 5, is_small=True)

    assert (rows.device, rows.networks) == (None, ())
    assert rows.left_out[0].startswith("torch networks: actogram: device_unavailable: cuda:63: torch ")


@pytest.mark.slow
def test_small_networks_are_measured_in_a_process_of_their_own() -> None:
    rows = measure_torch("cpu", 60, is_small=True)

    assert rows.device is not None
    assert rows.ceilings is not None
    assert {row["network"] for row in rows.networks} == {"stgcn++", "posec3d-x3d", "tcn"}
    assert rows.left_out == ("CUDA graphs, float16: need a GPU",)
