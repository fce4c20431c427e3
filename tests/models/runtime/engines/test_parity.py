"""Every default network says the same in OpenVINO as in onnxruntime."""

from pathlib import Path

import numpy as np
import pytest

from models.runtime.build import build_detector, build_pose
from models.runtime.detector import iou
from models.runtime.engines import openvino
from models.runtime.pose import region_from_box
from models.runtime.session import Session
from models.runtime.windows import sample_window
from models.weights.registry import ZOO_PATH, load_registry
from models.weights.store import WeightStore
from pipelines.stream.build import open_action
from tests.models.conftest import blaze_specs, iter_images

pytestmark = pytest.mark.skipif(not openvino.is_installed(), reason="the extra openvino is not installed")

_CLIP = "upfall_a1_t1_c2.mp4"
_TWO_PEOPLE = "mmaction2_demo_skeleton.mp4"


@pytest.mark.parametrize("file", ["rtmdet_nano_person_sdk.onnx", "rtmdet_nano_person.onnx"])
@pytest.mark.parametrize("side", [320, 416, 640])
def test_detector_finds_the_same_people_in_both_engines(
    weights_dir: Path, data_dir: Path, file: str, side: int
) -> None:
    spec = load_registry().require("rtmdet-nano-person")
    reference, other = (
        build_detector(spec, weights_dir / file, device, long_side=side) for device in ("cpu", "cpu,openvino")
    )
    images = [*iter_images(data_dir / "video" / _CLIP, every=20, count=3)]
    images += iter_images(data_dir / "video" / _TWO_PEOPLE, every=20, count=2)

    pairs = zip(reference(images), other(images), strict=True)

    for expected, found in pairs:
        assert len(expected) == len(found)
        np.testing.assert_allclose(found.score, expected.score, atol=2e-3)
        assert iou(expected.xyxy, found.xyxy).max(axis=1, initial=0).min() > 0.99


def test_blazepose_detector_finds_the_same_people_in_both_engines(blaze_store: WeightStore, data_dir: Path) -> None:
    _, spec = blaze_specs()
    reference, other = (build_detector(spec, blaze_store.require(spec), device) for device in ("cpu", "cpu,openvino"))
    images = list(iter_images(data_dir / "video" / _TWO_PEOPLE, every=20, count=2))

    pairs = zip(reference(images), other(images), strict=True)

    for expected, found in pairs:
        np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=0.5)


def test_landmarks_lie_within_a_thousandth_of_the_body_in_both_engines(
    blaze_store: WeightStore, weights_dir: Path, data_dir: Path
) -> None:
    landmark, _ = blaze_specs()
    spec = load_registry().require("rtmdet-nano-person")
    boxes = build_detector(spec, weights_dir / "rtmdet_nano_person_sdk.onnx", long_side=640)
    images = list(iter_images(data_dir / "video" / _CLIP, every=8, count=12))
    found = [(image, box) for image, people in zip(images, boxes(images), strict=True) for box in people.xyxy[:1]]
    regions = region_from_box(np.stack([box for _, box in found]))
    reference, other = (
        build_pose(landmark, blaze_store.require(landmark), device) for device in ("cpu", "cpu,openvino")
    )

    expected, ours = (pose([image for image, _ in found], regions) for pose in (reference, other))

    assert len(found) >= 10
    apart = np.hypot(*np.moveaxis(ours.keypoints[..., :2] - expected.keypoints[..., :2], -1, 0))
    assert (apart / regions[:, 2:3]).max() < 1e-3
    np.testing.assert_allclose(ours.presence, expected.presence, atol=1e-3)


@pytest.mark.parametrize("batch", [1, 3])
def test_action_model_answers_alike_in_both_engines(batch: int) -> None:
    folder = next(path.parent for path in sorted(ZOO_PATH.glob("*/model.json")))
    reference, other = (open_action(folder, device) for device in ("cpu", "cpu,openvino"))
    people = sample_window(reference.contract)
    rng = np.random.default_rng(0)
    keypoints = np.repeat(people.keypoints, batch, axis=0)
    keypoints[..., :2] = rng.uniform(50, 300, keypoints[..., :2].shape)
    valid = np.repeat(people.valid, batch, axis=0)
    assert people.size_wh is not None

    expected, found = (
        model.judge(keypoints, valid, np.repeat(people.size_wh, batch, axis=0)).probabilities
        for model in (reference, other)
    )

    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_network_keeps_the_rule_of_declared_shapes_in_openvino() -> None:
    folder = next(path.parent for path in sorted(ZOO_PATH.glob("*/model.json")))
    session = Session(folder / "model.onnx", "cpu:fixed,openvino")

    session.warm_declared()

    assert session.batches == (1, 2, 4, 8)
    assert session.declared_shapes == Session(folder / "model.onnx", "cpu:fixed").declared_shapes
