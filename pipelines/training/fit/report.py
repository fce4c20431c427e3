"""One self-contained page per run, and one that holds runs against each other: HTML with inline SVG alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from models.arrays import FloatArray, IntArray
from models.skeleton.layouts import require_layout
from pipelines.training.fit import charts
from pipelines.training.metrics import Scores

Bin = tuple[float, float, int]
"""Mean confidence, share right, count."""
_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;color:#0f172a;background:#f1f5f9;margin:0}
main{max-width:1080px;margin:0 auto;padding:24px}h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:0 0 12px}
p.sub{color:#475569;margin:0 0 20px}section{background:#fff;border:1px solid #e2e8f0;border-radius:10px;padding:18px;
margin:0 0 18px;overflow-x:auto}.row{display:flex;flex-wrap:wrap;gap:18px}.tile{min-width:130px}.tile b{display:block;
font-size:26px}table{border-collapse:collapse;font-size:14px}td,th{padding:4px 12px 4px 0;text-align:left;
border-bottom:1px solid #e2e8f0;vertical-align:top}td.n,th.n{text-align:right}pre{font-size:12px;margin:0}
.best{font-weight:600;color:#047857}
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A sequence that was answered wrongly.

    probability: of what was said. keypoint: (T, V, 3 or more) of its first person, in the joints of `layout`.
    """

    name: str
    true: str
    said: str
    probability: float
    keypoint: FloatArray
    layout: str
    is_3d: bool


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a page shows. settings: of the run, JSON values."""

    title: str
    under: str
    classes: tuple[str, ...]
    scores: Scores
    history: Sequence[Mapping[str, float]]
    bins: Sequence[Bin]
    examples: Sequence[Example]
    settings: Mapping[str, object]


def write_report(report: RunReport, path: Path) -> None:
    """The page of one run."""
    scores = report.scores
    sections = [
        _section("Result", _tiles(scores)),
        _section("Curves", f'<div class="row">{_curves(report.history)}</div>') if report.history else "",
        _section("Confusion, rows true, columns said", charts.confusion(scores.confusion, report.classes)),
        _section("Per class", charts.bars(_by_class(report))),
        _section("Calibration", charts.calibration(report.bins)),
        _section("Surest wrong answers", _examples(report)),
        _section("Settings", f"<pre>{escape(json.dumps(report.settings, indent=1))}</pre>"),
    ]
    path.write_text(_page(report.title, report.under, sections), "utf-8")


def reliability(probabilities: FloatArray, label: IntArray, num_bins: int = 10) -> list[Bin]:
    """The bins of confidence that hold anything."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == label
    bins = np.minimum((confidence * num_bins).astype(np.int64), num_bins - 1)
    return [
        (float(confidence[bins == index].mean()), float(right[bins == index].mean()), int((bins == index).sum()))
        for index in np.unique(bins)
    ]


def surest_mistakes(probabilities: FloatArray, label: IntArray, count: int = 12) -> list[int]:
    """Rows of the wrong answers that were surest of themselves."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != label).tolist()
    return sorted(wrong, key=lambda row: -float(probabilities[row].max()))[:count]


def write_comparison(rows: Sequence[dict[str, object]], changed: Sequence[str], lines: str, path: Path) -> None:
    """The page that holds runs against each other; `rows` are cells by column, `lines` their curves."""
    path.write_text(_page("Comparison", f"{len(rows)} runs", [
        _section("Runs", _table(["run", "top-1 %", "mean of classes %", "ECE %", "sequences", *changed], rows)),
        _section("Validation", lines) if lines else "",
    ]), "utf-8")  # fmt: skip


def _tiles(scores: Scores) -> str:
    shown = (
        ("top-1", f"{100 * scores.top1:.1f} %"), ("mean of classes", f"{100 * scores.macro:.1f} %"),
        ("calibration error", f"{100 * scores.ece:.1f} %"), ("sequences", str(scores.count)),
    )  # fmt: skip
    return (
        '<div class="row">'
        + "".join(f'<div class="tile"><b>{value}</b>{name}</div>' for name, value in shown)
        + "</div>"
    )


def _curves(history: Sequence[Mapping[str, float]]) -> str:
    def line(key: str) -> list[tuple[float, float]]:
        return [(row["step"], row[key]) for row in history if key in row]

    return "".join(
        (
            charts.curves("Loss", {"training": line("loss"), "validation": line("validation_loss")}),
            charts.curves("Validation", {"top-1": line("validation_top1"), "classes": line("validation_macro")}),
            charts.curves("Learning rate", {"rate": line("lr")}),
        )
    )


def _by_class(report: RunReport) -> list[tuple[str, float, int]]:
    counts = report.scores.confusion.sum(axis=1)
    shares = [
        (name, float(share), int(count))
        for name, share, count in zip(report.classes, report.scores.per_class, counts, strict=True)
        if not np.isnan(share)
    ]
    return sorted(shares, key=lambda row: row[1])


def _examples(report: RunReport) -> str:
    if not report.examples:
        return "<p>None: every sequence was answered rightly.</p>"
    return "".join(
        f"<p><b>{escape(item.true)}</b> was called <b>{escape(item.said)}</b> with {item.probability:.2f} · "
        f"{escape(item.name)}<br>{charts.skeleton_strip(item.keypoint, require_layout(item.layout), item.is_3d)}</p>"
        for item in report.examples
    )


def _table(columns: Sequence[str], rows: Sequence[dict[str, object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(row.get(name, '')))}</td>" for name in columns) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _page(title: str, under: str, sections: Sequence[str]) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f'<h1>{escape(title)}</h1><p class="sub">{escape(under)}</p>{"".join(sections)}</main></body></html>\n'
    )
