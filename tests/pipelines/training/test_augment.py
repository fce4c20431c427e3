import numpy as np
import pytest

from models.arrays import FloatArray
from pipelines.training.augment import (
    Augment,
    Cut,
    centred,
    cut,
    plain_camera,
    random_camera,
    sources_for_falls,
    to_picture,
)
from pipelines.training.config import AugmentConfig
from pipelines.training.corpus import UNKNOWN
from pipelines.training.labels import load_labels
from pipelines.training.transforms import project
from tests.pipelines.training.bodies import body, clip, corpus, waving

TABLE = load_labels()
STILL = AugmentConfig(
    speed=1, low_rate_share=0, noise=0, wobble=0, late_share=0, lost_joints_share=0, lost_frames_share=0, edge_share=0
)  # fmt: skip


def _where(end_s: float, speed: float = 1, step: float = 1, held_valid: bool = True) -> Cut:
    one = np.ones(1, np.float32)
    return Cut(one * end_s, one * speed, one * step, np.array([held_valid]))


def _counting(num_frames: int = 60) -> FloatArray:
    """Joints whose x is the number of the frame."""
    joints = body(num_frames)
    joints[..., 0] = np.arange(num_frames)[:, None]
    return joints


@pytest.mark.parametrize("rate_hz", [10.0, 15.0, 30.0])
def test_cut_resamples_by_time_at_any_rate(rate_hz: float) -> None:
    pieces = corpus(clip(0, _counting(120), rate_hz=rate_hz))

    windows = cut(pieces, np.array([0]), _where(end_s=2.5), num_frames=30, rate_hz=15.0)

    expected = (2.5 - (29 - np.arange(30)) / 15) * rate_hz
    inside = expected >= 0
    np.testing.assert_allclose(windows.joints[0, inside, 0, 0], expected[inside], atol=1e-3)


def test_cut_holds_the_ends_of_a_short_clip_and_can_call_them_unseen() -> None:
    pieces = corpus(clip(0, _counting(10), rate_hz=10))

    windows = cut(pieces, np.array([0]), _where(end_s=1.5, held_valid=False), num_frames=30, rate_hz=15.0)

    assert windows.joints[0, 0, 0, 0] == 0
    assert windows.joints[0, -1, 0, 0] == 9
    assert not windows.valid[0, 0]
    assert windows.valid[0, 15]


def test_cut_with_a_coarse_step_is_what_a_slower_camera_would_give() -> None:
    joints = body(60)
    joints[..., 0] = np.sin(np.arange(60) / 5)[:, None]
    pieces = corpus(clip(0, joints, rate_hz=15))

    windows = cut(pieces, np.array([0]), _where(end_s=3, step=3), num_frames=30, rate_hz=15.0)

    second = np.diff(windows.joints[0, :, 0, 0], n=2)
    assert (np.abs(second) < 1e-5).sum() >= 15, "linear between the frames that the slow camera had"


def test_centred_window_is_the_same_every_time() -> None:
    pieces = corpus(clip(0), clip(1, waving(80, 0)))
    rows = np.arange(2)

    first, second = (centred(pieces, rows, 2.0) for _ in range(2))

    np.testing.assert_array_equal(first.end_s, second.end_s)
    assert (first.speed == 1).all()


def test_to_picture_leaves_2d_and_projects_3d() -> None:
    flat, deep = clip(0, is_3d=False), clip(0)
    pieces = corpus(flat, deep)
    windows = cut(pieces, np.arange(2), centred(pieces, np.arange(2), 2.0), 30, 15.0)

    keypoints = to_picture(windows, plain_camera(2))

    np.testing.assert_allclose(keypoints[0, 0, :, :2], flat.joints[0, :, :2], atol=1e-4)
    np.testing.assert_allclose(keypoints[1, ..., :2], project(windows.joints[1:], plain_camera(1))[0], atol=1e-4)


