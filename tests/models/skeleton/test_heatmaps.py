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

    crop, ratio = crop_around(xy, (640, 480))

    assert (crop.left, crop.top, crop.side, ratio) == (45.0, 35.0, 150.0, 1.0)


def test_crop_leaves_the_picture_alone_when_the_body_is_tiny() -> None:
    xy = np.array([[100, 50], [105, 58]], np.float32)

    crop, ratio = crop_around(xy, (640, 480))

    assert (crop.left, crop.top, crop.side, ratio) == (0.0, 0.0, 640.0, 0.75)


@pytest.mark.parametrize("has_limbs", [False, True])
def test_graph_draws_what_numpy_draws(has_limbs: bool) -> None:
    generator = np.random.default_rng(5)
    xy = generator.uniform(60, 300, (2, 4, 17, 2)).astype(np.float32)
    score = generator.uniform(0, 1, (2, 4, 17)).astype(np.float32)
    xy[1, 2, 3], score[1, 2, 3] = 0, 0
    pixels = to_heatmap_pixels(xy, (640, 480), (32, 32))
    draw = limb_heatmaps if has_limbs else joint_heatmaps
    network = KeypointsToHeatmaps(32, COCO17_LIMBS if has_limbs else None)

    found = network(torch.as_tensor(np.concatenate([xy, score[..., None]], axis=-1))[None])

    np.testing.assert_allclose(found[0].numpy(), draw(pixels, score, (32, 32)), atol=1e-4)
