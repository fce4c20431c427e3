"""Crops, sizes and mirror images of joints in pixels: values worked out by hand from the reference's rules."""

import random

import numpy as np
import pytest

from models.skeleton.layouts import COCO17
from models.skeleton.reference.clip import PoseClip
from models.skeleton.reference.crops import (
    Box,
    Compact,
    Scale,
    centre_box,
    compact,
    compact_box,
    crop,
    flip,
    random_box,
    random_flip,
    random_resized_box,
    resize,
    resized_shape,
)


def clip(joints: list[tuple[float, float]], shape_hw: tuple[int, int] = (480, 640)) -> PoseClip:
    xy = np.array(joints, np.float32)[None, None]
    return PoseClip(xy, np.linspace(0.1, 0.9, xy.shape[2], dtype=np.float32)[None, None], shape_hw)


BODY = clip([(100, 50), (140, 170), (0, 0)])


@pytest.mark.parametrize(
    ("options", "box"),
    [
        pytest.param(Compact(), Box(95, 35, 145, 185), id="padding alone"),
        pytest.param(Compact(padding=0), Box(100, 50, 140, 170), id="no padding"),
        pytest.param(Compact(hw_ratio=1.0), Box(45, 35, 195, 185), id="square"),
        pytest.param(Compact(hw_ratio=(1.0, 2.0)), Box(82, 35, 157, 185), id="at most twice as high"),
        pytest.param(Compact(hw_ratio=(1.0, 4.0)), Box(95, 35, 145, 185), id="shape within the range"),
        pytest.param(Compact(padding=1.0, hw_ratio=1.0), Box(0, -10, 240, 230), id="past the upper edge"),
        pytest.param(Compact(padding=1.0, hw_ratio=1.0, is_inside=True), Box(0, 0, 240, 230), id="cut off there"),
        pytest.param(Compact(threshold_px=41), None, id="narrower than the threshold"),
        pytest.param(Compact(threshold_px=40), Box(95, 35, 145, 185), id="as wide as the threshold"),
    ],
)
def test_compact_box_follows_its_options(options: Compact, box: Box | None) -> None:
    assert compact_box(BODY.xy, BODY.shape_hw, options) == box


def test_compact_box_truncates_towards_zero_and_may_be_no_square() -> None:
    # Centre (7.25, 20.75), half a side of 13.125: -5.875, 20.375 and 7.625, 33.875.
    xy = np.array([[2, 10.25], [12.5, 31.25]], np.float32)

    box = compact_box(xy, (40, 60), Compact(hw_ratio=1.0))

    assert box == Box(-5, 7, 20, 33)
    assert (box.width, box.height) == (25, 26)


def test_compact_moves_known_coordinates_and_keeps_missing_ones() -> None:
    source = clip([(100, 50), (140, 170), (0, 0), (120, 0), (np.nan, 60)])

    found = compact(source, Compact(hw_ratio=1.0))

    np.testing.assert_array_equal(found.xy[0, 0], [[55, 15], [95, 135], [0, 0], [75, 0], [0, 25]])
    assert found.xy.dtype == np.float32
    assert found.shape_hw == (150, 150)
    np.testing.assert_allclose(found.quadruple, (45 / 640, 35 / 480, 150 / 640, 150 / 480))


def test_compact_leaves_a_tiny_body_but_for_nan() -> None:
    source = clip([(100, 50), (105, 90), (np.nan, 60)])

    found = compact(source)

    np.testing.assert_array_equal(found.xy[0, 0], [[100, 50], [105, 90], [0, 60]])
    assert (found.shape_hw, found.quadruple) == ((480, 640), (0, 0, 1, 1))


def test_crop_moves_missing_coordinates_too_and_combines_quadruples() -> None:
    found = crop(crop(BODY, Box(64, 48, 384, 288)), Box(32, 24, 96, 72))

    np.testing.assert_array_equal(found.xy[0, 0], [[4, -22], [44, 98], [-96, -72]])
    assert found.xy.dtype == np.float64
    assert found.shape_hw == (48, 64)
    np.testing.assert_allclose(found.quadruple, (0.15, 0.15, 0.1, 0.1))


@pytest.mark.parametrize(
    ("scale", "keeps_ratio", "shape"),
    [
        pytest.param(0.5, True, (51, 38), id="factor, halves round up"),
        pytest.param((-1, 64), True, (86, 64), id="short side alone"),
        pytest.param((200, 60), True, (81, 60), id="both sides, the short one binds"),
        pytest.param((60, 200), True, (81, 60), id="both sides in the other order"),
        pytest.param((80, 70), True, (80, 59), id="both sides, the long one binds"),
        pytest.param((56, 48), False, (48, 56), id="width and height"),
    ],
)
def test_resized_shape_follows_the_scale(scale: Scale, keeps_ratio: bool, shape: tuple[int, int]) -> None:
    assert resized_shape((101, 75), scale, keeps_ratio) == shape


