"""Zones: where a person stands."""

import pytest

from service.events.zones import Box, Point, Zone, contains, ground_point, locate

SQUARE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
HORSESHOE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.7, 1.0), (0.7, 0.3), (0.3, 0.3), (0.3, 1.0), (0.0, 1.0))


@pytest.mark.parametrize(
    ("polygon", "point", "expected"),
    [
        pytest.param(SQUARE, (0.5, 0.5), True, id="inside"),
        pytest.param(SQUARE, (0.1, 0.5), False, id="left of it"),
        pytest.param(SQUARE, (0.5, 0.9), False, id="below it"),
        pytest.param(HORSESHOE, (0.5, 0.6), False, id="in the notch of a concave one"),
        pytest.param(HORSESHOE, (0.1, 0.9), True, id="in a leg of a concave one"),
        pytest.param(SQUARE[::-1], (0.5, 0.5), True, id="corners the other way round"),
    ],
)
def test_contains_follows_the_even_odd_rule(polygon: tuple[Point, ...], point: Point, expected: bool) -> None:
    assert contains(polygon, point) is expected


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        pytest.param((10, 0, 30, 100), (20, 100), id="standing: the feet"),
        pytest.param((0, 80, 100, 100), (50, 90), id="lying: the middle"),
    ],
)
def test_ground_point_depends_on_the_posture(box: Box, expected: Point) -> None:
    assert ground_point(box) == expected


def test_locate_names_include_zones_and_notices_exclude_zones() -> None:
    zones = [Zone("door", "include", SQUARE), Zone("screen", "exclude", HORSESHOE)]

    at_door = locate(zones, (0.4, 0.3, 0.5, 0.7), (640, 480))
    at_screen = locate(zones, (0.0, 0.4, 0.1, 0.9), (640, 480))

    assert (at_door.zones, at_door.is_excluded) == (("door",), False)
    assert (at_screen.zones, at_screen.is_excluded) == ((), True)


def test_locate_keeps_a_person_whom_the_lower_edge_cuts() -> None:
    floor = Zone("floor", "include", ((0.0, 0.9), (1.0, 0.9), (1.0, 1.0), (0.0, 1.0)))

    place = locate([floor], (0.4, 0.5, 0.5, 1.2), (640, 480))

    assert place.zones == ("floor",)
