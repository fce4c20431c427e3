"""Heatmaps: the vectorised volume against the rule written out pixel by pixel, and the graph's against both."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.arrays import FloatArray
from models.nets.heatmap_input import KeypointsToHeatmaps
from models.skeleton.heatmaps import (
    COCO17_LIMBS,
    MIN_SCORE,
    SIGMA_PX,
    crop_around,
    joint_heatmaps,
    limb_heatmaps,
    to_heatmap_pixels,
)

SIZE = (24, 20)


def body(seed: int, people: int = 2, frames: int = 3) -> tuple[FloatArray, FloatArray]:
    generator = np.random.default_rng(seed)
    xy = generator.uniform(-3, 26, (people, frames, 17, 2)).astype(np.float32)
    score = generator.uniform(0, 1, (people, frames, 17)).astype(np.float32)
    score[generator.random(score.shape) < 0.2] = 0
    xy[0, 0, 1] = xy[0, 0, 0]  # a limb without length
    return xy, score


def gaussian(height: float, distance2: float) -> float:
    return height * math.exp(-distance2 / 2 / SIGMA_PX**2)


def slow_joint(volume: NDArray[np.float32], at: FloatArray, height: float) -> None:
    if height < MIN_SCORE:
        return
    x, y, reach = float(at[0]), float(at[1]), 3 * SIGMA_PX
    for row in range(max(int(y - reach), 0), min(int(y + reach) + 1, volume.shape[0])):
        for column in range(max(int(x - reach), 0), min(int(x + reach) + 1, volume.shape[1])):
            value = gaussian(height, (column - x) ** 2 + (row - y) ** 2)
            volume[row, column] = max(volume[row, column], value)


def slow_limb(volume: NDArray[np.float32], a: FloatArray, b: FloatArray, heights: tuple[float, float]) -> None:
    if min(heights) < MIN_SCORE:
        return
    length2 = float(((a - b) ** 2).sum())
    if length2 < 1:
        slow_joint(volume, a, heights[0])
        return
    low, high, reach = np.minimum(a, b), np.maximum(a, b), 3 * SIGMA_PX
    for row in range(max(int(low[1] - reach), 0), min(int(high[1] + reach) + 1, volume.shape[0])):
        for column in range(max(int(low[0] - reach), 0), min(int(high[0] + reach) + 1, volume.shape[1])):
            at = np.array([column, row], np.float64)
            share = min(1.0, max(0.0, float((at - a) @ (b - a)) / length2))
            distance2 = float(((at - a - share * (b - a)) ** 2).sum())
            volume[row, column] = max(volume[row, column], gaussian(min(heights), distance2))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_joint_heatmaps_follow_the_rule_pixel_by_pixel(seed: int) -> None:
    xy, score = body(seed)
    expected = np.zeros((17, 3, *SIZE), np.float32)
    for person, frame, joint in np.ndindex(score.shape):
        slow_joint(expected[joint, frame], xy[person, frame, joint], float(score[person, frame, joint]))

    found = joint_heatmaps(xy, score, SIZE)

    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("seed", [0, 1])
def test_limb_heatmaps_follow_the_rule_pixel_by_pixel(seed: int) -> None:
    xy, score = body(seed)
    expected = np.zeros((len(COCO17_LIMBS), 3, *SIZE), np.float32)
    for person, frame in np.ndindex(score.shape[:2]):
        for index, (a, b) in enumerate(COCO17_LIMBS):
            heights = (float(score[person, frame, a]), float(score[person, frame, b]))
            slow_limb(expected[index, frame], xy[person, frame, a], xy[person, frame, b], heights)

    found = limb_heatmaps(xy, score, SIZE)

    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_nobody_gives_an_empty_volume() -> None:
    none = np.zeros((0, 3, 17, 2), np.float32)

    assert joint_heatmaps(none, none[..., 0], SIZE).max() == 0
    assert limb_heatmaps(none, none[..., 0], SIZE).max() == 0


def test_crop_is_square_and_holds_everyone() -> None:
    xy = np.array([[100, 50], [140, 170], [0, 0]], np.float32)

    crop = crop_around(xy, (640, 480))

    assert (crop.left, crop.top, crop.width, crop.height) == (45, 35, 150, 150)


def test_crop_leaves_the_picture_alone_when_the_body_is_tiny() -> None:
    xy = np.array([[100, 50], [105, 58]], np.float32)

    crop = crop_around(xy, (640, 480))

    assert (crop.left, crop.top, crop.width, crop.height) == (0, 0, 640, 480)


def test_height_of_the_crop_counts_when_truncation_makes_it_no_square() -> None:
    # Half a side of 15.625 about (30.5, 40.625): 14..46 wide, 25..56 high.
    xy = np.array([[18, 28.125], [43, 53.125]], np.float32)

    found = to_heatmap_pixels(xy[None, None], (640, 480), (56, 56))

    np.testing.assert_allclose(
        found[0, 0], [[4 * 56 / 32, 3.125 * 56 / 31], [29 * 56 / 32, 28.125 * 56 / 31]], rtol=1e-6
    )


PICTURES = [
    pytest.param((640, 480), 120, (320, 240), id="wide"),
    pytest.param((480, 640), 120, (240, 320), id="portrait"),
    pytest.param((1920, 1080), 400, (960, 500), id="full HD"),
    pytest.param((1080, 1920), 400, (500, 900), id="full HD upright"),
    pytest.param((900, 100), 40, (450, 50), id="a strip"),
    pytest.param((100, 900), 40, (50, 450), id="a strip upright"),
    pytest.param((64, 64), 30, (32, 32), id="small and square"),
    pytest.param((640, 480), 150, (5, 240), id="over the left edge"),
    pytest.param((640, 480), 150, (635, 475), id="over the lower right corner"),
    pytest.param((640, 480), 500, (320, 0), id="bigger than the picture"),
    pytest.param((640, 480), 12, (300, 200), id="small body"),
    pytest.param((640, 480), 3, (300, 200), id="tiny body, wide picture"),
    pytest.param((480, 640), 3, (300, 200), id="tiny body, portrait picture"),
]


@pytest.mark.parametrize("has_limbs", [False, True])
@pytest.mark.parametrize(("size_wh", "body_px", "centre"), PICTURES)
def test_graph_draws_what_numpy_draws(
    size_wh: tuple[int, int], body_px: int, centre: tuple[int, int], has_limbs: bool
) -> None:
    generator = np.random.default_rng(5)
    xy = (generator.uniform(-0.5, 0.5, (2, 4, 17, 2)) * body_px + centre).astype(np.float32)
    xy[0] = np.round(xy[0])  # corners on whole pixels, where rounding would show
    score = generator.uniform(0, 1, (2, 4, 17)).astype(np.float32)
    xy[1, 2, 3], score[1, 2, 3] = 0, 0
    pixels = to_heatmap_pixels(xy, size_wh, (32, 32))
    draw = limb_heatmaps if has_limbs else joint_heatmaps
    network = KeypointsToHeatmaps(32, COCO17_LIMBS if has_limbs else None)
    keypoints = torch.as_tensor(np.concatenate([xy, score[..., None]], axis=-1))[None]

    found = network(keypoints, torch.tensor([size_wh]))

    np.testing.assert_allclose(found[0].numpy(), draw(pixels, score, (32, 32)), atol=2e-5)
    if body_px >= 12:
        np.testing.assert_array_equal(network(keypoints), found)


def test_graph_crops_a_tiny_body_to_ten_pixels_when_it_knows_no_picture() -> None:
    keypoints = torch.zeros(1, 1, 1, 17, 3)
    keypoints[..., 5, :] = torch.tensor([103.0, 58.0, 1.0])
    keypoints[..., 6, :] = torch.tensor([105.0, 60.0, 1.0])

    found = KeypointsToHeatmaps(30)(keypoints)

    # 99..109 by 54..64, three pixels of the map to one of the picture.
    assert found[0, 5, 0, 12, 12] == found[0, 6, 0, 18, 18] == 1