@pytest.mark.parametrize("is_3d", [True, False])
def test_tipped_windows_are_falls_or_lying_and_end_low(is_3d: bool) -> None:
    pieces = corpus(clip(TABLE.index("stand"), is_3d=is_3d))
    augment = Augment(STILL, TABLE, 30, 15.0)
    index = np.zeros(200, np.int64)

    keypoints, _, label, _ = augment(pieces, index, np.ones(200, np.bool_), np.random.default_rng(0))

    assert set(label.tolist()) == {TABLE.index("fall"), TABLE.index("lie")}
    lying = keypoints[label == TABLE.index("lie")]
    upright = np.abs(lying[:, -1, [5, 6], 1].mean(axis=1) - lying[:, -1, [15, 16], 1].mean(axis=1))
    length = np.ptp(lying[:, -1, :, :2], axis=1).max(axis=1)
    assert np.median(upright / length) < 0.7
    falls = keypoints[label == TABLE.index("fall")]
    drop = falls[:, -1, [5, 6], 1].mean(axis=1) - falls[:, 0, [5, 6], 1].mean(axis=1)
    assert np.mean(drop > 0) > 0.9, "y points down: the shoulders end lower than they began"


def test_untipped_windows_keep_their_label_and_the_partial_one() -> None:
    pieces = corpus(clip(UNKNOWN, not_fall=True, denied=(7,)), clip(3))
    augment = Augment(AugmentConfig(), TABLE, 30, 15.0)

    keypoints, valid, label, denied = augment(pieces, np.array([0, 1]), np.zeros(2, np.bool_), np.random.default_rng(0))

    assert label.tolist() == [UNKNOWN, 3]
    assert denied.tolist() == [1 << 7, 0]
    assert keypoints.shape == (2, 30, 17, 3)
    assert valid.shape == (2, 30)
    assert np.isfinite(keypoints).all()


def test_augment_is_the_same_for_the_same_generator() -> None:
    pieces = corpus(clip(0), clip(1, is_3d=False))
    augment = Augment(AugmentConfig(), TABLE, 30, 15.0)
    index, tipped = np.array([0, 1, 0, 1]), np.array([True, False, False, True])

    first, second = (augment(pieces, index, tipped, np.random.default_rng(5))[0] for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_augment_does_not_write_into_the_corpus() -> None:
    pieces = corpus(clip(0), clip(1, is_3d=False))
    before = pieces.joints.copy()

    Augment(AugmentConfig(), TABLE, 30, 15.0)(
        pieces, np.array([0, 1] * 20), np.array([True, False] * 20), np.random.default_rng(1)
    )

    np.testing.assert_array_equal(pieces.joints, before)


def test_badly_seen_joints_wobble_and_the_others_do_not() -> None:
    pieces = corpus(clip(TABLE.index("stand"), body(80)))
    wobbling = STILL.model_copy(update={"wobble": 0.05, "wobble_share": 1.0})
    augment = Augment(wobbling, TABLE, 30, 15.0)

    keypoints, *_ = augment(pieces, np.zeros(50, np.int64), np.zeros(50, np.bool_), np.random.default_rng(0))

    moved = np.ptp(keypoints[..., 0], axis=1) / np.ptp(keypoints[:, 0, :, 1], axis=1)[:, None]
    assert (moved < 1e-3).mean() == pytest.approx(0.75, abs=0.1)
    assert 0.005 < np.median(moved[moved > 1e-3]) < 0.15


def test_people_who_come_late_are_unseen_at_first_and_never_through_their_fall() -> None:
    pieces = corpus(clip(TABLE.index("stand"), body(80)))
    augment = Augment(STILL.model_copy(update={"late_share": 1.0}), TABLE, 30, 15.0)
    tipped = np.arange(100) % 2 == 0

    keypoints, valid, label, _ = augment(pieces, np.zeros(100, np.int64), tipped, np.random.default_rng(0))

    assert (valid.sum(axis=1) >= 15).all()
    assert (~valid[~tipped, 0]).mean() > 0.8
    for row in np.flatnonzero(label == TABLE.index("fall")):
        first = int(np.argmax(valid[row]))
        height = keypoints[row, :, [5, 6], 1].mean(axis=0) - keypoints[row, :, [15, 16], 1].mean(axis=0)
        assert height[first] == pytest.approx(height[0], rel=0.1), "still upright when first seen"


def test_random_cameras_look_from_all_sides() -> None:
    camera = random_camera(500, AugmentConfig(), np.random.default_rng(0))

    assert np.histogram(camera.azimuth, bins=4, range=(0, 2 * np.pi))[0].min() > 80
    assert camera.distance_m.min() > 2


def test_only_whole_upright_people_are_made_to_fall() -> None:
    legless = clip(TABLE.index("stand"))
    legless.seen[:, 15:] = False
    pieces = corpus(clip(TABLE.index("stand")), clip(TABLE.index("lie")), legless, clip(UNKNOWN, not_fall=True))

    assert sources_for_falls(pieces, TABLE).tolist() == [0]
