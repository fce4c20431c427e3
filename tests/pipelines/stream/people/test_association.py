"""Boxes go to the tracks they belong to; left-over boxes start a track only when they may be somebody."""

import numpy as np
import pytest

from models.arrays import FloatArray
from pipelines.stream.config import TrackConfig
from pipelines.stream.people.association import Expected, associate, gather_pieces, joints_inside
from pipelines.stream.people.track_birth import Rejections, find_births
from pipelines.types import Boxes
from tests.people_fakes import Person


def expect(
    people: list[Person], *, missing: tuple[int, ...] = (), on_trial: tuple[int, ...] = (), joints: bool = True
) -> Expected:
    rows = range(len(people))
    keypoints = np.array([person.keypoints for person in people], np.float32).reshape(-1, 17, 3)
    return Expected(
        xyxy_of(people),
        keypoints if joints else np.zeros_like(keypoints),
        np.array([row in missing for row in rows], bool),
        np.array([row not in on_trial for row in rows], bool),
    )


def xyxy_of(people: list[Person]) -> FloatArray:
    return np.array([person.xyxy for person in people], np.float32).reshape(-1, 4)


def boxes_of(*rows: tuple[float, float, float, float, float]) -> Boxes:
    array = np.array(rows, np.float32).reshape(-1, 5)
    return Boxes(array[:, :4], array[:, 4])


def test_each_track_gets_its_own_box() -> None:
    people = [Person((100, 200)), Person((300, 200)), Person((500, 200))]
    moved = [Person((510, 205)), Person((110, 205)), Person((290, 205))]

    pairs = associate(expect(people), Boxes(xyxy_of(moved), np.full(3, 0.9, np.float32)), 0.5, 0.2)

    assert pairs == {0: 1, 1: 2, 2: 0}


def test_strong_box_comes_before_a_weak_one_that_fits_better() -> None:
    person = Person((300, 240))
    left, top, right, bottom = (float(side) for side in person.xyxy)
    found = boxes_of((left, top, right, bottom, 0.3), (left + 12, top, right + 12, bottom, 0.9))

    assert associate(expect([person]), found, 0.5, 0.2) == {0: 1}


def test_weak_box_keeps_a_track_that_no_strong_box_fits() -> None:
    people = [Person((100, 240)), Person((400, 240))]
    found = Boxes(xyxy_of(people), np.array([0.9, 0.2], np.float32))

    assert associate(expect(people), found, 0.5, 0.2) == {0: 0, 1: 1}


def test_track_on_trial_chooses_after_the_shown_ones() -> None:
    shown, newcomer = Person((300, 240)), Person((305, 240))
    found = Boxes(newcomer.xyxy[None], np.array([0.9], np.float32))

    assert associate(expect([newcomer, shown], on_trial=(0,)), found, 0.5, 0.2) == {1: 0}


@pytest.mark.parametrize(("joints", "chosen"), [(True, 1), (False, 0)], ids=["joints known", "joints unknown"])
def test_joints_choose_the_box_that_holds_the_body(joints: bool, chosen: int) -> None:
    person = Person((300, 240))
    left, top, right, bottom = (float(side) for side in person.xyxy)
    legs = (left, top + 0.45 * (bottom - top), right, bottom, 0.6)
    whole_but_wide = (left - 60, top, right + 25, bottom, 0.6)

    assert associate(expect([person], joints=joints), boxes_of(legs, whole_but_wide), 0.5, 0.2) == {0: chosen}


@pytest.mark.parametrize(("missing", "pairs"), [((), {}), ((0,), {0: 0})], ids=["seen", "missing"])
def test_missing_person_may_have_changed_shape(missing: tuple[int, ...], pairs: dict[int, int]) -> None:
    standing = Person((300, 240))
    left, _, right, bottom = (float(side) for side in standing.xyxy)
    on_the_floor = boxes_of((left - 100, bottom - 110, right + 100, bottom + 15, 0.3))

    assert associate(expect([standing], missing=missing), on_the_floor, 0.5, 0.25) == pairs


