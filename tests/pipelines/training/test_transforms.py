from pathlib import Path

import numpy as np
import pytest

from pipelines.training.datasets import load_set
from pipelines.training.labels import load_labels
from pipelines.training.transforms import Camera, fill, find_fall, project, rotation, tip, tip_flat
from tests.pipelines.training.bodies import body, picture


def _camera(azimuth_deg: float = 0, elevation_deg: float = 0, distance_m: float = 4) -> Camera:
    zero = np.zeros(1)
    return Camera(
        np.radians([azimuth_deg]), np.radians([elevation_deg]), zero, np.array([distance_m]), np.zeros((1, 2))
    )


def test_project_does_not_mirror_a_person_who_faces_the_camera() -> None:
    flat = project(body()[None], _camera())[0, 0]

    left, right = flat[5], flat[6]
    assert left[0] > right[0], "the left shoulder of someone who faces us is on the right of the picture"
    assert flat[0, 1] < flat[15, 1], "the head is above the feet, y down"


def test_project_mirrors_left_and_right_when_seen_from_behind() -> None:
    flat = project(body()[None], _camera(azimuth_deg=180))[0, 0]

    assert flat[5, 0] < flat[6, 0]


def test_project_shrinks_with_distance() -> None:
    near, far = (project(body()[None], _camera(distance_m=d))[0, 0] for d in (3, 6))

    height = [np.ptp(flat[:, 1]) for flat in (near, far)]
    assert height[0] / height[1] == pytest.approx(2, rel=0.1)


def test_project_from_above_shortens_a_standing_body() -> None:
    level, above = (project(body()[None], _camera(elevation_deg=e))[0, 0] for e in (0, 60))

    assert np.ptp(above[:, 1]) < 0.7 * np.ptp(level[:, 1])


def test_rotation_by_a_quarter_turn_about_x_takes_y_to_z() -> None:
    turned = rotation(np.array([1.0, 0, 0]), np.array(np.pi / 2)) @ np.array([0.0, 1, 0])

    np.testing.assert_allclose(turned, [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize("heading", [0.0, 1.0, 2.5])
def test_tip_by_ninety_degrees_lays_a_body_on_the_ground_and_keeps_its_bones(heading: float) -> None:
    joints = body(3)[None]
    angle = np.full((1, 3), np.pi / 2)

    lying = tip(joints, angle, np.zeros((1, 3)), np.array([heading]))

    assert np.ptp(lying[..., 1]) < 0.6
    thigh = np.linalg.norm(joints[0, 0, 11] - joints[0, 0, 13])
    assert np.linalg.norm(lying[0, 0, 11] - lying[0, 0, 13]) == pytest.approx(thigh, rel=1e-5)
    np.testing.assert_allclose(lying[..., [15, 16], :].mean(axis=2), joints[..., [15, 16], :].mean(axis=2), atol=1e-5)


def test_tip_flat_lays_a_picture_on_its_side() -> None:
    flat = picture(body(2))[None, ..., :2]

    lying = tip_flat(flat, np.full((1, 2), np.pi / 2), np.zeros((1, 2)))

    assert np.ptp(lying[..., 0]) > 2 * np.ptp(lying[..., 1])


def test_fill_draws_a_line_where_a_joint_was_not_seen() -> None:
    joints = np.zeros((5, 1, 2), np.float32)
    joints[:, 0, 0] = [0, 99, 99, 3, 4]
    seen = np.array([[True], [False], [False], [True], [True]])

    assert fill(joints, seen)[:, 0, 0].tolist() == [0, 1, 2, 3, 4]


def _falling(rate_hz: float) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], float, float]:
    """A picture of someone who stands 2 s, falls in 0.6 s, lies 2 s."""
    times = np.arange(0, 4.6, 1 / rate_hz)
    angle = np.clip((times - 2) / 0.6, 0, 1) ** 2 * np.pi / 2
    joints = tip(body(len(times))[None], angle[None], np.zeros((1, len(times))), np.array([np.pi / 2]))[0]
    return picture(joints), 2.0, 2.6


@pytest.mark.parametrize("rate_hz", [10.0, 18.0, 30.0])
def test_find_fall_sees_onset_and_ground_at_any_frame_rate(rate_hz: float) -> None:
    joints, onset_s, ground_s = _falling(rate_hz)

    fall = find_fall(joints, rate_hz)

    assert fall is not None
    assert fall.onset / rate_hz == pytest.approx(onset_s + 0.15, abs=0.25)
    assert fall.ground / rate_hz == pytest.approx(ground_s, abs=0.2)


def test_find_fall_says_none_when_nobody_falls() -> None:
    assert find_fall(picture(body(60)), 20.0) is None


def test_find_fall_agrees_with_the_labels_of_urfd(data_dir: Path) -> None:
    skeletons = load_set(data_dir / "skeleton" / "urfd.pkl")
    excluded = load_labels().require("urfd").exclude_groups
    gaps = []
    for annotation in skeletons.annotations:
        if annotation.label >= 0 or annotation.extra["video"] in excluded:
            continue
        labels = np.asarray(annotation.extra["frame_label"])
        fall = find_fall(annotation.keypoint[0], 30.0)
        if fall is not None and (labels == 2).any():
            gaps.append((fall.ground - int(np.argmax(labels == 2))) / 30.0)

    assert len(gaps) >= 15
    assert abs(float(np.median(gaps))) < 0.5
