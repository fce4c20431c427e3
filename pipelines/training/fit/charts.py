"""Charts as inline SVG: curves, a confusion matrix, calibration, bars, skeleton strips. No scripts, no references."""

from collections.abc import Sequence
from html import escape

import numpy as np

from models.arrays import FloatArray, IntArray
from models.skeleton.layouts import Layout

_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f")
_INK, _FAINT, _BAR = "#334155", "#cbd5e1", "#2563eb"
_FONT = 'font-family="system-ui, sans-serif" font-size="11"'


def curves(title: str, lines: dict[str, Sequence[tuple[float, float]]], width: int = 420, height: int = 220) -> str:
    """Lines of (x, y) points, named; points that are not numbers are left out."""
    known = {name: [p for p in points if np.isfinite(p).all()] for name, points in lines.items()}
    known = {name: points for name, points in known.items() if points}
    if not known:
        return ""
    everything = np.array([point for points in known.values() for point in points], np.float64)
    low, high = everything.min(axis=0), everything.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    left, top, right, bottom = 46, 24, 12, 26

    def place(point: tuple[float, float]) -> str:
        share = (np.array(point) - low) / span
        x = left + share[0] * (width - left - right)
        return f"{x:.1f},{height - bottom - share[1] * (height - top - bottom):.1f}"

    parts = [_text(left, 14, title, weight="600"), _axes(left, top, width - right, height - bottom)]
    parts += [
        _text(left - 4, height - bottom, f"{low[1]:.3g}", "end"), _text(left - 4, top + 8, f"{high[1]:.3g}", "end"),
        _text(left, height - 8, f"{low[0]:.0f}"), _text(width - right, height - 8, f"{high[0]:.0f}", "end"),
    ]  # fmt: skip
    at = width - right
    for index, (name, points) in enumerate(known.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(place(point) for point in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [_dot(place(point), colour) for point in points] if len(points) < 40 else []
        # Names stand in the line of the title, where no curve is.
        parts.append(_text(at, 14, name, "end", colour))
        at -= 7 * len(name) + 12
    return _svg(width, height, parts, title)


def confusion(counts: IntArray, classes: Sequence[str]) -> str:
    """Rows true, columns said; shares of a row as shade, counts in the tooltips and, where they fit, in the cells."""
    used: list[int] = np.flatnonzero(counts.any(axis=0) | counts.any(axis=1)).tolist()
    K = len(used)
    if not K:
        return ""
    cell = int(np.clip(640 / K, 8, 34))
    left, top = 12 + 7 * max(len(classes[index]) for index in used), 8
    below = left
    rows = counts[np.ix_(used, used)]
    share = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    parts = []
    for y, true in enumerate(used):
        parts.append(_text(left - 6, top + cell * y + cell / 2 + 4, classes[true], "end"))
        for x, said in enumerate(used):
            parts.append(_cell(left + cell * x, top + cell * y, cell, float(share[y, x]), int(rows[y, x]),
                               f"{classes[true]} → {classes[said]}: {rows[y, x]}"))  # fmt: skip
    for x, said in enumerate(used):
        at = f"{left + cell * x + cell / 2 + 4:.0f} {top + cell * K + 8}"
        parts.append(f'<text transform="translate({at}) rotate(-60)" text-anchor="end" {_FONT} fill="{_INK}">'
                     f"{escape(classes[said])}</text>")  # fmt: skip
    return _svg(left + cell * K + 12, top + cell * K + below, parts, "Confusion: rows true, columns said")


def calibration(bins: Sequence[tuple[float, float, int]], size: int = 260) -> str:
    """Share right against confidence, a bar per bin, the diagonal where both agree."""
    left, top, inner = 40, 12, size - 56
    parts = [_axes(left, top, left + inner, top + inner)]
    for confidence, right, count in bins:
        x, height = left + (int(confidence * 10 - 1e-9) / 10) * inner, right * inner
        parts.append(
            f'<rect x="{x + 1:.1f}" y="{top + inner - height:.1f}" width="{inner / 10 - 2:.1f}" height="{height:.1f}" '
            f'fill="{_BAR}" fill-opacity="0.75"><title>sure of {confidence:.2f}, right {right:.2f}, {count} sequences'
            "</title></rect>"
        )
    parts.append(f'<path d="M{left} {top + inner}L{left + inner} {top}" stroke="{_INK}" stroke-dasharray="4 3"/>')
    parts += [_text(left + inner / 2, size - 6, "confidence", "middle"), _text(left - 4, top + 8, "right", "end")]
    return _svg(size, size, parts, "Calibration")


def bars(shares: Sequence[tuple[str, float, int]], width: int = 520) -> str:
    """A horizontal bar per class: share right and number of sequences."""
    left = 16 + 7 * max((len(name) for name, _, _ in shares), default=0)
    parts = []
    for index, (name, share, count) in enumerate(shares):
        y = 6 + 18 * index
        length = share * (width - left - 90)
        parts.append(_text(left - 6, y + 11, name, "end"))
        parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="13" rx="2" fill="{_BAR}"/>')
        parts.append(_text(left + length + 6, y + 11, f"{100 * share:.1f} % ({count})"))
    return _svg(width, 12 + 18 * len(shares), parts, "Share right per class")


def skeleton_strip(keypoint: FloatArray, layout: Layout, is_3d: bool, num_frames: int = 10, size: int = 74) -> str:
    """A person at some frames side by side: (T, V, 3), x and y down in pixels, or metres with y up."""
    index = np.linspace(0, len(keypoint) - 1, min(num_frames, len(keypoint))).astype(np.int64)
    joints = keypoint[index][..., :2] * (np.array([1, -1]) if is_3d else 1)
    seen = (keypoint[index][..., :2] != 0).any(axis=-1)
    if not seen.any():
        return ""
    low, high = joints[seen].min(axis=0), joints[seen].max(axis=0)
    scale = (size - 12) / max(float((high - low).max()), 1e-6)
    shift = (size - (high - low) * scale) / 2
    parts = []
    for place, (body, there) in enumerate(zip(joints, seen, strict=True)):
        points = (body - low) * scale + shift + np.array([place * size, 0])
        parts += [_bone(points[a], points[b]) for a, b in layout.edges if there[a] and there[b]]
    return _svg(size * len(joints), size, parts, "Skeleton over time")


def _bone(a: FloatArray, b: FloatArray) -> str:
    return (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{_INK}" stroke-width="1.6" '
        'stroke-linecap="round"/>'
    )


def _cell(x: float, y: float, side: int, share: float, count: int, title: str) -> str:
    fill = f'fill="{_BAR}" fill-opacity="{share:.2f}"' if count else 'fill="#f8fafc"'
    text = ""
    if count and side >= 20:
        colour = "#fff" if share > 0.55 else _INK
        text = _text(x + side / 2, y + side / 2 + 4, str(count), "middle", colour)
    box = f'<rect x="{x}" y="{y}" width="{side - 1}" height="{side - 1}" {fill}/>'
    return f"<g><title>{escape(title)}</title>{box}{text}</g>"


def _dot(place: str, colour: str) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="2.2" fill="{colour}"/>'


def _axes(left: float, top: float, right: float, bottom: float) -> str:
    return f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="{_FAINT}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = _INK, weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {_FONT} font-weight="{weight}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _svg(width: float, height: float, parts: Sequence[str], title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">{"".join(parts)}</svg>'
    )
