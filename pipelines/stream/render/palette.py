"""One colour per action, the same in the picture, in the video and on the page: those of pipelines/actions.toml."""

import colorsys

from models.runtime.contract import NONE_LABEL
from pipelines.actions import load_actions

Colour = tuple[int, int, int]
"""Red, green, blue, 0..255."""


def colour_of(action: str | None) -> Colour:
    """The colour of an action; a label of the user's own gets a steady one from its name."""
    table = load_actions()
    if action is None or action == NONE_LABEL:
        return _rgb(table.neutral)
    if action == "unknown":
        return _rgb(table.unknown)
    return _rgb(table.actions[action].colour) if action in table.actions else _own(action)


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