@pytest.mark.parametrize(("scale", "keeps_ratio"), [(0.0, True), (-1.0, True), (0.5, False), ((-1, 64), False)])
def test_resized_shape_refuses_what_has_no_size(scale: Scale, keeps_ratio: bool) -> None:
    with pytest.raises(ValueError, match="scale"):
        resized_shape((100, 100), scale, keeps_ratio)


def test_resize_multiplies_by_factors_in_single_precision() -> None:
    found = resize(BODY, (56, 56), keeps_ratio=False)

    factors = np.float32(56 / 640), np.float32(56 / 480)
    np.testing.assert_array_equal(found.xy[0, 0, 1], [np.float32(140) * factors[0], np.float32(170) * factors[1]])
    assert found.xy.dtype == np.float32
    assert found.shape_hw == (56, 56)


def test_flip_mirrors_x_swaps_sides_and_keeps_missing_joints() -> None:
    source = clip([(100, 50), (140, 170), (0, 20)])

    found = flip(source, [(1, 2)])

    np.testing.assert_array_equal(found.xy[0, 0], [[540, 50], [0, 20], [500, 170]])
    assert found.score is not None
    np.testing.assert_allclose(found.score[0, 0], [0.1, 0.9, 0.5])


def test_flip_twice_changes_nothing() -> None:
    source = clip([(joint + 1, 2 * joint) for joint in range(17)])

    found = flip(flip(source, COCO17.pairs), COCO17.pairs)

    np.testing.assert_array_equal(found.xy, source.xy)
    np.testing.assert_array_equal(found.score, source.score)


def test_random_flip_draws_one_number_each_time() -> None:
    generator, same = np.random.RandomState(3), np.random.RandomState(3)

    found = [random_flip(BODY, generator, ratio)[1] for ratio in (0.5, 0.5, 0.5, 0.0, 1.0)]

    # 0.55, 0.71, 0.29, ...
    assert found == [False, False, True, False, True]
    assert generator.rand() == same.rand(6)[-1]


def test_random_box_draws_top_before_left_and_never_the_last_place() -> None:
    boxes = [random_box((22, 32), 20, np.random.RandomState(seed)) for seed in range(40)]

    generator = np.random.RandomState(0)
    top, left = generator.randint(0, 2), generator.randint(0, 12)
    assert boxes[0] == Box(left, top, left + 20, top + 20)
    assert {box.top for box in boxes} == {0, 1}
    assert max(box.right for box in boxes) < 32
    assert random_box((20, 20), 20, np.random.RandomState(0)) == Box(0, 0, 20, 20)


def test_random_box_refuses_a_picture_that_is_too_small() -> None:
    with pytest.raises(ValueError, match="a crop of 30 pixels in a picture of 40 x 20"):
        random_box((20, 40), 30, np.random.RandomState(0))


def test_random_resized_box_draws_shapes_then_areas_then_places() -> None:
    shape_hw = (60, 90)
    generator, places = np.random.RandomState(7), random.Random(8)
    shape = np.exp(generator.uniform(np.log(0.75), np.log(4 / 3), 10))[0]
    area = generator.uniform(0.25, 0.5, 10)[0] * 5400
    width, height = round(np.sqrt(area * shape)), round(np.sqrt(area / shape))
    left, top = places.randint(0, 90 - width), places.randint(0, 60 - height)

    found = random_resized_box(shape_hw, np.random.RandomState(7), random.Random(8), (0.25, 0.5))

    assert found == Box(left, top, left + width, top + height)


def test_random_resized_box_takes_the_middle_square_when_nothing_fits() -> None:
    found = random_resized_box((20, 101), np.random.RandomState(0), random.Random(0), (1.0, 1.0), (1.0, 1.0))

    assert found == Box(40, 0, 60, 20)


@pytest.mark.parametrize(
    ("size_wh", "box"),
    [((20, 10), Box(40, 20, 60, 30)), ((21, 11), Box(39, 19, 60, 30)), ((120, 10), Box(-10, 20, 110, 30))],
)
def test_centre_box_is_in_the_middle(size_wh: tuple[int, int], box: Box) -> None:
    assert centre_box((50, 100), size_wh) == box
