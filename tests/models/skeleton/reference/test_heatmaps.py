"""Heatmap volumes with the reference's options; the rule itself is tested pixel by pixel in ../test_heatmaps.py."""

import math

import numpy as np
import pytest

from models.skeleton.layouts import COCO17
from models.skeleton.reference.clip import PoseClip
from models.skeleton.reference.heatmaps import (
    COCO17_LIMB_PAIRS,
    COCO17_LIMBS,
    GENERATOR_LIMB_PAIRS,
    GENERATOR_LIMBS,
    Pairs,
    PoseTarget,
    joint_heatmaps,
    mirrored,
    pose_target,
)


def clip(score: float | None = 0.5, at: tuple[float, float] = (8, 6), shape_hw: tuple[int, int] = (16, 24)) -> PoseClip:
    xy = np.zeros((1, 2, 17, 2), np.float32)
    xy[0, :, 5] = at
    scores = np.zeros((1, 2, 17), np.float32)
    scores[0, :, 5] = score or 0
    return PoseClip(xy, None if score is None else scores, shape_hw)


@pytest.mark.parametrize(("sigma_px", "first", "last"), [(0.6, 6, 9), (0.7, 5, 10), (1.2, 4, 11), (2.0, 2, 14)])
def test_a_wider_sigma_draws_a_wider_dot(sigma_px: float, first: int, last: int) -> None:
    found = pose_target(clip(), PoseTarget(sigma_px=sigma_px))

    expected = [0.5 * math.exp(-((column - 8) ** 2) / 2 / sigma_px**2) for column in range(first, last + 1)]
    assert found.shape == (2, 17, 16, 24)
    np.testing.assert_allclose(found[1, 5, 6, first : last + 1], expected, atol=1e-6)
    assert np.count_nonzero(found[1, 5, 6]) == last + 1 - first


def test_scaling_shrinks_picture_and_joints() -> None:
    found = pose_target(clip(at=(9, 6), shape_hw=(17, 26)), PoseTarget(scaling=0.25))

    assert found.shape == (2, 17, 4, 7)
    # The joint is at (2.25, 1.5).
    expected = 0.5 * math.exp(-(0.25**2 + 0.5**2) / 2 / 0.36)
    np.testing.assert_allclose(found[0, 5, [1, 2], 2], expected, atol=1e-6)


def test_peaks_are_one_without_scores_or_when_they_are_not_asked_for() -> None:
    assert pose_target(clip(score=None))[0, 5, 6, 8] == 1
    assert pose_target(clip(), PoseTarget(has_score=False))[0, 5, 6, 8] == 1


def test_scores_under_a_thousandth_draw_nothing() -> None:
    assert pose_target(clip(score=0.00099)).max() == 0
    assert pose_target(clip(score=0.00101)).max() == np.float32(0.00101)


def test_a_double_volume_holds_all_frames_and_then_their_mirror_images() -> None:
    single = pose_target(clip())

    found = pose_target(clip(), PoseTarget(is_double=True))

    assert found.shape == (4, 17, 16, 24)
    np.testing.assert_array_equal(found[:2], single)
    # Pixels swap end for end: column 8 of 24 becomes 15, and the left shoulder's map the right one's.
    assert found[2, 6, 6, 15] == 0.5
    np.testing.assert_array_equal(found[2:, 6], single[:, 5, :, ::-1])
    np.testing.assert_array_equal(found[2:, 5], 0)


@pytest.mark.parametrize(
    ("limbs", "pairs"), [(COCO17_LIMBS, COCO17_LIMB_PAIRS), (GENERATOR_LIMBS, GENERATOR_LIMB_PAIRS)]
)
def test_mirrored_limbs_are_the_limbs_of_the_mirrored_body(limbs: Pairs, pairs: Pairs) -> None:
    generator = np.random.default_rng(0)
    xy = generator.uniform(3, 20, (2, 2, 17, 2)).astype(np.float32)
    score = generator.uniform(0.2, 1, (2, 2, 17)).astype(np.float32)
    # Pixels flip about the middle of the picture, 11.5 of 24 columns; the joints here do the same.
    other = np.concatenate([23 - xy[..., :1], xy[..., 1:]], axis=-1)[:, :, list(COCO17.mirrored)]
    options = PoseTarget(limbs=limbs)

    found = mirrored(pose_target(PoseClip(xy, score, (24, 24)), options), pairs)

    expected = pose_target(PoseClip(other, score[:, :, list(COCO17.mirrored)], (24, 24)), options)
    # A window truncated towards zero is not symmetrical by a pixel, where a Gaussian is 0.011 and less.
    np.testing.assert_allclose(found, expected, atol=0.012)


@pytest.mark.parametrize("limbs", [COCO17_LIMBS, GENERATOR_LIMBS])
def test_limbs_join_the_same_joints_in_either_order(limbs: Pairs) -> None:
    assert sorted(limbs) == sorted(COCO17_LIMBS)
    assert len(limbs) == len(set(limbs)) == len(COCO17)


def test_published_limb_order_starts_at_the_shoulders() -> None:
    first = [(COCO17.joints[a], COCO17.joints[b]) for a, b in COCO17_LIMBS[:3]]

    assert first == [("nose", "left_shoulder"), ("nose", "right_shoulder"), ("left_shoulder", "left_elbow")]


def test_windows_are_found_in_double_precision() -> None:
    # In single precision 2.8 - 1.8 is 1 and the dot would lose its first pixel; in double it is less.
    found = joint_heatmaps(np.full((1, 1, 1, 2), 2.8, np.float32), np.ones((1, 1, 1), np.float32), (6, 6))

    assert found[0, 0, 3, 0] > 0
