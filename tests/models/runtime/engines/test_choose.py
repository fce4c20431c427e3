"""`auto`: both engines are measured in alternation, the faster one is taken, and the next start knows."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from models.arrays import AnyArray
from models.runtime.device import Device
from models.runtime.engines import openvino
from models.runtime.engines.choose import measure_ratio, open_network, sample_feeds
from models.runtime.engines.types import Opening, TensorSpec
from tests.models.runtime.networks import write_random


class FakeNetwork:
    """Takes so many seconds of a clock that only it moves."""

    engine, precision, providers = "fake", "float32", ("fake",)
    inputs: tuple[TensorSpec, ...] = (TensorSpec("input", ("batch", 3, "h", "w"), "tensor(float)"),)
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, now_s: list[float], takes_s: float) -> None:
        self._now_s = now_s
        self._takes_s = takes_s

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """Nothing, after a while."""
        self._now_s[0] += self._takes_s
        return dict(feeds)


def test_ratio_is_the_other_s_time_over_the_reference_s() -> None:
    now_s = [0.0]
    reference, other = FakeNetwork(now_s, 0.020), FakeNetwork(now_s, 0.005)

    ratio = measure_ratio(reference, other, {}, lambda: now_s[0])

    assert ratio == pytest.approx(0.25)


def test_sample_is_one_row_of_a_small_picture() -> None:
    feeds = sample_feeds((TensorSpec("input", ("batch", 3, "h", "w"), "tensor(float)"),))

    assert feeds["input"].shape == (1, 3, 320, 320)
    assert feeds["input"].dtype == np.float32


@pytest.mark.skipif(not openvino.is_installed(), reason="the extra openvino is not installed")
@pytest.mark.parametrize(("speeds", "engine"), [((1.0, 0.5), "openvino"), ((1.0, 0.99), "onnxruntime")])
def test_auto_takes_the_faster_engine_and_remembers_it(
    tmp_path: Path, speeds: tuple[float, float], engine: str
) -> None:
    path = write_random(tmp_path / "net.onnx", ("batch", 3, 32, 32), {"dets": (4, 5)})
    opening = Opening(path, Device.parse(f"cpu,auto,engines={tmp_path / 'engines'}"))

    first = open_network(opening, _clock_of(speeds))
    second = open_network(opening, _clock_of((1.0, 1000.0) if engine == "openvino" else (1.0, 0.001)))

    assert (first.engine, second.engine) == (engine, engine)
    (kept,) = json.loads((tmp_path / "engines" / "choice.json").read_text()).values()
    assert kept == {"engine": engine, "ratio": pytest.approx(speeds[1] / speeds[0])}


@pytest.mark.skipif(not openvino.is_installed(), reason="the extra openvino is not installed")
@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1}', "{"])
def test_auto_measures_again_where_what_it_remembers_is_unreadable(tmp_path: Path, text: str) -> None:
    path = write_random(tmp_path / "net.onnx", ("batch", 3, 32, 32), {"dets": (4, 5)})
    folder = tmp_path / "engines"
    folder.mkdir()
    (folder / "choice.json").write_text(text)

    network = open_network(Opening(path, Device.parse(f"cpu,auto,engines={folder}")), _clock_of((1.0, 0.5)))

    assert network.engine == "openvino"


def _clock_of(speeds: tuple[float, float]) -> "_Clock":
    return _Clock(speeds)


class _Clock:
    """Asked before, between and after two runs, it says that they took these seconds."""

    def __init__(self, speeds: tuple[float, float]) -> None:
        self._steps = (0.0, *speeds)
        self._asked = 0
        self._now_s = 0.0

    def __call__(self) -> float:
        self._now_s += self._steps[self._asked % 3]
        self._asked += 1
        return self._now_s
