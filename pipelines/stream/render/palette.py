"""One colour per action, the same in the picture, in the video and on the page (service/web/assets/js/palette.js).

Blues move, greens change posture, yellows gesture, violets strike, reds are alarms.
"""

import colorsys
from collections.abc import Mapping
from types import MappingProxyType

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""

PALETTE: Mapping[str, str] = MappingProxyType(
    {
        "walk": "#4c8df6",
        "run": "#2457d6",
        "jump": "#29a3e0",
        "squat": "#6f7df2",
        "stand": "#93a4b5",
        "sitting": "#7388a0",
        "sit_down": "#3fb5a3",
        "stand_up": "#2f9e6e",
        "pick_up": "#86b93b",
        "lie": "#e8833a",
        "fall": "#e5484d",
        "wave": "#f0b90b",
        "clap": "#cf9a3c",
        "punch": "#d6409f",
        "kick": "#a855f7",
        "throw": "#8468d8",
        "push": "#b8478f",
        "unknown": "#9a9a96",
    }
)
NEUTRAL = "#ecece8"
"""Of a person of whom nothing is said."""


def colour_of(action: str | None) -> Colour:
    """The colour of an action; a label of the user's own gets a steady one from its name."""
    if action is None or action == "none":
        return _rgb(NEUTRAL)
    return _rgb(PALETTE[action]) if action in PALETTE else _own(action)


def ink_on(colour: Colour) -> Colour:
    """Near-black or white, whichever reads better on a colour (WCAG contrast)."""
    light = _luminance(colour)
    return (16, 17, 19) if (light + 0.05) / 0.0555 > 1.05 / (light + 0.05) else (255, 255, 255)


def _own(action: str) -> Colour:
    hashed = 0
    for letter in action:
        hashed = (hashed * 31 + ord(letter)) & 0xFFFFFFFF
    red, green, blue = colorsys.hls_to_rgb(hashed % 360 / 360, 0.55, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)


def _rgb(value: str) -> Colour:
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _luminance(colour: Colour) -> float:
    shares = [channel / 255 for channel in colour]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
