"""Pictures that are cut, padded and scaled together with the joints in them."""

import numpy as np
import pytest

from models.skeleton.reference.clip import PoseClip
from models.skeleton.reference.crops import Box, Compact
from models.skeleton.reference.pictures import compact_both, cut, normalise_pictures, pad_both, to_picture

PICTURE = np.arange(20 * 30 * 3, dtype=np.uint16).reshape(20, 30, 3) + 1
CLIP = PoseClip(np.array([[[[2, 5], [14, 17], [0, 0]]]], np.float32), None, (20, 30))


def test_cut_shows_black_outside_the_picture() -> None:
    found = cut(PICTURE, Box(-2, 15, 3, 22))

    assert found.shape == (7, 5, 3)
    np.testing.assert_array_equal(found[:5, 2:], PICTURE[15:20, 0:3])
    np.testing.assert_array_equal(found[:, :2], 0)
    np.testing.assert_array_equal(found[5:], 0)


def test_compact_both_cuts_joints_and_pictures_alike() -> None:
    found, (picture,) = compact_both(CLIP, [PICTURE])

    # Centre (8, 11), half a side of 7.5.
    assert picture.shape[:2] == found.shape_hw == (15, 15)
    np.testing.assert_array_equal(found.xy[0, 0], [[2, 2], [14, 14], [0, 0]])
    np.testing.assert_array_equal(picture[2, 2], PICTURE[5, 2])


def test_compact_both_keeps_the_whole_picture_of_a_tiny_body() -> None:
    found, (picture,) = compact_both(CLIP, [PICTURE], Compact(threshold_px=13, hw_ratio=1.0))

    assert found.shape_hw == (20, 30)
    np.testing.assert_array_equal(picture, PICTURE)


def test_pad_both_adds_grey_until_the_shape_is_right() -> None:
    found, (picture,) = pad_both(CLIP, [PICTURE], hw_ratio=1.0)

    assert picture.shape[:2] == found.shape_hw == (30, 30)
    np.testing.assert_array_equal(found.xy[0, 0], [[2, 10], [14, 22], [0, 5]])
    np.testing.assert_array_equal(picture[10, 2], PICTURE[5, 2])
    np.testing.assert_array_equal(picture[[0, 4, 25, 29]], 127)


def test_pad_both_grows_both_sides() -> None:
    found, (picture,) = pad_both(CLIP, [PICTURE], padding=0.25)

    assert picture.shape[:2] == found.shape_hw == (25, 38)
    np.testing.assert_array_equal(found.xy[0, 0, 0], [6, 7])
    np.testing.assert_array_equal(picture[7, 6], PICTURE[5, 2])


def test_to_picture_scales_joints_to_the_decoded_size() -> None:
    found = to_picture(CLIP, (40, 45))

    np.testing.assert_array_equal(found.xy[0, 0, 1], [21, 34])
    assert found.shape_hw == (40, 45)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_normalise_pictures_centres_and_scales_each_colour(value: int) -> None:
    found = normalise_pictures(np.full((2, 4, 5, 3), value, np.uint8))

    expected = (value - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[1, 2, 3], expected, rtol=3e-7, atol=3e-7)
