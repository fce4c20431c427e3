import numpy as np
import pytest

from models.arrays import BoolArray, FloatArray
from models.errors import ContractMismatch
from models.skeleton.features import EVERYDAY13_CHANNELS, everyday13, require_features


def _window(seed: int = 0, T: int = 30) -> tuple[FloatArray, BoolArray]:
    """A swaying body of about 100 px with a torso of 40 px."""
    generator = np.random.default_rng(seed)
    body = generator.normal(0, 15, (17, 2))
    body[[5, 6], 1], body[[11, 12], 1] = -40, 0
    body[[5, 6, 11, 12], 0] = -8, 8, -8, 8
    sway = np.cumsum(generator.normal(0, 1, (T, 17, 2)), axis=0)
    keypoints = np.concatenate([body + sway + 200, np.ones((T, 17, 1))], axis=-1)
    return keypoints.astype(np.float32), np.ones(T, np.bool_)


def test_everyday13_is_the_same_when_the_person_is_elsewhere_and_larger() -> None:
    keypoints, valid = _window()
    moved = keypoints.copy()
    moved[..., :2] = keypoints[..., :2] * 3 + [500, -70]

    np.testing.assert_allclose(everyday13(moved, valid), everyday13(keypoints, valid), atol=1e-4)


def test_everyday13_batch_equals_its_rows() -> None:
    rows = [_window(seed) for seed in range(3)]
    batch = everyday13(np.stack([k for k, _ in rows]), np.stack([v for _, v in rows]))

    for index, (keypoints, valid) in enumerate(rows):
        np.testing.assert_allclose(batch[index], everyday13(keypoints, valid), atol=1e-6)


def test_everyday13_keeps_the_path_of_the_body() -> None:
    keypoints, valid = _window()
    keypoints[:] = keypoints[0]
    keypoints[..., 0] += np.arange(30, dtype=np.float32)[:, None] * 4

    x, dx = everyday13(keypoints, valid)[..., 0], everyday13(keypoints, valid)[..., 2]

    assert np.all(np.diff(x, axis=0) > 0)
    np.testing.assert_allclose(dx[1:], dx[1, 0], atol=1e-4)
    assert np.all(dx[0] == 0)


def test_everyday13_interpolates_a_joint_between_the_frames_that_saw_it() -> None:
    keypoints, valid = _window()
    whole = everyday13(keypoints, valid)
    keypoints[10:13, 9, 2] = 0.1
    keypoints[10:13, 9, :2] = -999

    features = everyday13(keypoints, valid)

    assert np.all(features[10:13, 5, 4] == 0)
    assert np.all(features[9, 5, 4] == 1)
    expected = whole[9, 5, :2] + (whole[13, 5, :2] - whole[9, 5, :2]) * 0.5
    np.testing.assert_allclose(features[11, 5, :2], expected, atol=1e-4)


def test_everyday13_holds_the_ends_when_frames_are_not_valid() -> None:
    keypoints, valid = _window()
    valid[:8], valid[27:] = False, False

    features = everyday13(keypoints, valid)

    assert not features[:8, :, 4].any()
    np.testing.assert_allclose(features[:8, :, :2], np.broadcast_to(features[8, :, :2], (8, 13, 2)), atol=1e-5)
    assert not features[28:, :, 2:4].any()


def test_everyday13_joint_never_seen_is_zero() -> None:
    keypoints, valid = _window()
    keypoints[:, 0, 2] = 0

    assert not everyday13(keypoints, valid)[:, 0].any()


@pytest.mark.parametrize(
    ("keypoints", "valid"),
    [
        (np.zeros((0, 30, 17, 3), np.float32), np.zeros((0, 30), np.bool_)),
        (np.zeros((2, 30, 17, 3), np.float32), np.ones((2, 30), np.bool_)),
        (np.ones((2, 30, 17, 3), np.float32), np.zeros((2, 30), np.bool_)),
        (np.full((2, 30, 17, 3), 7, np.float32), np.ones((2, 30), np.bool_)),
    ],
    ids=["no windows", "nothing seen", "nothing valid", "all joints in one point"],
)
def test_everyday13_is_finite_when_there_is_nothing_to_measure(keypoints: FloatArray, valid: BoolArray) -> None:
    features = everyday13(keypoints, valid)

    assert features.shape == (*keypoints.shape[:2], 13, EVERYDAY13_CHANNELS)
    assert np.isfinite(features).all()


def test_require_features_names_what_there_is_when_unknown() -> None:
    assert require_features("everyday13") is everyday13
    with pytest.raises(ContractMismatch, match="'x' are not one of everyday13"):
        require_features("x")
