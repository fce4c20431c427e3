"""The three forms of results: JSON Lines as stored, JSON and CSV made from it line by line."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

ResultFormat = Literal["jsonl", "json", "csv"]
_TYPES: dict[str, ResultFormat] = {
    "application/x-ndjson": "jsonl", "application/jsonl": "jsonl", "application/json": "json", "text/csv": "csv",
}  # fmt: skip


def negotiate(accept: str) -> ResultFormat:
    """The form that an Accept header likes best; JSON Lines when it names none of ours."""
    best: tuple[float, ResultFormat] = (0.0, "jsonl")
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((_weight(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        found = _TYPES.get(media_type.lower())
        if found is not None and weight > best[0]:
            best = (weight, found)
    return best[1]


def convert(path: Path, wanted: ResultFormat) -> tuple[str, Iterator[str]]:
    """Media type and text of the results in another form, made while it is read."""
    if wanted == "json":
        return "application/json", _iter_json(path)
    return "text/csv; charset=utf-8", _iter_csv(path)


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _iter_json(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        opener = "[\n"
        for line in lines:
            yield opener + line.rstrip("\n")
            opener = ",\n"
        yield "[]\n" if opener == "[\n" else "\n]\n"


def _iter_csv(path: Path) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ("frame_index", "time_s", "track_id", "x1", "y1", "x2", "y2", "action", "score", "status", "reason")
    )
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            for person in entry.get("persons", ()):
                writer.writerow(
                    (
                        entry.get("frame_index"), entry.get("time_s"), person.get("track_id"),
                        *person.get("box", [""] * 4), person.get("action"), person.get("score"),
                        person.get("status"), person.get("reason"),
                    )
                )  # fmt: skip
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
