"""Which rotation wins a trial: a lost body keeps its own unless another is plainly better."""

from collections.abc import Sequence

import numpy as np
import pytest

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks
from models.skeleton.layouts import COCO17
from pipelines.stream.people.region import on_grid
from pipelines.stream.people.rotation import QUARTERS, Trial, keep_bonus, run_trials

IMAGE = np.zeros((480, 640, 3), np.uint8)
REGIONS = tuple(np.array([320, 240, 200, angle], np.float32) for angle in QUARTERS)


class Doubtful:
    """Sees a body in every region, with a presence for each quarter turn."""

    def __init__(self, *presence: float) -> None:
        self._presence = presence
        self.asked: list[FloatArray] = []

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """As a pose estimator."""
        self.asked.append(regions)
        keypoints = np.full((len(regions), 17, 3), 0.5, np.float32)
        keypoints[:, :, :2] = np.linspace(200, 300, 17)[None, :, None]
        presence = [self._presence[_quarter(region)] for region in regions]
        moved = regions + np.array([1.3, -0.7, 2.0, 0.01], np.float32)
        return Landmarks(keypoints, np.array(presence, np.float32), moved, follows_region=True)


def _quarter(region: FloatArray) -> int:
    away = (region[3] - np.array(QUARTERS) + np.pi) % (2 * np.pi) - np.pi
    return int(np.abs(away).argmin())


def winner(estimator: Doubtful, bonus: tuple[float, ...]) -> int:
    best = run_trials(estimator, IMAGE, [Trial(0, REGIONS, None, bonus=bonus)], COCO17)
    return _quarter(best[0].region)


@pytest.mark.parametrize(
    ("seen_at", "expected"),
    [
        (0.1, (1.5, 0, 0, 0)),
        (np.pi / 2 - 0.2, (0, 1.5, 0, 0)),
        (-np.pi + 0.1, (0, 0, 0, 1.5)),
        (np.pi / 4 + 0.01, (0, 1.5, 0, 0)),
    ],
    ids=["upright", "head left", "upside down, past half a turn", "just past an eighth"],
)
def test_the_rotation_last_seen_has_a_bonus(seen_at: float, expected: tuple[float, ...]) -> None:
    assert keep_bonus(REGIONS, np.array([0, 0, 1, seen_at], np.float32)) == expected


@pytest.mark.parametrize("presence", [(0.79, 0.78, 0.78, 0.8), (0.8, 0.78, 0.78, 0.79)], ids=["by a hair", "and back"])
def test_a_lost_body_keeps_its_rotation_whatever_the_last_digit_says(presence: tuple[float, ...]) -> None:
    assert winner(Doubtful(*presence), keep_bonus(REGIONS, REGIONS[0])) == 0


def test_a_lost_body_is_turned_where_another_rotation_is_plainly_better() -> None:
    fell = Doubtful(0.6, 0.99, 0.6, 0.6)

    assert winner(fell, keep_bonus(REGIONS, REGIONS[0])) == 1


def test_the_second_look_is_at_regions_of_the_grid_so_that_a_tremble_of_the_first_leaves_no_trace() -> None:
    estimator = Doubtful(0.9, 0.9, 0.9, 0.9)

    run_trials(estimator, IMAGE, [Trial(0, REGIONS, None)], COCO17)

    first, second = estimator.asked
    np.testing.assert_array_equal(second, [on_grid(region) for region in second])
    assert not np.array_equal(first, second)
