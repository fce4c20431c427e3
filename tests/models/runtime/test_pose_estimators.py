"""Pose estimators behind the one interface, on networks with the outputs of the real ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.arrays import AnyArray, FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.build import build_one_stage, build_pose
from models.runtime.onestage import OneStage, OneStageDetector, OneStagePose
from models.runtime.pose import PoseEstimator, next_upright_region
from models.runtime.session import Session
from models.weights.registry import InputContract, ModelSpec
from tests.models.runtime.networks import Shape, write_constant, write_random

_IMAGE: Image = np.full((400, 600, 3), 90, np.uint8)
_CROP: Shape = ("batch", 3, 256, 192)
_UPRIGHT = (300, 200, 128, 0)
_HEAD_LEFT = (300, 200, 128, np.pi / 2)


def _regions(*rows: Sequence[float]) -> FloatArray:
    return np.array(rows, np.float32)


def _simcc(tmp_path: Path, shape: Shape = _CROP) -> PoseEstimator:
    """Says that every joint is at crop pixel (96, 64), a quarter of the height above the centre, with score 0.7."""
    x, y = np.zeros((17, 384), np.float32), np.zeros((17, 512), np.float32)
    x[:, 192], y[:, 128] = 0.9, 0.7
    path = write_constant(tmp_path / "net.onnx", shape, {"simcc_x": x, "simcc_y": y})
    return build_pose(_spec("simcc"), path)


def _spec(family: str) -> ModelSpec:
    contract = InputContract((192, 256), "rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    return ModelSpec("net", "pose", family, {}, layout="coco17", input=contract)


def test_simcc_gives_joints_in_source_pixels_when_regions_are_turned(tmp_path: Path) -> None:
    pose = _simcc(tmp_path)

    landmarks = pose([_IMAGE, _IMAGE], _regions(_UPRIGHT, _HEAD_LEFT))

    np.testing.assert_allclose(landmarks.keypoints[0, 0], [300, 168, 0.7], atol=1e-3)
    np.testing.assert_allclose(landmarks.keypoints[1, 0], [268, 200, 0.7], atol=1e-3)
    np.testing.assert_allclose(landmarks.presence, [0.7, 0.7], rtol=1e-5)
    assert not landmarks.follows_region
    assert pose.layout == "coco17"


def test_simcc_runs_one_by_one_when_the_network_takes_only_one(tmp_path: Path) -> None:
    pose = _simcc(tmp_path, (1, 3, 256, 192))

    landmarks = pose([_IMAGE] * 3, _regions(_UPRIGHT, _HEAD_LEFT, _UPRIGHT))

    assert landmarks.keypoints.shape == (3, 17, 3)


def test_simcc_keeps_its_contract_when_the_weights_are_random(tmp_path: Path) -> None:
    path = write_random(tmp_path / "net.onnx", _CROP, {"simcc_x": (17, 384), "simcc_y": (17, 512)})
    pose = build_pose(_spec("simcc"), path)

    landmarks = pose([_IMAGE] * 2, _regions(_UPRIGHT, _HEAD_LEFT))

    inside = np.abs(landmarks.keypoints[:, :, :2] - (300, 200)).max(axis=2)
    assert (inside <= 64.5).all()
    assert ((landmarks.keypoints[:, :, 2] >= 0) & (landmarks.keypoints[:, :, 2] <= 1)).all()
    assert landmarks.next_region.shape == (2, 4)


def test_simcc_gives_nothing_when_there_are_no_regions(tmp_path: Path) -> None:
    landmarks = _simcc(tmp_path)([], np.zeros((0, 4), np.float32))

    assert (len(landmarks), landmarks.keypoints.shape, landmarks.next_region.shape) == (0, (0, 17, 3), (0, 4))


def test_next_upright_region_surrounds_the_joints_that_were_seen() -> None:
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[0, 0], keypoints[0, 16] = (100, 50, 0.9), (120, 250, 0.8)
    keypoints[1, 0] = (10, 10, 0.9)

    following = next_upright_region(keypoints, _regions(_HEAD_LEFT, _HEAD_LEFT))

    np.testing.assert_allclose(following, _regions((110, 150, 250, 0), _HEAD_LEFT), rtol=1e-6)


def _two_people() -> Mapping[str, NDArray[np.generic]]:
    """Boxes 0..100 x 0..200 and 400..500 x 100..300 of a 640 input; joints of the second at (450, 200)."""
    rows = np.zeros((300, 57), np.float32)
    rows[0, :6] = (0, 0, 100, 200, 0.9, 0)
    rows[0, 6:] = np.tile([50, 100, 0.8], 17)
    rows[1, :6] = (400, 100, 500, 300, 0.6, 0)
    rows[1, 6:] = np.tile([450, 200, 1.4], 17)
    return {"output0": rows}


def _one_stage_spec(family: str = "yolo-pose") -> ModelSpec:
    return ModelSpec("net", "detect_pose", family, {}, layout="coco17", input=InputContract((640, 640)))


def test_one_stage_gives_each_region_its_own_person(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 640, 640), _two_people())
    _, pose = build_one_stage(_one_stage_spec(), path)
    image = np.zeros((640, 640, 3), np.uint8)

    landmarks = pose([image] * 3, _regions([450, 200, 250, 0], [50, 100, 250, 1.0], [60, 110, 240, 0]))

    np.testing.assert_allclose(landmarks.keypoints[0, 0], [450, 200, 1], atol=1e-3)
    np.testing.assert_allclose(landmarks.keypoints[1, 0], [50, 100, 0.8], atol=1e-3)
    np.testing.assert_allclose(landmarks.presence, [0.6, 0.9, 0], atol=1e-6)
    assert (landmarks.keypoints[2] == 0).all()
    np.testing.assert_allclose(landmarks.next_region, [[450, 200, 250, 0], [50, 100, 250, 0], [60, 110, 240, 0]])


class _CountingSession(Session):
    runs = 0

    def run(self, feeds: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        self.runs += 1
        return super().run(feeds)


def test_one_stage_runs_once_when_pose_follows_detection(tmp_path: Path) -> None:
    session = _CountingSession(write_constant(tmp_path / "net.onnx", ("batch", 3, 640, 640), _two_people()))
    network = OneStage(_one_stage_spec(), session)
    first, second = np.zeros((640, 640, 3), np.uint8), np.zeros((640, 640, 3), np.uint8)

    OneStageDetector(network)([first])
    OneStagePose(network)([first, first], _regions((450, 200, 250, 0), (50, 100, 250, 0)))
    runs_for_one_picture = session.runs
    OneStagePose(network)([second], _regions((450, 200, 250, 0)))

    assert (runs_for_one_picture, session.runs) == (1, 2)


def test_one_stage_remembers_the_pictures_of_several_streams_and_none_that_is_gone(tmp_path: Path) -> None:
    session = _CountingSession(write_constant(tmp_path / "net.onnx", ("batch", 3, 640, 640), _two_people()))
    network = OneStage(_one_stage_spec(), session)
    pictures = [np.zeros((640, 640, 3), np.uint8) for _ in range(4)]

    for picture in (*pictures, *pictures):
        network.find([picture])
    runs_for_four = session.runs
    for _ in range(4):
        network.find([np.zeros((640, 640, 3), np.uint8)])

    assert (runs_for_four, session.runs) == (4, 8)


def test_one_stage_gives_the_same_person_to_all_turns_of_a_region(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 640, 640), _two_people())
    _, pose = build_one_stage(_one_stage_spec(), path)
    image = np.zeros((640, 640, 3), np.uint8)

    landmarks = pose([image] * 4, _regions(*([450, 200, 250, turn] for turn in (0, 1.57, -1.57, 3.14))))

    np.testing.assert_allclose(landmarks.presence, [0.6] * 4, atol=1e-6)
    np.testing.assert_allclose(landmarks.keypoints[:, 0, :2], [[450, 200]] * 4, atol=1e-3)


def test_one_stage_gives_nothing_when_there_are_no_regions(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", ("batch", 3, 640, 640), _two_people())
    pose = build_pose(_one_stage_spec(), path)

    assert len(pose([], np.zeros((0, 4), np.float32))) == 0


def test_build_names_the_family_when_it_is_no_pose_estimators(tmp_path: Path) -> None:
    path = write_constant(tmp_path / "net.onnx", _CROP, _two_people())

    with pytest.raises(ContractMismatch, match="found family 'rtmdet', expected a pose estimator's"):
        build_pose(_spec("rtmdet"), path)
