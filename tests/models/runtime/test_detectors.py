"""Every detector family behind the one interface, on networks with the outputs of the real ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.arrays import Image
from models.errors import ContractMismatch
from models.runtime.build import build_detector
from models.runtime.detector import SCORE_FLOOR, Detector
from models.runtime.yolox import grid
from models.weights.registry import InputContract, ModelSpec
from tests.models.runtime.networks import Shape, write_constant, write_random

_FREE: Shape = ("batch", 3, "height", "width")
_FIXED: Shape = ("batch", 3, 320, 320)
_BATCH_1: Shape = (1, 3, 320, 320)
_KEYPOINTS = np.tile(np.array([[160, 80, 0.8]], np.float32), (17, 1))


@dataclass(frozen=True)
class Family:
    """A family, its input, and an answer: a person at 40..120 x 80..240 with score 0.9, and other things.

    top_px: where it puts a picture of 320 x 200 on its canvas.
    """

    name: str
    input_shape: Shape
    answers: Mapping[str, NDArray[np.generic]]
    top_px: int = 0


def _dets() -> Mapping[str, NDArray[np.generic]]:
    """A person, a person too weak, a dog, and a box turned inside out."""
    rows = [[40, 80, 120, 240, 0.9], [0, 0, 50, 50, 0.05], [200, 200, 300, 300, 0.8], [90, 90, 80, 80, 0.7]]
    return {"dets": np.array(rows, np.float32), "labels": np.array([0, 0, 16, 0], np.int64)}


def _raw_rtmdet() -> Mapping[str, NDArray[np.generic]]:
    """The person, the same again a little shifted, and one too weak."""
    boxes = np.array([[42, 80, 122, 240], [40, 80, 120, 240], [200, 200, 250, 250]], np.float32)
    return {"boxes": boxes, "scores": np.array([0.7, 0.9, 0.05], np.float32)}


def _yolox_rows() -> NDArray[np.float32]:
    """Cell (5, 10) of stride 16 says the person, its neighbour says the same again, another cell says a dog."""
    rows = np.zeros((2100, 85), np.float32)
    cells, strides = grid(320, 320)
    for cell, objectness, class_index in (((5, 10), 1.0, 0), ((6, 10), 0.9, 0), ((15, 15), 1.0, 16)):
        at = int(np.flatnonzero((strides == 16) & (cells == cell).all(axis=1))[0])
        rows[at, :4] = 5 - cell[0], 0, np.log(80 / 16), np.log(160 / 16)
        rows[at, 4], rows[at, 5 + class_index] = objectness, 0.9
    return rows


def _yolo11_rows(num_classes: int, extra: Sequence[float] = ()) -> NDArray[np.float32]:
    """Columns: the person, the same again a little shifted, and (where there are more classes) a dog."""
    columns = np.zeros((4 + num_classes + len(extra), 2100), np.float32)
    columns[:4, 7], columns[4, 7] = (80, 160, 80, 160), 0.9
    columns[:4, 8], columns[4, 8] = (82, 160, 80, 160), 0.8
    if num_classes > 16:
        columns[:4, 9], columns[4, 9], columns[20, 9] = (250, 250, 50, 50), 0.3, 0.8
    columns[4 + num_classes :, 7] = extra
    return columns


def _yolo26_rows(extra: Sequence[float] = ()) -> NDArray[np.float32]:
    rows = np.zeros((300, 6 + len(extra)), np.float32)
    rows[0] = (200, 200, 300, 300, 0.95, 16, *extra)
    rows[1] = (40, 80, 120, 240, 0.9, 0, *extra)
    return rows


_POSE = [float(value) for value in _KEYPOINTS.reshape(-1)]
_FAMILIES = [
    pytest.param(Family("rtmdet", _FREE, _dets()), id="RTMDet, free size"),
    pytest.param(Family("rtmdet", _FREE, _raw_rtmdet()), id="RTMDet without suppression"),
    pytest.param(Family("yolox-sdk", _BATCH_1, _dets()), id="YOLOX with suppression inside, batch 1"),
    pytest.param(Family("yolox", _FIXED, {"output": _yolox_rows()}), id="YOLOX raw grid"),
    pytest.param(Family("yolo", _FIXED, {"output0": _yolo11_rows(80)}, 60), id="YOLO11"),
    pytest.param(Family("yolo", _BATCH_1, {"output0": _yolo26_rows()}, 60), id="YOLO26"),
    pytest.param(Family("yolo-pose", _FIXED, {"output0": _yolo11_rows(1, _POSE)}, 60), id="YOLO11-pose"),
    pytest.param(Family("yolo-pose", _FREE, {"output0": _yolo26_rows(_POSE)}, 12), id="YOLO26-pose"),
    pytest.param(
        Family("rtmo", _FIXED, {"dets": _dets()["dets"], "keypoints": np.tile(_KEYPOINTS, (4, 1, 1))}), id="RTMO"
    ),
]


def _build(family: Family, tmp_path: Path) -> Detector:
    path = write_constant(tmp_path / "net.onnx", family.input_shape, family.answers)
    return build_detector(_spec(family.name), path)


def _spec(family: str) -> ModelSpec:
    return ModelSpec("net", "detect", family, {}, input=InputContract((320, 320)))


def _picture(width: int, height: int) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


@pytest.mark.parametrize("family", _FAMILIES)
def test_detector_gives_the_person_in_source_pixels_when_the_picture_is_larger(family: Family, tmp_path: Path) -> None:
    detector = _build(family, tmp_path)

    answers = detector([_picture(640, 640)])

    assert answers[0].xyxy[0] == pytest.approx((80, 160, 240, 480), abs=1)
    assert answers[0].score[0] == pytest.approx(0.9, abs=1e-3)
    assert answers[0].xyxy.dtype == answers[0].score.dtype == np.float32


@pytest.mark.parametrize("family", [row for row in _FAMILIES if "RTMO" not in str(row.id)])
def test_detector_leaves_out_dogs_weak_boxes_and_repetitions(family: Family, tmp_path: Path) -> None:
    detector = _build(family, tmp_path)

    answers = detector([_picture(320, 320)])

    assert len(answers[0]) == 1


@pytest.mark.parametrize("family", _FAMILIES)
def test_detector_answers_in_order_when_sizes_differ(family: Family, tmp_path: Path) -> None:
    detector = _build(family, tmp_path)
    sizes = [(640, 640), (320, 240), (640, 640), (160, 160)]

    answers = detector([_picture(*size) for size in sizes])

    right = [float(answer.xyxy[0, 2]) for answer in answers]
    assert right == pytest.approx([240, 120, 240, 60], abs=1)


@pytest.mark.parametrize("family", _FAMILIES)
def test_detector_cuts_boxes_at_the_edge_of_the_picture(family: Family, tmp_path: Path) -> None:
    detector = _build(family, tmp_path)

    answers = detector([_picture(320, 200)])

    bottom = min(240 - family.top_px, 200)
    assert answers[0].xyxy[0] == pytest.approx((40, 80 - family.top_px, 120, bottom), abs=1)


@pytest.mark.parametrize("family", _FAMILIES)
def test_detector_gives_nothing_when_there_is_nothing(family: Family, tmp_path: Path) -> None:
    blank = {name: np.zeros_like(answer) for name, answer in family.answers.items()}
    path = write_constant(tmp_path / "net.onnx", family.input_shape, blank)
    detector = build_detector(_spec(family.name), path)

    assert detector([]) == []
    assert [len(answer) for answer in detector([_picture(100, 50)])] == [0]


@pytest.mark.parametrize(
    ("family", "shapes"),
    [
        pytest.param("yolox", {"output": (2100, 85)}, id="YOLOX raw grid"),
        pytest.param("yolo", {"output0": (84, 2100)}, id="YOLO11"),
        pytest.param("yolo", {"output0": (300, 6)}, id="YOLO26"),
        pytest.param("yolo-pose", {"output0": (56, 2100)}, id="YOLO11-pose"),
        pytest.param("yolo-pose", {"output0": (300, 57)}, id="YOLO26-pose"),
        pytest.param("rtmo", {"dets": (20, 5), "keypoints": (20, 17, 3)}, id="RTMO"),
    ],
)
def test_detector_keeps_its_contract_when_the_weights_are_random(
    family: str, shapes: Mapping[str, Sequence[int]], tmp_path: Path
) -> None:
    detector = build_detector(_spec(family), write_random(tmp_path / "net.onnx", _FIXED, shapes))
    rng = np.random.default_rng(1)

    answers = detector([rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((240, 320), (90, 400))])

    for answer, (height, width) in zip(answers, ((240, 320), (90, 400)), strict=True):
        assert (answer.xyxy[:, :2] >= 0).all()
        assert (answer.xyxy[:, 2:] <= (width, height)).all()
        assert (answer.xyxy[:, 2:] > answer.xyxy[:, :2]).all()
        assert ((answer.score >= SCORE_FLOOR) & (answer.score <= 1)).all()
        assert (np.diff(answer.score) <= 0).all()


@pytest.mark.parametrize(
    ("family", "answers", "reason"),
    [
        pytest.param("rtmdet", {"boxes": np.zeros((4, 5), np.float32)}, "expected .*'dets'", id="RTMDet"),
        pytest.param("yolox", _dets(), r"expected one of \(B, N, 5 \+ K\)", id="YOLOX"),
        pytest.param("yolo", _dets(), r"expected one of \(B, R, C\)", id="YOLO"),
        pytest.param("simcc", _dets(), "found family 'simcc', expected a detector's", id="a pose network"),
    ],
)
def test_build_names_what_it_found_when_the_network_is_another(
    family: str, answers: Mapping[str, NDArray[np.generic]], reason: str, tmp_path: Path
) -> None:
    path = write_constant(tmp_path / "net.onnx", _FIXED, answers)

    with pytest.raises(ContractMismatch, match=reason):
        build_detector(_spec(family), path)


def test_yolox_names_the_rows_when_the_grid_does_not_fit(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", _FIXED, {"output": np.zeros((100, 85), np.float32)})
    detector = build_detector(_spec("yolox"), path)

    with pytest.raises(ContractMismatch, match="found 100 rows for 320 x 320 pixels, expected 2100"):
        detector([_picture(320, 320)])
