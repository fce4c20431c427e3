"""What was measured, as Markdown: a table of sets, the classes of each, the confusion."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.training.metrics import Scores


def percent(value: float) -> str:
    """A share as a whole percentage, a dash where there is none."""
    return "–" if np.isnan(value) else f"{100 * value:.1f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def sets_table(scores: Mapping[str, Scores]) -> str:
    """One row per set: windows, share right, mean over classes, calibration error."""
    rows = [
        [name, str(item.count), percent(item.top1), percent(item.macro), percent(item.ece)]
        for name, item in scores.items()
    ]
    return table(["set", "windows", "top-1 %", "mean of classes %", "ECE %"], rows)


def classes_table(scores: Mapping[str, Scores], labels: Sequence[str]) -> str:
    """Share right of each label in each set, and its number of windows."""
    rows = []
    for index, label in enumerate(labels):
        cells = [
            f"{percent(float(item.per_class[index]))} ({int(item.confusion[index].sum())})"
            if item.confusion[index].any() else ""
            for item in scores.values()
        ]  # fmt: skip
        if any(cells):
            rows.append([label, *cells])
    return table(["label", *scores], rows)


def confusion_table(scores: Scores, labels: Sequence[str]) -> str:
    """Counts, rows true, columns said; only labels that occur in either."""
    used = np.flatnonzero(scores.confusion.any(axis=0) | scores.confusion.any(axis=1)).tolist()
    rows = [
        [labels[true], *(str(scores.confusion[true, said]) if scores.confusion[true, said] else "" for said in used)]
        for true in used
        if scores.confusion[true].any()
    ]
    return table(["true \\ said", *(labels[said] for said in used)], rows)


def run_report(
    title: str, scores: Mapping[str, Scores], whole: Scores, labels: Sequence[str], notes: Sequence[str]
) -> str:
    """The report of one run or one evaluation."""
    parts = [f"# {title}", *notes, "## Sets", sets_table(scores), "## Share right per label and set (windows)"]
    parts += [classes_table(scores, labels), "## Confusion, all sets", confusion_table(whole, labels)]
    return "\n\n".join(parts) + "\n"
