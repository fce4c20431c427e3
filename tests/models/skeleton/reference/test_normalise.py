"""Placing bodies in their own frame: the choices that the golden cases do not cover."""

import numpy as np
import pytest

from models.skeleton.reference.normalise import Alignment, normalise_3d

BODY = np.random.default_rng(3).normal(size=(1, 3, 25, 3)) + 2


def test_normalise_3d_only_moves_when_the_spine_is_not_aligned() -> None:
    found = normalise_3d(BODY, Alignment(has_spine=False))

    np.testing.assert_allclose(found, BODY - BODY[0, 0, 1], atol=1e-15)


def test_normalise_3d_only_turns_when_the_centre_is_not_aligned() -> None:
    found = normalise_3d(BODY, Alignment(has_centre=False))

    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), np.linalg.norm(BODY, axis=-1))
    spine = found[0, 0, 1] - found[0, 0, 0]
    assert not np.allclose(found[0, 0, 1], 0)
    assert abs(spine[1]) < np.linalg.norm(spine)


def test_normalise_3d_turns_the_named_axes() -> None:
    found = normalise_3d(BODY, Alignment(z_axis=(2, 3), x_axis=(16, 12)))

    hips = found[0, 0, 16] - found[0, 0, 12]
    np.testing.assert_allclose(hips / np.linalg.norm(hips), [1, 0, 0], atol=1e-12)


def test_normalise_3d_takes_the_last_joint_where_there_are_not_25() -> None:
    found = normalise_3d(BODY[:, :, :20], Alignment(has_spine=False))

    np.testing.assert_allclose(found, BODY[:, :, :20] - BODY[0, 0, 19], atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_normalise_3d_centres_in_the_inputs_dtype(dtype: type[np.floating]) -> None:
    body = BODY.astype(dtype)

    found = normalise_3d(body, Alignment(has_spine=False))

    assert found.dtype == dtype
    np.testing.assert_array_equal(found, body - body[0, 0, 1])


def test_normalise_3d_leaves_an_upright_body_as_it_stands() -> None:
    body = np.zeros((1, 1, 25, 3))
    body[0, 0, 0], body[0, 0, 1] = [0.1, 0.1, -1], [0.1, 0.1, 0]
    body[0, 0, 4], body[0, 0, 8] = [-0.2, 0.1, 0.5], [0.3, 0.1, 0.5]

    found = normalise_3d(body)

    np.testing.assert_allclose(
        found[0, 0, [0, 4, 8]], [[0.0, 0.0, -1.0], [-0.3, 0.0, 0.5], [0.2, 0.0, 0.5]], atol=1e-15
    )


def test_normalise_3d_passes_what_is_too_small_to_be_a_body() -> None:
    speck = np.full((1, 2, 25, 3), 1e-12)

    assert normalise_3d(speck) is speck
