"""Heatmaps to joints: against values worked out by hand, against Gaussians of known centre, and against mmpose's."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.arrays import FloatArray
from models.errors import ContractMismatch
from models.runtime.build import build_pose
from models.runtime.heatmap_pose import cell_size, decode_heatmaps
from models.weights.registry import DecodeValue, InputContract, ModelSpec
from tests.models.runtime.networks import write_constant

_SHAPE = (16, 12)
_SIZE_WH = (48, 64)
_GOLDEN = Path(__file__).with_name("golden_heatmaps.json")
"""Four maps of Gaussians with noise and what mmpose 1.3.2's MSRAHeatmap and UDPHeatmap make of them."""


def gaussian(x: float, y: float, sigma: float = 2.0) -> FloatArray:
    rows, columns = np.mgrid[: _SHAPE[0], : _SHAPE[1]]
    height: FloatArray = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)
    return height


def one_map(**cells: float) -> FloatArray:
    """A map (1, 1, 16, 12) of zeros with values at cells named `xX_yY`."""
    maps = np.zeros((1, 1, *_SHAPE), np.float32)
    for name, value in cells.items():
        x, y = (int(part[1:]) for part in name.split("_"))
        maps[0, 0, y, x] = value
    return maps


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        pytest.param(one_map(x5_y7=1, x6_y7=0.5), (5.25, 7), id="towards the right"),
        pytest.param(one_map(x5_y7=1, x4_y7=0.5, x5_y8=0.2), (4.75, 7.25), id="towards the left and down"),
        pytest.param(one_map(x5_y7=1, x6_y7=0.5, x4_y7=0.5), (5, 7), id="not between equals"),
        pytest.param(one_map(x1_y7=1, x2_y7=0.5, x1_y6=0.3), (1, 6.75), id="not sideways in the second column"),
        pytest.param(one_map(x11_y15=1, x10_y15=0.5), (11, 15), id="not in the corner"),
    ],
)
def test_peak_moves_a_quarter_towards_the_higher_neighbour(maps: FloatArray, expected: tuple[float, float]) -> None:
    points, score = decode_heatmaps(maps, "default", 11, is_udp=False)

    assert points[0, 0] == pytest.approx(expected)
    assert score[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("is_udp", [False, True])
@pytest.mark.parametrize("centre", [(5.3, 7.8), (6.0, 8.0), (4.61, 6.45)])
def test_dark_finds_the_centre_of_a_gaussian_between_cells(centre: tuple[float, float], is_udp: bool) -> None:
    points, _ = decode_heatmaps(gaussian(*centre)[None, None], "dark", 5, is_udp)

    assert points[0, 0] == pytest.approx(centre, abs=0.03)


def test_none_leaves_the_peak_where_it_is() -> None:
    points, _ = decode_heatmaps(gaussian(5.3, 7.8)[None, None], "none", 11, is_udp=False)

    assert points[0, 0].tolist() == [5, 8]


@pytest.mark.parametrize(("method", "is_udp"), [("default", False), ("dark", False), ("dark", True)])
def test_joints_are_those_of_mmposes_codecs(method: str, is_udp: bool) -> None:
    golden = json.loads(_GOLDEN.read_text())
    maps = np.array(golden["maps"], np.float32)[None]

    cells, score = decode_heatmaps(maps, method, 11, is_udp)

    points = cells[0] * cell_size(_SHAPE, _SIZE_WH, is_udp)
    if is_udp:  # mmpose counts the last pixel as the full size here and takes it back when it leaves the crop
        points = points * np.array(_SIZE_WH) / (np.array(_SIZE_WH) - 1)
    np.testing.assert_allclose(points, golden["answers"][method + ("-udp" if is_udp else "")], atol=2e-3)
    np.testing.assert_allclose(score[0], golden["score"], atol=1e-4)


@pytest.mark.parametrize("method", ["default", "dark", "none"])
def test_maps_without_a_peak_give_joints_that_were_not_seen(method: str) -> None:
    maps = np.stack([np.zeros(_SHAPE, np.float32), np.full(_SHAPE, -1, np.float32)])[None]

    points, score = decode_heatmaps(maps, method, 11, is_udp=method == "dark")

    assert np.isfinite(points).all()
    assert (score == 0).all()


@pytest.mark.parametrize(
    ("decode", "expected"),
    [
        pytest.param({"method": "none"}, (300 + 64 * (44 / 64 - 0.375), 200 + 64 * (60 / 64 - 0.5)), id="by edges"),
        pytest.param({"method": "none", "udp": True}, (324, 232), id="UDP: the last cell is the region's corner"),
        pytest.param({"method": "none", "udp": True, "padding": 2.5}, (348, 264), id="twice the padding"),
    ],
)
def test_joints_come_back_to_the_source_picture(
    decode: dict[str, DecodeValue], expected: tuple[float, float], tmp_path: Path
) -> None:
    maps = np.repeat(one_map(x11_y15=0.8)[0], 17, axis=0)
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 64, 48), {"heatmaps": maps})
    pose = build_pose(_spec(decode), path)

    landmarks = pose([np.zeros((480, 640, 3), np.uint8)], np.array([[300, 200, 64, 0]], np.float32))

    assert landmarks.keypoints[0, 0, :2] == pytest.approx(expected, abs=0.01)
    assert landmarks.presence[0] == pytest.approx(0.8, abs=1e-3)
    assert not landmarks.follows_region


def test_build_names_the_outputs_when_they_are_no_heatmaps(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 64, 48), {"joints": np.zeros((17, 3), np.float32)})

    with pytest.raises(ContractMismatch, match=r"expected one of \(B, V, h, w\)"):
        build_pose(_spec({}), path)


def _spec(decode: dict[str, DecodeValue]) -> ModelSpec:
    return ModelSpec("net", "pose", "heatmap", {}, layout="coco17", input=InputContract(_SIZE_WH), decode=decode)
