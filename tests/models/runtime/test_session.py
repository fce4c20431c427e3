"""A session: what it says of itself, and what it says when something does not fit."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from models.errors import ContractMismatch, DeviceUnavailable, WeightsMissing
from models.runtime.session import Session
from tests.models.runtime.networks import write_constant

_ANSWER = {"dets": np.ones((2, 5), np.float32)}


def _network(tmp_path: Path, batch: int | str = "batch", side: int | str = 32) -> Path:
    return write_constant(tmp_path / "net.onnx", (batch, 3, side, side), _ANSWER)


def test_session_says_what_it_takes_and_gives(tmp_path: Path) -> None:
    session = Session(_network(tmp_path))

    assert session.providers == ("CPUExecutionProvider",)
    assert (session.inputs[0].name, session.inputs[0].shape) == ("input", ("batch", 3, 32, 32))
    assert [output.name for output in session.outputs] == ["dets"]


@pytest.mark.parametrize(("batch", "fixed"), [("batch", None), (4, 4)])
def test_fixed_batch_is_none_when_any_goes(tmp_path: Path, batch: int | str, fixed: int | None) -> None:
    assert Session(_network(tmp_path, batch)).fixed_batch == fixed


def test_run_gives_outputs_by_name(tmp_path: Path) -> None:
    outputs = Session(_network(tmp_path)).run({"input": np.zeros((3, 3, 32, 32), np.float32)})

    assert outputs["dets"].shape == (3, 2, 5)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        pytest.param("input", np.zeros((1, 3, 16, 16), np.float32), id="size"),
        pytest.param("input", np.zeros((1, 3, 32, 32), np.float64), id="type"),
    ],
)
def test_run_names_the_file_and_the_feed_when_it_does_not_fit(tmp_path: Path, name: str, array: np.ndarray) -> None:
    session = Session(_network(tmp_path))

    with pytest.raises(ContractMismatch, match=rf"net\.onnx: input {array.dtype}"):
        session.run({name: array})


def test_warm_takes_every_batch_size(tmp_path: Path) -> None:
    Session(_network(tmp_path, side="side")).warm([1, 2, 8], {"side": 64})


def test_warm_asks_for_the_sizes_that_vary(tmp_path: Path) -> None:
    with pytest.raises(ContractMismatch, match="give a size to each name"):
        Session(_network(tmp_path, side="side")).warm([1])


def test_session_names_the_file_when_it_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"nowhere\.onnx"):
        Session(tmp_path / "nowhere.onnx")


def test_session_names_the_file_when_it_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(ContractMismatch, match=r"net\.onnx: onnxruntime cannot load it"):
        Session(path)


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this build has CUDA")
def test_session_refuses_the_gpu_when_onnxruntime_has_none(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="install the extra `gpu`"):
        Session(_network(tmp_path), device="cuda:0")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:-1", ""])
def test_session_names_the_devices_when_it_is_none_of_them(tmp_path: Path, device: str) -> None:
    with pytest.raises(DeviceUnavailable, match="expected cpu, cuda or cuda:N"):
        Session(_network(tmp_path), device=device)
