"""The model card: what a person must know before trusting the weights, rendered from model.json and the scores."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.training.metrics import Scores
from pipelines.training.report import classes_table, confusion_table, percent, sets_table, table


def write_card(folder: Path, whole: Scores, scores: Mapping[str, Scores], labels: Sequence[str]) -> None:
    """`card.md` beside `model.json`."""
    contract: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
    parts = [
        f"# {contract['name']}",
        _summary(contract),
        "## Actions",
        _actions(contract),
        "## Data and terms",
        _data(contract),
        "## Protocol",
        _protocol(contract),
        "## Measured on the test splits of the sets it learnt from",
        "Same places and sensors; other people only where the table of the protocol says so, else other videos, "
        "views or clips. The middle window of each clip; 3D joints from the front.",
        sets_table(scores),
        classes_table(scores, labels),
        "### Confusion, all test splits",
        confusion_table(whole, labels),
    ]
    parts += _left_out(contract["metrics"]) + _clips(contract["metrics"]) + _limits(contract["metrics"])
    (folder / "card.md").write_text("\n\n".join(part for part in parts if part) + "\n", "utf-8")


def _summary(contract: Mapping[str, Any]) -> str:
    metrics = contract["metrics"]
    held = metrics["held_out_people"]
    return (
        f"Says what one person does in the last {contract['window_s']:g} s, from COCO-17 joints "
        f"({contract['features']}: thirteen of them) at {contract['rate_hz']:g} Hz. Network {contract['network']}. "
        f"On held-out people and videos of the training splits: mean of classes {percent(held['macro'])} %, expected "
        f"calibration error {percent(held['ece'])} % after a temperature of {contract['temperature']}, which was "
        f"fitted on these windows. {unknown_line(contract)}"
    )


def with_unknown_line(text: str, contract: Mapping[str, Any]) -> str:
    """A card whose sentence on `unknown` says what the contract says now; unchanged where it has no such sentence."""
    found = re.search(r"(Below a highest probability|Above an energy) of [^\n]*", text)
    return text if found is None else f"{text[: found.start()]}{unknown_line(contract)}{text[found.end() :]}"


def unknown_line(contract: Mapping[str, Any]) -> str:
    """When the answer is `unknown`."""
    rule = contract["unknown"]
    words = {
        "max_probability": f"Below a highest probability of {rule['threshold']} the answer is `unknown`.",
        "energy": f"Above an energy of {rule['threshold']} the answer is `unknown`.",
        "off": "No window is refused as unlike everything that was learnt.",
    }[rule["method"]]
    for name, family in contract.get("families", {}).items():
        words += (
            f" So it is where a {name} ({', '.join(family['labels'])}) is seen with {family['threshold']} or more, and "
            f"no member has {100 * family['share']:.1f} % of that."
        )
    how = contract["protocol"].get("unknown")
    return f"{words} Chosen: {how}." if how else words


def _actions(contract: Mapping[str, Any]) -> str:
    rows = [
        [name, rule["quality"], rule["severity"], f"{rule['threshold']:.2f}", f"{rule['offset_threshold']:.2f}",
         f"{rule['min_duration_s']:g}", f"{rule['merge_gap_s']:g}"]
        for name, rule in contract["actions"].items()
    ]  # fmt: skip
    header = ["action", "quality", "severity", "begins at", "ends below", "least s", "merges pauses up to s"]
    return f"{table(header, rows)}\n\n{contract['protocol']['quality']}. Everything else is experimental."


def _data(contract: Mapping[str, Any]) -> str:
    return table(
        ["set", "terms as its owners or its source state them"], [list(row) for row in contract["data"].items()]
    )


def _protocol(contract: Mapping[str, Any]) -> str:
    splits = contract["protocol"]["splits"]
    notes = [contract["protocol"][name] for name in ("members", "absent") if name in contract["protocol"]]
    parts = [table(["set", "learnt from / reported on"], [list(row) for row in splits.items()])]
    parts += [f"{note[0].upper()}{note[1:]}." for note in notes]
    parts.append(
        f"Chosen on: {contract['protocol']['choices']}. Joints of 3D sets go through random virtual cameras; falls and "
        "lying are also made by tipping upright bodies over. Settings of the run are in `model.json`."
    )
    return "\n\n".join(parts)


def _left_out(metrics: Mapping[str, Any]) -> list[str]:
    rows = metrics.get("left_out")
    if not rows:
        return []
    names = sorted({label for row in rows.values() for label in row["classes"]})
    cells = [
        [label, *(_cell(row["classes"].get(label)) for row in rows.values())] for label in names
    ]  # fmt: skip
    return [
        "## Measured on sets left out whole",
        str(metrics.get("left_out_note", "A network of this recipe that never saw the set; share right (windows).")),
        table(["label", *rows], cells),
    ]


def _cell(found: Mapping[str, float] | None) -> str:
    return "" if found is None else f"{percent(found['share'])} ({found['windows']})"


def _clips(metrics: Mapping[str, Any]) -> list[str]:
    if "clips" not in metrics:
        return []
    return ["## Measured on video, UP-Fall left out", *(f"- {line}" for line in metrics["clips"])]


def _limits(metrics: Mapping[str, Any]) -> list[str]:
    return ["## Known limits", *(f"- {line}" for line in metrics.get("limits", []))] if metrics.get("limits") else []
