"""Random changes of skeletons: what is drawn, in which order, and what it does."""

import numpy as np
import pytest

from models.skeleton.reference.augment import random_noise, random_rotation, random_scale


def test_rotation_in_three_dimensions_turns_about_x_then_y_then_z() -> None:
    angles = np.random.RandomState(4).uniform(-0.3, 0.3, 3)
    point = np.array([0.3, -0.2, 0.7])
    expected = point.copy()
    for (a, b), angle in zip([(1, 2), (2, 0), (0, 1)], angles, strict=True):
        first, second = expected[a], expected[b]
        expected[a] = np.cos(angle) * first + np.sin(angle) * second
        expected[b] = -np.sin(angle) * first + np.cos(angle) * second

    found = random_rotation(np.tile(point, (2, 3, 4, 1)), np.random.RandomState(4))

    np.testing.assert_allclose(found, np.tile(expected, (2, 3, 4, 1)), atol=1e-15)


def test_rotation_in_the_plane_draws_up_to_one_radian() -> None:
    angle = np.random.RandomState(4).uniform(-0.3, 1.0)

    found = random_rotation(np.tile([1.0, 0.0], (1, 2, 3, 1)), np.random.RandomState(4), theta=0.3)

    assert angle > 0.3
    np.testing.assert_allclose(found, np.tile([np.cos(angle), np.sin(angle)], (1, 2, 3, 1)))


def test_rotation_of_nothing_draws_nothing() -> None:
    generator, nothing = np.random.RandomState(4), np.full((1, 2, 3, 3), 1e-9)

    assert random_rotation(nothing, generator) is nothing
    assert generator.rand() == np.random.RandomState(4).rand()


def test_rotation_refuses_features_side_by_side() -> None:
    with pytest.raises(ValueError, match="6 values per joint"):
        random_rotation(np.ones((1, 2, 3, 6)), np.random.RandomState(0))


@pytest.mark.parametrize(("scale", "reach"), [(0.2, [0.2, 0.2, 0.2]), ((0.1, 0.0, 0.3), [0.1, 0.0, 0.3])])
def test_scale_draws_one_factor_per_value(scale: float | tuple[float, ...], reach: list[float]) -> None:
    factors = 1 + np.random.RandomState(9).uniform(-1, 1, 3) * np.array(reach)

    found = random_scale(np.ones((2, 2, 4, 3), np.float32), np.random.RandomState(9), scale)

    np.testing.assert_array_equal(found, np.tile(factors, (2, 2, 4, 1)))


def test_scale_refuses_another_number_of_factors() -> None:
    with pytest.raises(ValueError, match="2 scales for 3 values"):
        random_scale(np.ones((1, 1, 1, 3)), np.random.RandomState(0), (0.1, 0.2))


def test_noise_is_measured_by_each_bodys_diagonal() -> None:
    bodies = np.zeros((1, 3, 2, 2))
    bodies[0, 0] = [[1, 1], [4, 5]]  # a diagonal of 5
    bodies[0, 1] = [[1.0, 1.0], [1.6, 1.8]]  # a diagonal of 1
    generator = np.random.RandomState(2)
    lengths = generator.randn(3, 2) * 0.01 * np.array([[5], [1], [0]])
    directions = generator.uniform(-1, 1, (2, 6))
    directions /= np.linalg.norm(directions, axis=0)

    found = random_noise(bodies, np.random.RandomState(2))

    np.testing.assert_allclose(found - bodies, (directions * lengths.reshape(-1)).T.reshape(1, 3, 2, 2), atol=1e-15)
    np.testing.assert_array_equal(found[0, 2], 0)


def test_noise_of_a_video_is_measured_by_everything_in_it() -> None:
    bodies = np.zeros((1, 3, 2, 2))
    bodies[0, 0], bodies[0, 1] = [[1, 1], [2, 2]], [[3, 3], [4, 5]]

    found = random_noise(bodies, np.random.RandomState(2), 0.1, base="video")

    lengths = np.random.RandomState(2).randn(3, 2)
    np.testing.assert_allclose(
        np.linalg.norm(found - bodies, axis=-1)[0], np.abs(lengths) * 0.1 * np.array([[5], [5], [0]])
    )


def test_shared_noise_is_the_same_in_every_frame() -> None:
    bodies = np.random.default_rng(0).uniform(1, 2, (2, 3, 5, 3))
    generator = np.random.RandomState(2)
    lengths, directions = generator.randn(5), generator.uniform(-1, 1, (3, 5))

    moved = random_noise(bodies, np.random.RandomState(2), 0.1, base="video", is_shared=True) - bodies

    np.testing.assert_allclose(moved, np.broadcast_to(moved[0, 0], moved.shape), atol=1e-12)
    diagonal = np.linalg.norm(bodies.max(axis=(0, 1, 2)) - bodies.min(axis=(0, 1, 2)))
    expected = directions / np.linalg.norm(directions, axis=0) * lengths * 0.1 * diagonal
    np.testing.assert_allclose(moved[0, 0].T, expected, atol=1e-12)


def test_noise_refuses_what_has_no_meaning() -> None:
    with pytest.raises(ValueError, match="base 'video'"):
        random_noise(np.ones((1, 1, 1, 2)), np.random.RandomState(0), is_shared=True)
    with pytest.raises(ValueError, match="nobody"):
        random_noise(np.zeros((1, 1, 1, 2)), np.random.RandomState(0), base="video")
