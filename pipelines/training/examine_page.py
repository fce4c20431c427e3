"""An examination as Markdown: one section per question, each with its table."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.training.report import table

Part = Mapping[str, Any]


def page(found: Part) -> str:
    """All sections; a part that was not run says so."""
    names = ", ".join(f"{row['name']} (seed {row['seed']}, temperature {row['temperature']})" for row in found["model"])
    parts = [
        f"# Examination of {names or 'a served model'}",
        f"{found['looked_at'][0].upper()}{found['looked_at'][1:]}.",
    ]
    for title, key, section in (
        ("Sources left out whole", "left_out", _left_out), ("People held out inside sets", "people", _people),
        ("Whole videos, event by event", "events", _events), ("What is like no label", "open_set", _open_set),
        ("Calibration in places never seen", "calibration", _calibration),
    ):  # fmt: skip
        part = found[key]
        parts += [f"## {title}", *(section(part) if part["status"] == "measured" else [_not_run(part)])]
    return "\n\n".join(parts) + "\n"


def _not_run(part: Part) -> str:
    return f"Not run: {part['why']}." if "why" in part else "Not run."


def _share(row: Part | None) -> str:
    """A mean share and its spread, percent."""
    if row is None or row["mean"] is None:
        return ""
    return f"{100 * row['mean']:.1f}" + (f" ± {100 * row['spread']:.1f}" if row["seeds"] > 1 else "")


def _left_out(part: Part) -> list[str]:
    sets = list(part["top1"])
    rows = [
        [label, _share(row["mean"]), *(_cell(row["sets"].get(name)) for name in sets)]
        for label, row in part["labels"].items()
    ]
    rows.append(["all windows", "", *(_share(part["top1"][name]) for name in sets)])
    runs = part["runs"]
    how = (
        f"Runs of `{runs['name']}` (network {runs['network']['name']}, {runs['optim']['steps']} steps), "
        f"seeds {', '.join(map(str, part['seeds']))}, {part['left_out_together']} sources left out of each. Share "
        "right in %, mean over seeds ± half their range (windows). A label's mean and its ± are over its sets."
    )
    missing = part["missing"]
    return [how, table(["label", "mean", *sets], rows), *([f"Not run: {', '.join(missing)}."] if missing else [])]


def _cell(row: Part | None) -> str:
    return "" if row is None else f"{_share(row['share'])} ({row['windows']})"


def _people(part: Part) -> list[str]:
    rows = [
        [name, row["apart"], str(row["windows"]), _share(row["macro"]), _share(row["ece"])]
        for name, row in part["sets"].items()
    ]
    return [
        "The test part of each set, one window per clip, 3D from the front. Only where other people test is it a "
        f"number on people never seen; the mean over those sets is {_share(part['mean_over_sets_of_people'])} %.",
        table(["set", "never in both parts", "windows", "mean of classes %", "ECE %"], rows),
    ]


def _events(part: Part) -> list[str]:
    parts: list[str] = []
    for name, row in part["sets"].items():
        parts += [f"### {name}", _event_line(row), _event_table(row["actions"]), _said(row["said"])]
    return [text for text in parts if text]


def _event_line(row: Part) -> str:
    learnt = row["learnt_from_and_left_out"]
    ece = "" if row["ece"] is None else f", ECE {100 * row['ece']:.1f} % on {row['windows_sure_of']} windows"
    return (
        f"{row['clips']} videos, {row['track_s']} s of tracks: false events an hour {row['false_events_per_hour']}, of "
        f"them with severity warning or alarm {row['false_alarms_per_hour']}; falls invented {row['falls_invented']}; "
        f"flips a minute {row['flips_per_minute']}; `unknown` {100 * row['unknown_share']:.1f} % of windows{ece}."
        + (f" Learnt from, so not counted: {', '.join(learnt)}." if learnt else "")
    )


def _event_table(actions: Part) -> str:
    rows = [
        [name, str(row["seen"]), str(row["found"]), str(row["right_events"]), str(row["false_events"]),
         _plain(row["precision"]), _plain(row["recall"]), _times(row["confirm_s"])]
        for name, row in actions.items()
    ]  # fmt: skip
    head = [
        "action",
        "seen",
        "found",
        "right events",
        "false events",
        "precision",
        "recall",
        "to confirm s: least, median, most",
    ]
    return table(head, rows)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _times(value: Sequence[float] | None) -> str:
    return "" if value is None else ", ".join(f"{item:.2f}" for item in value)


def _said(said: Part) -> str:
    rows = [
        [seen, ", ".join(f"{action} {count}" for action, count in counts.items())] for seen, counts in said.items()
    ]  # fmt: skip
    return table(["seen", "confirmed events of the one who acts, in how many videos"], rows)


def _open_set(part: Part) -> list[str]:
    rows = [
        [name, f"{part[name]['auroc']['mean']:.3f}", _share(part[name]["passes_as_an_action"])]
        for name in ("max_probability", "energy")
    ]
    sets = ", ".join(f"{name} {count}" for name, count in part["foreign_sets"].items())
    return [
        f"{part['known_windows']} windows of test parts whose label it knows against {part['foreign_windows']} of what "
        f"it never learnt ({sets}). Passing: called an action where 3 % of the right answers are given up.",
        table(["rule", "AUROC", "foreign windows that pass as an action %"], rows),
    ]


def _calibration(part: Part) -> list[str]:
    rows = [[name, _share(row)] for name, row in part["sets"].items()]
    return [
        f"Expected calibration error of the runs that never saw the set; mean over sets {_share(part['mean'])} %.",
        table(["set", "ECE %"], rows),
    ]
