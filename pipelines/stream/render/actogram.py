"""The actogram: a picture with a row per person and a coloured bar per action along the time axis."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from pipelines.results import ActionSpan, PersonTimeline, Summary
from pipelines.stream.render.palette import Colour, colour_of, ink_on

ROWS_MAX = 100
_WIDTH_PX = 1600
_SCALE = 2  # drawn twice as large and reduced: Pillow's shapes have no soft edges
_ROW_PX, _BAR_PX = 34, 22
_LEFT_PX, _RIGHT_PX, _TOP_PX, _AXIS_PX = 110, 30, 64, 40
_LEGEND_ROW_PX = 26
_INK, _FAINT, _RULE, _PAPER, _SIGHT = (28, 30, 34), (118, 122, 128), (226, 228, 230), (255, 255, 255), (236, 238, 240)
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def draw_actogram(summary: Summary) -> Image.Image:
    """The picture of an analysis, RGB; of more than ROWS_MAX people those seen longest are shown, and it says so."""
    return _Sheet(summary).draw()


@dataclass(frozen=True, slots=True)
class _Scale:
    """Media seconds → pixels."""

    duration_s: float
    left_px: float
    width_px: float

    def x(self, time_s: float) -> float:
        """The column of a moment."""
        return self.left_px + self.width_px * min(max(time_s / self.duration_s, 0.0), 1.0)


class _Sheet:
    """One drawing, in unscaled pixels."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._rows = _longest(list(summary.numbered()))
        self._actions = list(dict.fromkeys(one.action for _, track in self._rows for one in track.actions))
        width = _WIDTH_PX - _LEFT_PX - _RIGHT_PX
        self._time = _Scale(max(summary.duration_s, 0.1), _LEFT_PX, width)
        self._body_px = _ROW_PX * max(len(self._rows), 1)
        self._legend = self._lay_legend(width)
        self._height_px = _TOP_PX + self._body_px + _AXIS_PX + _LEGEND_ROW_PX * (len(self._legend) + 1)
        self._image = Image.new("RGB", (_WIDTH_PX * _SCALE, self._height_px * _SCALE), _PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def draw(self) -> Image.Image:
        self._title()
        self._axis()
        for index, (number, track) in enumerate(self._rows):
            self._row(_TOP_PX + index * _ROW_PX, number, track)
        if not self._rows:
            self._text(_LEFT_PX, _TOP_PX + _ROW_PX / 2, "Nobody was seen.", 15, _FAINT)
        self._draw_legend()
        return self._image.resize((_WIDTH_PX, self._height_px), Image.Resampling.LANCZOS)

    def _title(self) -> None:
        header, total = self._summary.header, len(self._summary.tracks)
        people = "1 person" if total == 1 else f"{total} people"
        if total > len(self._rows):
            people = f"the {len(self._rows)} seen longest of {people}"
        self._text(_RIGHT_PX, 26, _short(header.source), 20, _INK)
        said = f"{clock_time(self._summary.duration_s)}  ·  {people}  ·  {header.model}"
        self._text(_WIDTH_PX - _RIGHT_PX, 26, said, 15, _FAINT, "rm")

    def _axis(self) -> None:
        bottom = _TOP_PX + self._body_px
        step = tick_step_s(self._time.duration_s)
        for index in range(int(self._time.duration_s / step + 1e-6) + 1):
            x = self._time.x(index * step)
            self._rectangle(x - 0.5, _TOP_PX - 4, x + 0.5, bottom + 5, _RULE)
            self._text(x, bottom + 18, clock_time(index * step, step), 13, _FAINT, "mm")

    def _row(self, top: float, number: int, track: PersonTimeline) -> None:
        middle = top + _ROW_PX / 2
        self._text(_LEFT_PX - 14, middle, f"person {number}", 14, _INK, "rm")
        self._bar(middle, track.start_s, track.end_s, _SIGHT)
        for one in track.actions:
            colour = colour_of(one.action)
            self._bar(middle, one.start_s, one.end_s, colour)
            self._label(middle, one, colour)

    def _bar(self, middle: float, start_s: float, end_s: float, colour: Colour) -> None:
        left, right = self._time.x(start_s), self._time.x(end_s)
        right = max(right, left + 2)
        radius = min(4.0, (right - left) / 2)
        box = [value * _SCALE for value in (left, middle - _BAR_PX / 2, right, middle + _BAR_PX / 2)]
        self._pen.rounded_rectangle(box, radius=radius * _SCALE, fill=colour)

    def _label(self, middle: float, one: ActionSpan, colour: Colour) -> None:
        """The action's name inside its bar, where there is room."""
        name = one.action.replace("_", " ")
        left, right = self._time.x(one.start_s), self._time.x(one.end_s)
        if right - left > _font(13).getlength(name) / _SCALE + 10:
            self._text((left + right) / 2, middle, name, 13, ink_on(colour), "mm")

    def _lay_legend(self, width: float) -> list[list[tuple[float, str]]]:
        """Rows of (x, action) that fit beside each other."""
        rows: list[list[tuple[float, str]]] = [[]]
        x = 0.0
        for action in self._actions:
            needed = 22 + _font(14).getlength(action) / _SCALE + 24
            if x + needed > width and rows[-1]:
                rows.append([])
                x = 0.0
            rows[-1].append((_LEFT_PX + x, action))
            x += needed
        return rows

    def _draw_legend(self) -> None:
        top = _TOP_PX + self._body_px + _AXIS_PX + 8
        for index, row in enumerate(self._legend):
            y = top + index * _LEGEND_ROW_PX + 8
            for x, action in row:
                box = [value * _SCALE for value in (x, y - 7, x + 14, y + 7)]
                self._pen.rounded_rectangle(box, radius=3 * _SCALE, fill=colour_of(action))
                self._text(x + 22, y, action.replace("_", " "), 14, _INK)

    def _rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self._pen.rectangle([value * _SCALE for value in (left, top, right, bottom)], fill=colour)

    def _text(self, x: float, y: float, text: str, size_px: int, colour: Colour, anchor: str = "lm") -> None:
        self._pen.text((x * _SCALE, y * _SCALE), text, font=_font(size_px), fill=colour, anchor=anchor)


def tick_step_s(duration_s: float) -> float:
    """Seconds between two marks of the axis, so that at most sixteen fit."""
    return next((step for step in _STEPS_S if duration_s / step <= 16), duration_s / 16)


def clock_time(time_s: float, step_s: float = 1.0) -> str:
    """Seconds as m:ss, h:mm:ss from an hour on, with a tenth where the steps are that small."""
    if step_s < 1:
        return f"{int(time_s // 60)}:{time_s % 60:04.1f}"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _longest(people: Sequence[tuple[int, PersonTimeline]]) -> list[tuple[int, PersonTimeline]]:
    """At most ROWS_MAX numbered people, those seen longest, in order of appearance."""
    chosen = sorted(people, key=lambda one: one[1].start_s - one[1].end_s)[:ROWS_MAX]
    return sorted(chosen, key=lambda one: one[0])


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:50]}…{name[-28:]}"


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px * _SCALE)
