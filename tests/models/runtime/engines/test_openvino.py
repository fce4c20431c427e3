"""OpenVINO as an engine: what it says of a network, of what does not fit, and what it tells its maker: nothing."""

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from models.errors import ContractMismatch, DeviceUnavailable
from models.runtime.engines import openvino
from models.runtime.session import Session
from tests.models.runtime.networks import write_constant, write_random

ROOT = Path(__file__).resolve().parents[4]

needs_openvino = pytest.mark.skipif(not openvino.is_installed(), reason="the extra openvino is not installed")


def _random(tmp_path: Path) -> Path:
    return write_random(tmp_path / "net.onnx", ("batch", 3, "height", "width"), {"dets": (4, 5)})


@needs_openvino
def test_session_says_the_same_of_a_network_as_in_onnxruntime(tmp_path: Path) -> None:
    path = _random(tmp_path)

    session, reference = Session(path, "cpu,openvino"), Session(path)

    assert (session.engine, session.precision) == ("openvino", "float32")
    assert (reference.engine, reference.precision) == ("onnxruntime", "float32")
    assert [spec.name for spec in session.inputs + session.outputs] == ["input", "dets"]
    assert [spec.dtype for spec in session.inputs] == [spec.dtype for spec in reference.inputs]
    assert session.fixed_batch is None
    assert [isinstance(size, int) for size in session.inputs[0].shape] == [False, True, False, False]


@needs_openvino
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("device", ["cpu,openvino", "cpu,auto"])
def test_outputs_are_onnxruntime_s_for_any_size_and_number_of_rows(tmp_path: Path, rows: int, device: str) -> None:
    path = _random(tmp_path)
    session, reference = Session(path, device), Session(path)

    for side in (32, 64, 32):
        feeds = {"input": np.random.default_rng(side).uniform(0, 1, (rows, 3, side, side)).astype(np.float32)}
        np.testing.assert_allclose(session.run(feeds)["dets"], reference.run(feeds)["dets"], atol=1e-5)


@needs_openvino
def test_no_rows_give_no_rows(tmp_path: Path) -> None:
    path = _random(tmp_path)
    nobody: Mapping[str, np.ndarray] = {"input": np.zeros((0, 3, 32, 32), np.float32)}

    assert Session(path, "cpu,openvino").run(nobody)["dets"].shape == (0, 4, 5)


@needs_openvino
def test_answers_stay_when_the_network_runs_again(tmp_path: Path) -> None:
    session = Session(_random(tmp_path), "cpu,openvino")
    rng = np.random.default_rng(0)
    pictures = [rng.uniform(0, 1, (1, 3, 32, 32)).astype(np.float32) for _ in range(2)]

    first = session.run({"input": pictures[0]})["dets"]
    kept = first.copy()
    session.run({"input": pictures[1]})

    np.testing.assert_array_equal(first, kept)


@needs_openvino
def test_threads_that_run_one_network_at_once_get_their_own_answers(tmp_path: Path) -> None:
    session = Session(_random(tmp_path), "cpu,openvino")
    pictures = [np.full((1, 3, 32, 32), value / 16, np.float32) for value in range(16)]
    alone = [session.run({"input": picture})["dets"] for picture in pictures]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: session.run({"input": picture})["dets"], pictures))

    np.testing.assert_array_equal(together, alone)


@needs_openvino
@pytest.mark.parametrize(
    ("name", "array"),
    [
        pytest.param("input", np.zeros((1, 4, 32, 32), np.float32), id="size"),
        pytest.param("input", np.zeros((1, 3, 32, 32), np.float64), id="type"),
        pytest.param("input", np.zeros((3, 32, 32), np.float32), id="axes"),
        pytest.param("picture", np.zeros((1, 3, 32, 32), np.float32), id="name"),
    ],
)
def test_run_names_the_file_and_the_feed_when_it_does_not_fit(tmp_path: Path, name: str, array: np.ndarray) -> None:
    session = Session(_random(tmp_path), "cpu,openvino")

    with pytest.raises(ContractMismatch, match=rf"net\.onnx: {name} {array.dtype}"):
        session.run({name: array})


@needs_openvino
def test_session_names_the_file_when_it_is_no_network(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"not a network")

    with pytest.raises(ContractMismatch, match=r"net\.onnx: OpenVINO cannot load it"):
        Session(path, "cpu,openvino")


@needs_openvino
def test_compiled_networks_are_kept_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "engines"
    session = Session(_random(tmp_path), f"cpu,openvino,engines={folder}")

    session.warm([1], {"height": 32, "width": 32, "d2": 32, "d3": 32})

    assert any(folder.iterdir())


@needs_openvino
def test_bfloat16_is_refused_by_a_processor_without_it(tmp_path: Path) -> None:
    if "BF16" in openvino.load()().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor computes bfloat16")

    with pytest.raises(DeviceUnavailable, match="computes no bfloat16"):
        Session(_random(tmp_path), "cpu,openvino,bf16")


def test_openvino_that_is_missing_says_which_extra_to_install(tmp_path: Path) -> None:
    """In a process that cannot find it, as on a machine without it."""
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 32, 32), {"dets": np.ones((2, 5), np.float32)})
    program = f"""
import sys
sys.modules["openvino"] = None
from pathlib import Path
from models.errors import DeviceUnavailable
from models.runtime.session import Session
path = Path({str(path)!r})
try:
    Session(path, "cpu,openvino")
except DeviceUnavailable as error:
    print(error)
print(Session(path, "cpu,auto").engine)
"""

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "install the extra `openvino`" in done.stdout
    assert done.stdout.splitlines()[-1] == "onnxruntime"


@needs_openvino
def test_loading_openvino_loads_nothing_that_reports(tmp_path: Path) -> None:
    program = """
import sys
from models.runtime.engines import openvino
openvino.load()
print([name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module])
"""
    # A fresh home, without what could switch the reports off or say that this is a test machine.
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