def test_tiny_box_does_not_find_a_missing_person() -> None:
    person = Person((300, 240))

    assert associate(expect([person], missing=(0,)), boxes_of((290, 230, 310, 260, 0.3)), 0.5, 0.2) == {}


def test_nothing_is_paired_without_tracks_or_boxes() -> None:
    assert associate(expect([]), boxes_of((0, 0, 10, 10, 0.9)), 0.5, 0.2) == {}
    assert associate(expect([Person((300, 240))]), Boxes.empty(), 0.5, 0.2) == {}


def test_pieces_of_a_lying_body_make_it_up() -> None:
    body = np.array([100, 400, 400, 470], np.float32)
    pieces = boxes_of(
        (100, 400, 200, 470, 0.2), (180, 405, 300, 470, 0.3), (310, 400, 400, 470, 0.25), (500, 0, 600, 90, 0.4)
    )

    whole = gather_pieces(body, pieces, 0.2)

    assert whole is not None
    np.testing.assert_allclose(whole.xyxy, [[100, 400, 400, 470]])
    np.testing.assert_allclose(whole.score, [0.3])


def test_pieces_too_small_to_be_the_body_are_not_taken_for_it() -> None:
    body = np.array([100, 400, 400, 470], np.float32)

    assert gather_pieces(body, boxes_of((100, 400, 130, 430, 0.2)), 0.2) is None
    assert gather_pieces(body, Boxes.empty(), 0.2) is None


def test_joints_inside_counts_joints_by_score() -> None:
    keypoints = np.array([[[10, 10, 1.0], [50, 50, 0.5], [90, 90, 0.5]]], np.float32)

    share = joints_inside(keypoints, np.array([[0, 0, 60, 60], [80, 80, 99, 99]], np.float32))

    np.testing.assert_allclose(share, [[0.75, 0.25]])


LIVE = np.array([[200, 100, 300, 400]], np.float32)


@pytest.mark.parametrize(
    ("box", "starts"),
    [
        ((450, 100, 550, 400, 0.9), True),
        ((450, 100, 550, 400, 0.2), False),
        ((450, 100, 550, 400, 0.4), True),
        ((450, 100, 500, 180, 0.4), False),
        ((450, 100, 500, 180, 0.9), True),
        ((210, 250, 290, 400, 0.9), False),
        ((190, 150, 310, 420, 0.4), False),
        ((190, 120, 310, 420, 0.9), True),
    ],
    ids=[
        "strong", "too weak", "weak and large", "weak and small", "strong and small", "a part of a track",
        "weak on a track", "strong on a track",
    ],
)  # fmt: skip
def test_candidate_starts_only_when_it_may_be_somebody(
    box: tuple[float, float, float, float, float], starts: bool
) -> None:
    found = find_births(boxes_of(box), LIVE, 480, TrackConfig())

    assert len(found) == int(starts)


def test_weak_boxes_on_one_body_become_one_candidate() -> None:
    pieces = boxes_of((400, 300, 500, 360, 0.35), (460, 300, 600, 360, 0.4))

    found = find_births(pieces, np.zeros((0, 4), np.float32), 480, TrackConfig())

    np.testing.assert_allclose(found.xyxy, [[400, 300, 600, 360]])
    np.testing.assert_allclose(found.score, [0.4])


def test_largest_candidate_comes_first() -> None:
    found = find_births(
        boxes_of((0, 0, 50, 150, 0.95), (300, 0, 400, 300, 0.7)), np.zeros((0, 4), np.float32), 480, TrackConfig()
    )

    np.testing.assert_allclose(found.score, [0.7, 0.95])


def test_rejected_box_is_remembered_for_a_while_and_no_longer() -> None:
    rejected = Rejections(keep_s=6.0)
    box = np.array([0, 0, 100, 100], np.float32)
    rejected.add(box, 10.0)

    assert rejected.hold(box + 5, 15.9)
    assert not rejected.hold(box + 80, 15.9)
    assert not rejected.hold(box, 16.1)


def test_rejections_stay_bounded() -> None:
    rejected = Rejections(keep_s=1e9)
    for index in range(1000):
        rejected.add(np.array([index, 0, index + 10, 10], np.float32), 0.0)

    assert len(rejected._boxes) == 64
