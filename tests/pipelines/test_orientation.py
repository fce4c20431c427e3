"""Orientation: quarter turns and mirrors put together are one of eight, and each is found again."""

from itertools import product
from typing import get_args

import pytest

from pipelines.orientation import UPRIGHT, Orientation, Rotation

ROTATIONS: tuple[Rotation, ...] = get_args(Rotation)
ALL = tuple(Orientation(*flags) for flags in product((False, True), repeat=3))


def test_turns_with_and_without_mirror_are_all_orientations() -> None:
    found = {Orientation.turned(turn, mirror) for turn, mirror in product(ROTATIONS, (False, True))}

    assert found == set(ALL)


@pytest.mark.parametrize("orientation", ALL, ids=str)
def test_orientation_says_by_which_turn_and_mirror_it_is_made(orientation: Orientation) -> None:
    assert Orientation.turned(*orientation.rotation_and_mirror) == orientation


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param((90, 90), Orientation.turned(180), id="two quarters are a half"),
        pytest.param((90, 90, 90), Orientation.turned(270), id="three quarters"),
        pytest.param((180, 270), Orientation.turned(90), id="more than once round"),
        pytest.param((90, 270), UPRIGHT, id="there and back"),
    ],
)
def test_turns_one_after_the_other_add_up(steps: tuple[Rotation, ...], expected: Orientation) -> None:
    found = UPRIGHT
    for step in steps:
        found = found.then(Orientation.turned(step))

    assert found == expected


def test_mirror_changes_sides_of_a_turn_that_follows_it() -> None:
    mirrored_first = Orientation.turned(0, mirror=True).then(Orientation.turned(90))

    assert mirrored_first == Orientation.turned(270, mirror=True)
