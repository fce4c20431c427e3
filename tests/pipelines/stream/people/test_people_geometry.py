"""Boxes, motion, torso colour and hypotheses: the arithmetic under tracking and pose."""

import numpy as np
import pytest

from pipelines.stream.people.appearance import blend, colour_distance, torso_colour
from pipelines.stream.people.boxes import (
    cover_matrix,
    inside_share,
    iou_matrix,
    joint_box,
    square_region,
    unite,
)
from pipelines.stream.people.kalman import COAST_S, BoxKalman
from pipelines.stream.people.pose_hypothesis import PoseHypothesis, joint_distance
from tests.people_fakes import Person, World


def hypothesis(person: Person, presence: float = 0.99) -> PoseHypothesis:
    region = square_region(person.xyxy, person.turn)
    return PoseHypothesis(region, person.keypoints, presence, region)


@pytest.mark.parametrize(
    ("other", "iou", "cover"),
    [((0, 0, 10, 10), 1.0, 1.0), ((5, 0, 15, 10), 1 / 3, 0.5), ((20, 20, 30, 30), 0.0, 0.0), ((0, 0, 20, 10), 0.5, 1.0),
     ((3, 3, 3, 9), 0.0, 0.0)],
    ids=["same", "half", "apart", "inside", "empty"],
)  # fmt: skip
def test_overlap_of_two_boxes(other: tuple[int, int, int, int], iou: float, cover: float) -> None:
    box, others = np.array([[0, 0, 10, 10]], np.float32), np.array([other], np.float32)

    assert iou_matrix(box, others)[0, 0] == pytest.approx(iou)
    assert cover_matrix(box, others)[0, 0] == pytest.approx(cover)


def test_matrices_of_no_boxes_are_empty() -> None:
    assert iou_matrix(np.zeros((0, 4), np.float32), np.zeros((3, 4), np.float32)).shape == (0, 3)


def test_joint_box_leaves_out_invisible_joints_and_is_wider_than_the_joints() -> None:
    keypoints = Person((300, 240)).keypoints
    keypoints[16] = (900, 900, 0.05)

    box = joint_box(keypoints)

    assert box[2] < 400
    assert box[0] < keypoints[:16, 0].min()


def test_joint_box_uses_all_joints_when_none_is_good() -> None:
    keypoints = Person((300, 240)).keypoints
    keypoints[:, 2] = 0.1

    np.testing.assert_allclose(joint_box(keypoints), Person((300, 240)).xyxy)


def test_unite_and_inside_share() -> None:
    united = unite(np.array([[0, 0, 10, 10], [20, -10, 40, 5]], np.float32))

    np.testing.assert_allclose(united, [0, -10, 40, 10])
    assert inside_share(united, (20, 100)) == pytest.approx(0.25)


@pytest.mark.parametrize("rate_hz", [8.0, 18.0, 30.0])
def test_motion_predicts_a_steady_walk_at_each_rate(rate_hz: float) -> None:
    """100 px per second for two seconds, then half a second unseen."""
    kalman = BoxKalman(np.array([0, 0, 50, 150], np.float32), 0.0)
    for frame in range(1, int(2 * rate_hz) + 1):
        kalman.predict(frame / rate_hz)
        kalman.update(
            np.array([0, 0, 50, 150], np.float32) + np.array([100, 0, 100, 0], np.float32) * np.float32(frame / rate_hz)
        )

    seen_s = int(2 * rate_hz) / rate_hz
    kalman.predict(seen_s + 0.4)

    assert kalman.xyxy[0] == pytest.approx(100 * (seen_s + 0.4), abs=4)
    assert kalman.moved_px[0] == pytest.approx(40, abs=4)


def test_motion_walks_on_behind_somebody_and_then_rests() -> None:
    kalman = BoxKalman(np.array([0, 0, 50, 150], np.float32), 0.0)
    for frame in range(1, 21):
        kalman.predict(frame / 20)
        kalman.update(np.array([5.0 * frame, 0, 50 + 5.0 * frame, 150], np.float32))

    kalman.predict(1.4)
    kalman.coast(unseen_s=0.4)
    walked_on = kalman.xyxy
    kalman.coast(unseen_s=COAST_S + 0.1)
    kalman.predict(3.0)

    assert walked_on[0] == pytest.approx(140, abs=4)
    np.testing.assert_allclose(kalman.xyxy, walked_on)


def test_motion_ignores_time_that_runs_back() -> None:
    kalman = BoxKalman(np.array([0, 0, 50, 150], np.float32), 5.0)

    kalman.predict(1.0)

    np.testing.assert_allclose(kalman.xyxy, [0, 0, 50, 150])


@pytest.mark.parametrize("turn", [0.0, np.pi / 2], ids=["standing", "lying"])
def test_torso_colour_is_the_same_for_one_person_and_far_for_two(turn: float) -> None:
    red, same, green = (Person((x, 240), turn=turn, colour=colour) for x, colour in
                        [(150, (40, 40, 200)), (320, (40, 40, 200)), (500, (30, 200, 30))])  # fmt: skip
    image = World(lambda moment: [red, same, green]).picture(0)

    colours = [torso_colour(image, person.keypoints) for person in (red, same, green)]

    assert colours[0] is not None
    assert colours[1] is not None
    assert colours[2] is not None
    assert colour_distance(colours[0], colours[1]) < 0.1
    assert colour_distance(colours[0], colours[2]) > 0.55
    assert blend(colours[0], colours[2]).sum() == pytest.approx(1, abs=1e-5)


def test_torso_outside_the_picture_has_no_colour() -> None:
    image = World(lambda moment: []).picture(0)

    assert torso_colour(image, Person((-300, 240)).keypoints) is None


def test_torso_seen_from_the_side_still_has_a_colour() -> None:
    keypoints = Person((320, 240)).keypoints
    keypoints[[5, 6, 11, 12], 0] = 320

    assert torso_colour(World(lambda moment: [Person((320, 240))]).picture(0), keypoints) is not None


@pytest.mark.parametrize(("degrees", "lying"), [(0, False), (45, False), (90, True), (-90, True), (180, True)])
def test_hypothesis_knows_whether_the_body_lies(degrees: float, lying: bool) -> None:
    assert hypothesis(Person((320, 240), turn=np.deg2rad(degrees))).is_lying is lying


def test_selection_rewards_evidence_and_the_detected_box() -> None:
    person = Person((320, 240))

    sure, unsure = hypothesis(person), hypothesis(person, presence=0.5)

    assert sure.evidence > unsure.evidence
    assert unsure.evidence == pytest.approx(4 * 0.95, abs=1e-3)
    assert sure.selection(person.xyxy) == pytest.approx(sure.selection(None) + 2)


def test_joint_distance_tells_one_body_from_two() -> None:
    first, second = Person((320, 240)), Person((330, 240))

    assert joint_distance(first.keypoints, first.keypoints) == 0
    assert joint_distance(first.keypoints, second.keypoints) == pytest.approx(10 / 199, rel=0.01)
