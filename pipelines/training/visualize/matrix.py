"""A confusion matrix as a picture: rows true, columns said, shares of each row."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from models.arrays import AnyArray, Image
from pipelines.errors import DatasetInvalid

_CELL_PX = 34
_FONT_PX = 13
_PAPER, _INK, _BLUE = (255, 255, 255), (30, 30, 34), (8, 81, 156)


def confusion_picture(counts: AnyArray, classes: Sequence[str]) -> Image:
    """(H, W, 3) BGR of (K, K) counts; a row's colour is its share, its numbers are percent.

    Raises DatasetInvalid when the counts are not those of the classes.
    """
    K = len(classes)
    if np.shape(counts) != (K, K) or not K:
        raise DatasetInvalid(f"confusion of shape {np.shape(counts)} for {K} classes")
    font = ImageFont.load_default(_FONT_PX)
    names = [name if len(name) <= 24 else name[:23] + "…" for name in classes]
    wide = 16 + max(round(font.getlength(name)) for name in names)
    side = K * _CELL_PX
    picture = PilImage.new("RGB", (wide + side + 12, wide + side + 12), _PAPER)
    draw = ImageDraw.Draw(picture)
    shares = counts / np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    for row, column in np.ndindex(K, K):
        _cell(draw, (wide + column * _CELL_PX, wide + row * _CELL_PX), float(shares[row, column]), font)
    for index, name in enumerate(names):
        middle = wide + index * _CELL_PX + _CELL_PX // 2
        draw.text((wide - 8, middle), name, _INK, font, anchor="rm")
        _upright(picture, name, (middle, wide - 8), font)
    draw.rectangle((wide, wide, wide + side, wide + side), outline=_INK)
    return np.ascontiguousarray(np.asarray(picture, np.uint8)[..., ::-1])


def _cell(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], share: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> None:
    x, y = at
    colour = tuple(round(paper + (blue - paper) * share) for paper, blue in zip(_PAPER, _BLUE, strict=True))
    draw.rectangle((x, y, x + _CELL_PX, y + _CELL_PX), fill=colour, outline=(225, 225, 228))
    if share >= 0.005:
        ink = _PAPER if share > 0.5 else _INK
        draw.text((x + _CELL_PX // 2, y + _CELL_PX // 2), f"{100 * share:.0f}", ink, font, anchor="mm")


def _upright(
    picture: PilImage.Image, text: str, at: tuple[int, int], font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> None:
    """Text that runs upwards from a point."""
    length, height = round(font.getlength(text)) + 2, _FONT_PX + 6
    layer = PilImage.new("RGB", (length, height), _PAPER)
    ImageDraw.Draw(layer).text((0, height // 2), text, _INK, font, anchor="lm")
    picture.paste(layer.rotate(90, expand=True), (at[0] - height // 2, at[1] - length))
