"""Regions and crops: the picture of a turned person comes out upright, and points find their way back."""

import numpy as np
import pytest

from models.runtime.blaze import follow_region
from models.runtime.pose import body_presence, crop_region, points_to_source, region_from_box, sigmoid

_SIZE_WH = (64, 64)


def _person(head: tuple[int, int], feet: tuple[int, int]) -> np.ndarray:
    """A black picture with a blue head and green feet."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[head[1] - 3 : head[1] + 4, head[0] - 3 : head[0] + 4, 0] = 255
    image[feet[1] - 3 : feet[1] + 4, feet[0] - 3 : feet[0] + 4, 1] = 255
    return image


@pytest.mark.parametrize(
    ("head", "feet", "angle"),
    [
        pytest.param((100, 60), (100, 140), 0.0, id="upright"),
        pytest.param((60, 100), (140, 100), np.pi / 2, id="head to the left"),
        pytest.param((140, 100), (60, 100), -np.pi / 2, id="head to the right"),
        pytest.param((100, 140), (100, 60), np.pi, id="upside down"),
        pytest.param((72, 72), (128, 128), np.pi / 4, id="half way to the left"),
    ],
)
def test_crop_shows_the_person_upright_when_the_region_is_turned(
    head: tuple[int, int], feet: tuple[int, int], angle: float
) -> None:
    image = _person(head, feet)
    region = np.array([100, 100, 128, angle], np.float32)

    crop = crop_region(image, region, _SIZE_WH)

    head_y, head_x = (float(axis.mean()) for axis in np.nonzero(crop[:, :, 0] > 100))
    feet_y, feet_x = (float(axis.mean()) for axis in np.nonzero(crop[:, :, 1] > 100))
    assert head_y == pytest.approx(12, abs=1)
    assert feet_y == pytest.approx(52, abs=1)
    assert (head_x, feet_x) == pytest.approx((32, 32), abs=1)


def test_points_return_to_the_source_when_the_crop_is_turned_and_not_square() -> None:
    image = _person((60, 100), (140, 100))
    regions = np.array([[100, 100, 128, np.pi / 2]], np.float32)
    crop = crop_region(image, regions[0], (48, 64))
    head = np.array(np.nonzero(crop[:, :, 0] > 100)).mean(axis=1)[::-1]

    points = points_to_source(head.reshape(1, 1, 2).astype(np.float32), regions, (48, 64))

    assert points[0, 0] == pytest.approx((60, 100), abs=1.5)


@pytest.mark.parametrize(
    ("top", "angle"),
    [
        pytest.param((50, 20), 0.0, id="upright"),
        pytest.param((20, 50), np.pi / 2, id="head to the left"),
        pytest.param((80, 50), -np.pi / 2, id="head to the right"),
    ],
)
def test_follow_region_turns_with_the_person(top: tuple[float, float], angle: float) -> None:
    centre = np.array([[50, 50]], np.float32)

    region = follow_region(centre, np.array([top], np.float32))

    assert region[0] == pytest.approx((50, 50, 75, angle), abs=1e-4)


def test_region_from_box_is_a_square_around_the_longer_side() -> None:
    boxes = np.array([[10, 20, 30, 100], [0, 0, 40, 10]], np.float32)

    regions = region_from_box(boxes, angle=0.5)

    np.testing.assert_allclose(regions, [[20, 60, 100, 0.5], [20, 5, 50, 0.5]])


def test_sigmoid_stays_finite_for_large_logits() -> None:
    assert sigmoid(np.array([-1000, 0, 1000], np.float32)) == pytest.approx([0, 0.5, 1])


def test_presence_of_joints_looks_at_the_better_half_of_the_body() -> None:
    score = np.zeros((3, 133), np.float32)
    score[0, :17] = 0.8
    score[1, :11] = 0.9
    score[2, 17:] = 0.9

    presence = body_presence(score, "wholebody133")

    np.testing.assert_allclose(presence, [0.8, 0.9, 0], atol=1e-6)
