"""The options that say how a camera hangs, for commands that read pictures."""

from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType

import click

from pipelines.orientation import Orientation, Rotation

_ROTATIONS: Mapping[str, Rotation] = MappingProxyType({"0": 0, "90": 90, "180": 180, "270": 270})


def turn_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --rotate and --mirror; it gets both as one argument, `turn`."""

    @wraps(command)
    def gathered(*, rotate: str, mirror: bool, **others: object) -> None:
        command(turn=Orientation.turned(_ROTATIONS[rotate], mirror), **others)

    with_mirror = click.option("--mirror", is_flag=True, help="Swap left and right, after the turn.")(gathered)
    return click.option(
        "--rotate",
        type=click.Choice(list(_ROTATIONS)),
        default="0",
        show_default=True,
        help="Degrees clockwise by which the picture is turned so that people stand.",
    )(with_mirror)
