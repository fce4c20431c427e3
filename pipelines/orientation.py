"""How a stored picture is turned upright: quarter turns and mirrors, which put one after the other are one of eight."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Rotation = Literal[0, 90, 180, 270]
"""Degrees clockwise."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What is done to a picture: transposed first, then flipped left to right (x) and top to bottom (y)."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @staticmethod
    def turned(rotate_deg: Rotation, mirror: bool = False) -> "Orientation":
        """A clockwise turn, and then left and right swapped where `mirror` is true."""
        return _TURNS[rotate_deg].then(Orientation(flip_x=mirror))

    @property
    def rotation_and_mirror(self) -> tuple[Rotation, bool]:
        """The arguments of `turned` that give this one."""
        return next(
            (turn, mirror) for turn in _TURNS for mirror in (False, True) if Orientation.turned(turn, mirror) == self
        )

    def then(self, other: "Orientation") -> "Orientation":
        """This one and after it the other, as one."""
        first_x, first_y = (self.flip_y, self.flip_x) if other.transpose else (self.flip_x, self.flip_y)
        return Orientation(self.transpose != other.transpose, first_x != other.flip_x, first_y != other.flip_y)


_TURNS: Mapping[Rotation, Orientation] = MappingProxyType(
    {
        0: Orientation(),
        90: Orientation(transpose=True, flip_x=True),
        180: Orientation(flip_x=True, flip_y=True),
        270: Orientation(transpose=True, flip_y=True),
    }
)


UPRIGHT = Orientation()
"""Nothing is done."""
