"""Where a body is looked for next: on a grid, with a hold, and a lead for what the network finds by halves."""

import numpy as np
import pytest

from models.arrays import FloatArray
from pipelines.stream.people.region import on_grid, settled

REGION = on_grid(np.array([320.0, 240.0, 256.0, 0.0], np.float32))
SIDE = float(REGION[2])  # a cell is a 24th of it, about 10.5 pixels; 10 % in size; 10 degrees
DEGREE = float(np.pi / 180)


def moved(x: float = 0, y: float = 0, growth: float = 0, turn: float = 0) -> FloatArray:
    return np.array([REGION[0] + x, REGION[1] + y, SIDE * (1 + growth), REGION[3] + turn], np.float32)


def test_grid_holds_a_region_that_is_near_the_one_asked_for() -> None:
    asked = np.array([123.0, 77.0, 200.0, 1.0], np.float32)

    found = on_grid(asked)

    assert np.abs(found - asked)[:2].max() <= found[2] / 48 + 0.01
    assert abs(np.log(found[2] / asked[2])) <= 0.051
    assert abs(found[3] - asked[3]) <= 5.1 * DEGREE
    np.testing.assert_array_equal(on_grid(found), found)


@pytest.mark.parametrize(
    "predicted",
    [moved(x=6), moved(y=-6), moved(growth=0.04), moved(turn=4 * DEGREE), moved(6, -6, -0.04, -4 * DEGREE)],
    ids=["sideways", "up", "larger", "turned", "all at once"],
)
def test_region_stays_while_the_prediction_is_near(predicted: FloatArray) -> None:
    np.testing.assert_array_equal(settled(REGION, predicted), REGION)


@pytest.mark.parametrize(
    ("predicted", "within"),
    [
        (moved(x=40), (5.4, 5.4, 0, 0)),
        (moved(y=-33), (5.4, 5.4, 0, 0)),
        (moved(turn=60 * DEGREE), (5.4, 5.4, 0, 35.1 * DEGREE)),
    ],
    ids=["sideways", "up", "turned"],
)
def test_region_follows_to_within_half_a_cell_of_where_it_leads(
    predicted: FloatArray, within: tuple[float, ...]
) -> None:
    followed = settled(REGION, predicted)

    assert (np.abs(followed - predicted) <= np.array(within) + 0.01).all()


def test_growth_and_turn_are_led_by_half_because_the_network_finds_them_by_halves() -> None:
    followed = settled(REGION, moved(growth=float(np.expm1(0.2)), turn=20 * DEGREE))

    assert followed[2] == pytest.approx(SIDE * np.exp(0.3), rel=1e-3)
    assert followed[3] == pytest.approx(30 * DEGREE, abs=1e-5)


def test_runs_that_differ_by_little_fall_together_again() -> None:
    generator = np.random.default_rng(0)
    one, other, apart = REGION, REGION, 0
    for step in range(200):
        walk = moved(3.0 * step, 40 * np.sin(step / 9), 0.1 * np.sin(step / 15), 0.3 * np.sin(step / 30))
        tremble = generator.normal(0, [0.1, 0.1, 0.35, 0.001], (2, 4)).astype(np.float32)
        one, other = settled(one, walk + tremble[0]), settled(other, walk + tremble[1])
        apart += not np.array_equal(one, other)

    assert apart < 40
    np.testing.assert_array_equal(settled(one, walk), settled(other, walk))


def test_two_runs_that_start_apart_meet_where_the_network_turns_by_half() -> None:
    """Its crop turned by 20 degrees, the network finds a body turned by 10 of them: the error must not stay."""
    region = moved(turn=20 * DEGREE)
    for _ in range(6):
        region = settled(on_grid(region), moved(turn=0.5 * float(region[3])))

    np.testing.assert_array_equal(region, REGION)


def test_a_turn_is_held_across_half_a_circle() -> None:
    down = on_grid(np.array([320, 240, 256, np.pi], np.float32))

    held = settled(down, np.array([down[0], down[1], down[2], -np.pi + 0.03], np.float32))

    assert held[3] == down[3]


def test_a_region_off_the_grid_is_brought_onto_it() -> None:
    off = moved(x=1.5)

    np.testing.assert_array_equal(settled(off, off), REGION)


@pytest.mark.parametrize("predicted", [np.zeros(4, np.float32)], ids=["no size"])
def test_region_without_a_size_stays_as_predicted(predicted: FloatArray) -> None:
    np.testing.assert_array_equal(settled(REGION, predicted), predicted)
    np.testing.assert_array_equal(on_grid(predicted), predicted)
