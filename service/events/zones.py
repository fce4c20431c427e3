"""Regions of the picture, and which of them a person stands in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Box = tuple[float, float, float, float]

_STANDING_ASPECT = 1.1
"""A box wider than this times its height is taken for a lying person, whose middle counts instead of the lower edge."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon of the picture.

    kind: `include` is a named region; nothing is announced of people inside an `exclude` zone.
    polygon: at least three corners, x and y normalised 0..1; closed by itself; may be concave.
    """

    name: str
    kind: Literal["include", "exclude"]
    polygon: tuple[Point, ...]


def contains(polygon: Sequence[Point], point: Point) -> bool:
    """Whether a point lies in a polygon, by the even-odd rule (Shimrat, 1962); edges count on one side only."""
    x, y = point
    is_inside = False
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            is_inside = not is_inside
    return is_inside


def ground_point(box: Box) -> Point:
    """Where a person touches the ground: the middle of the lower edge, or of the box when the person lies.

    box: left, top, right, bottom, in any one unit that is the same in both directions.
    """
    x1, y1, x2, y2 = box
    if x2 - x1 > _STANDING_ASPECT * (y2 - y1):
        return (x1 + x2) / 2, (y1 + y2) / 2
    return (x1 + x2) / 2, y2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is: the names of the include zones, and whether an exclude zone hides the person."""

    zones: tuple[str, ...]
    is_excluded: bool


def locate(zones: Sequence[Zone], box: Box, frame_size: tuple[int, int]) -> Place:
    """The zones of a person.

    box: normalised 0..1. frame_size: width and height, which tell a wide box from a wide picture.
    """
    width, height = frame_size
    x, y = ground_point((box[0] * width, box[1] * height, box[2] * width, box[3] * height))
    # A person cut by the lower edge still stands on it.
    point = (min(max(x / width, 0.0), 1.0 - 1e-6), min(max(y / height, 0.0), 1.0 - 1e-6))
    inside = [zone for zone in zones if contains(zone.polygon, point)]
    names = tuple(zone.name for zone in inside if zone.kind == "include")
    return Place(names, any(zone.kind == "exclude" for zone in inside))
