"""The default networks on real clips: they find the people, and the joints lie on them."""

from pathlib import Path

import numpy as np
import pytest

from models.runtime.build import build_detector, build_pose
from models.runtime.detector import iou
from models.runtime.pose import region_from_box
from models.weights.registry import load_registry
from models.weights.store import WeightStore
from tests.models.conftest import blaze_specs, iter_images

_TWO_PEOPLE = "mmaction2_demo_skeleton.mp4"


@pytest.mark.parametrize("file", ["rtmdet_nano_person_sdk.onnx", "rtmdet_nano_person.onnx"])
def test_rtmdet_finds_both_people_in_a_1080p_picture(weights_dir: Path, data_dir: Path, file: str) -> None:
    spec = load_registry().require("rtmdet-nano-person")
    detector = build_detector(spec, weights_dir / file, long_side=640)
    image = next(iter_images(data_dir / "video" / _TWO_PEOPLE, every=1, count=1))

    found = detector([image])[0]

    assert (found.score > 0.6).sum() == 2
    assert (found.xyxy[:2, 3] - found.xyxy[:2, 1] > 500).all()


def test_rtmdet_says_the_same_alone_and_in_a_batch(weights_dir: Path, data_dir: Path) -> None:
    spec = load_registry().require("rtmdet-nano-person")
    detector = build_detector(spec, weights_dir / "rtmdet_nano_person_sdk.onnx", long_side=320)
    images = list(iter_images(data_dir / "video" / "upfall_a1_t1_c2.mp4", every=30, count=3))

    together = detector(images)

    for image, found in zip(images, together, strict=True):
        alone = detector([image])[0]
        sure = found.score > 0.3
        np.testing.assert_allclose(found.xyxy[sure], alone.xyxy[alone.score > 0.3], atol=0.1)


def test_blazepose_detector_finds_both_people_by_asking_again(blaze_store: WeightStore, data_dir: Path) -> None:
    _, spec = blaze_specs()
    detector = build_detector(spec, blaze_store.require(spec))
    image = next(iter_images(data_dir / "video" / _TWO_PEOPLE, every=1, count=1))

    found = detector([image])[0]

    assert (found.score > 0.5).sum() == 2
    assert iou(found.xyxy[:1], found.xyxy[1:2])[0, 0] < 0.3


def test_blazepose_joints_lie_on_the_person_and_follow_it(blaze_store: WeightStore, data_dir: Path) -> None:
    landmark, detect = blaze_specs()
    pose = build_pose(landmark, blaze_store.require(landmark))
    detector = build_detector(detect, blaze_store.require(detect))
    images = list(iter_images(data_dir / "video" / "upfall_a1_t1_c2.mp4", every=2, count=4))
    box = detector(images[:1])[0].xyxy[:1]

    region = region_from_box(box)
    for image in images:
        landmarks = pose([image], region)
        region = landmarks.next_region

    joints = landmarks.keypoints[0]
    assert landmarks.presence[0] > 0.9
    assert landmarks.follows_region
    assert joints[0, 1] < joints[[5, 6], 1].mean() < joints[[11, 12], 1].mean() < joints[[15, 16], 1].mean()
    assert abs(float(region[0, 3])) < 0.3


@pytest.mark.parametrize("angle", [np.pi / 2, -np.pi / 2, np.pi])
def test_blazepose_finds_the_same_joints_when_the_picture_and_the_region_are_turned(
    blaze_store: WeightStore, data_dir: Path, angle: float
) -> None:
    landmark, _ = blaze_specs()
    pose = build_pose(landmark, blaze_store.require(landmark))
    image = next(iter_images(data_dir / "video" / "upfall_a1_t1_c2.mp4", every=1, count=1))[:480, :480]
    turns = round(angle / (np.pi / 2))
    turned = np.ascontiguousarray(np.rot90(image, turns))  # counter-clockwise as seen
    upright = np.array([[240, 240, 480, 0]], np.float32)

    before = pose([image], upright)
    after = pose([turned], upright + np.array([0, 0, 0, angle], np.float32))

    centred = before.keypoints[0, :, :2] - 240
    cos, sin = round(np.cos(angle)), round(np.sin(angle))
    expected = centred @ np.array([[cos, -sin], [sin, cos]]) + 240
    np.testing.assert_allclose(after.keypoints[0, :, :2], expected, atol=6)
