"""Runs side by side: a table for the terminal, a page for the browser."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pipelines.errors import ConfigInvalid
from pipelines.training.fit import charts
from pipelines.training.fit import folder as files
from pipelines.training.fit.report import write_comparison
from pipelines.training.report import table

_COLUMNS = ("run", "top-1 %", "mean of classes %", "ECE %", "sequences")


@dataclass(frozen=True, slots=True)
class Compared:
    """What was measured of one run, and its settings by dotted keys."""

    name: str
    scores: dict[str, float]
    settings: dict[str, object]
    history: list[dict[str, float]]


def compare(folders: Sequence[Path], page: Path | None = None) -> str:
    """A Markdown table of runs and of the settings in which they differ; raises ConfigInvalid for what is no run."""
    runs = [read_run(folder) for folder in folders]
    keys = sorted({key for run in runs for key in run.settings} - {"name"})
    changed = [key for key in keys if len({repr(run.settings.get(key)) for run in runs}) > 1]
    rows = [_row(run, changed) for run in runs]
    if page is not None:
        lines: dict[str, Sequence[tuple[float, float]]] = {
            run.name: [(row["step"], row["validation_macro"]) for row in run.history if "validation_macro" in row]
            for run in runs
        }
        write_comparison(rows, changed, charts.curves("Mean of classes", lines, 760, 320), page)
    columns = [*_COLUMNS, *changed]
    return table(columns, [[str(row[name]) for name in columns] for row in rows])


def read_run(folder: Path) -> Compared:
    """What a run's folder says of itself; raises ConfigInvalid."""
    path = folder / files.RESULT
    try:
        raw = json.loads(path.read_text("utf-8"))
        scores, recipe = raw["test"], raw["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise ConfigInvalid(f"{folder}: no measured run: {files.RESULT} is missing or not one") from cause
    return Compared(folder.name, scores, dict(_flat(recipe, "")), files.read_history(folder))


def _row(run: Compared, changed: Sequence[str]) -> dict[str, object]:
    scores = run.scores
    shown: dict[str, object] = {
        "run": run.name, "top-1 %": f"{100 * scores['top1']:.1f}", "mean of classes %": f"{100 * scores['macro']:.1f}",
        "ECE %": f"{100 * scores['ece']:.1f}", "sequences": int(scores["count"]),
    }  # fmt: skip
    return shown | {key: run.settings.get(key, "") for key in changed}


def _flat(values: dict[str, object], above: str) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in values.items():
        path = f"{above}{key}"
        if isinstance(value, dict):
            found += _flat(cast("dict[str, object]", value), f"{path}.")
        else:
            found.append((path, value))
    return found
