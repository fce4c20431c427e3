"""A week as one page of HTML that needs nothing else: it is read, printed, or saved as PDF by any browser."""

import datetime as dt
from collections.abc import Mapping, Sequence
from html import escape

from service.days import load_zone
from service.insights.store import Group
from service.insights.weekly import CameraWeek, Week

_BAR_WIDTH, _BAR_HEIGHT, _ROW_HEIGHT = 520, 14, 20
_STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #17181a; background: #fff;
  font: 400 0.875rem/1.45 "Segoe UI", "Noto Sans", "Liberation Sans", system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 0.2rem; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 0.5rem; overflow-wrap: anywhere; }
p { margin: 0.3rem 0; max-width: 46rem; }
.faint { color: #5c5f65; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 0.4rem 0; }
th, td { text-align: end; padding: 0.25rem 0.6rem; border-bottom: 1px solid #d9d9d5; white-space: nowrap; }
th:first-child { text-align: start; }
thead th { color: #5c5f65; font-weight: 500; }
.fall { color: #b3231b; font-weight: 650; }
.scroll { overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; padding: 0; list-style: none; margin: 0.5rem 0; }
.legend span { display: inline-block; width: 0.75rem; height: 0.75rem; border-radius: 2px; margin-inline-end: 0.4rem;
  box-shadow: inset 0 0 0 1px rgb(0 0 0 / 14%); }
section { break-inside: avoid; }
@page { size: A4; margin: 14mm; }
@media print { body { margin: 0; max-width: none; padding: 0; font-size: 9.5pt; } .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_HEADS = ("Day", "First", "Last", "People", "In the picture", "Falls", "Near-falls", "Other alarms", "All actions")


def render(week: Week, colours: Mapping[str, str]) -> str:
    """The whole page.

    colours: action → colour; an action that is not in it is drawn in grey.
    """
    title = f"Week {week.key}"
    first, last = week.days[0].key, [bucket.key for bucket in week.days if bucket.key][-1]
    unfinished = week.at < week.days[-1].end_time
    parts = [
        f"<h1>{title}</h1><p class='faint'>{first} to {last}, days of {escape(week.tz)}. "
        f"Counted {week.at:%Y-%m-%d %H:%M} UTC{': the week is not over yet' if unfinished else ''}.</p>",
        _summary(week), _legend(week, colours), *(_camera(one, week, colours) for one in week.cameras), _notes(),
    ]  # fmt: skip
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Actogram, {title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h 05 min`; a dash for nothing."""
    if seconds < 0.5:
        return "–"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def _summary(week: Week) -> str:
    if not week.cameras:
        return "<p>No event and nobody in the picture is stored for this week.</p>"
    rows = [
        [escape(one.name), str(sum(g.tracks for g in one.days) or "–"), duration(_presence(one.days)),
         _fell(sum(g.falls for g in one.days)), str(sum(one.near_falls) or "–"),
         str(sum(g.other_alarms for g in one.days) or "–"), duration(sum(_seconds(g) for g in one.days))]
        for one in week.cameras
    ]  # fmt: skip
    return _table(("Camera", *_HEADS[3:]), rows)


def _camera(camera: CameraWeek, week: Week, colours: Mapping[str, str]) -> str:
    zone = load_zone(week.tz)
    rows = [
        [bucket.key or "–", _time(group.first_movement, zone), _time(group.last_movement, zone),
         str(group.tracks or "–"), duration(group.presence_s or 0.0), _fell(group.falls), str(near or "–"),
         str(group.other_alarms or "–"), duration(_seconds(group))]
        for bucket, group, near in zip(week.days, camera.days, camera.near_falls, strict=True)
    ]  # fmt: skip
    bars = _bars(camera, [bucket.key for bucket in week.days], colours)
    return f"<section><h2>{escape(camera.name)}</h2>{bars}{_table(_HEADS, rows)}</section>"


def _bars(camera: CameraWeek, days: Sequence[str], colours: Mapping[str, str]) -> str:
    longest = max((_seconds(group) for group in camera.days), default=0.0) or 1.0
    drawn = []
    for row, (day, group) in enumerate(zip(days, camera.days, strict=True)):
        y, x = row * _ROW_HEIGHT, 84.0
        drawn.append(f'<text x="0" y="{y + 12}" font-size="11" fill="#4e5156">{escape(day)}</text>')
        for action, seconds in _by_length([group]):
            wide = _BAR_WIDTH * seconds / longest
            told = f"{escape(_words(action))}: {duration(seconds)}"
            drawn.append(
                f'<rect x="{x:.1f}" y="{y + 1}" width="{wide:.1f}" height="{_BAR_HEIGHT}" '
                f'fill="{_colour(action, colours)}"><title>{told}</title></rect>'
            )
            x += wide
    size = f"0 0 {_BAR_WIDTH + 84} {_ROW_HEIGHT * len(days)}"
    label = f"Seconds of each action on each day, {escape(camera.name)}; the same is in the table"
    return f'<svg viewBox="{size}" width="{_BAR_WIDTH + 84}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _legend(week: Week, colours: Mapping[str, str]) -> str:
    totals = _by_length([group for camera in week.cameras for group in camera.days])
    items = [
        f'<li><span style="background:{_colour(action, colours)}"></span>{escape(_words(action))} '
        f"{duration(seconds)}</li>"
        for action, seconds in totals
    ]
    return f'<ul class="legend">{"".join(items)}</ul>'


def _notes() -> str:
    return (
        "<section><h2>How it is counted</h2><p class='faint'>From stored events and tracks. Seconds of actions are "
        "summed over people: two who sit for a minute make two. An event that goes on past midnight counts on both "
        "days; its number on the day on which it began. People are tracks: who leaves and comes back is counted again. "
        "“In the picture” is the time with anybody in it. A near-fall is a fall of which the beginning was seen and "
        "that was taken back, because it did not go on. What was deleted or is older than the server keeps is not in "
        "it; a time without pictures is no time without falls.</p></section>"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _by_length(groups: Sequence[Group]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for group in groups:
        for action, seconds in group.totals_s.items():
            sums[action] = sums.get(action, 0.0) + seconds
    return sorted(((action, s) for action, s in sums.items() if s > 0), key=lambda one: (-one[1], one[0]))


def _seconds(group: Group) -> float:
    return sum(group.totals_s.values())


def _presence(groups: Sequence[Group]) -> float:
    return sum(group.presence_s or 0.0 for group in groups)


def _fell(falls: int) -> str:
    return f'<span class="fall">{falls}</span>' if falls else "–"


def _time(time: dt.datetime | None, zone: dt.tzinfo) -> str:
    return "–" if time is None else time.astimezone(zone).strftime("%H:%M")


def _words(label: str) -> str:
    return label.replace("_", " ")


def _colour(action: str, colours: Mapping[str, str]) -> str:
    return colours.get(action, "#8d8f94")
