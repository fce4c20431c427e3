"""The three formats of results, each a file that the worker wrote, and how a client chooses one."""

from dataclasses import dataclass
from typing import Literal

ResultFormat = Literal["jsonl", "json", "csv"]


@dataclass(frozen=True, slots=True)
class Form:
    """A file in a job's folder, and its media type."""

    name: str
    media_type: str


FORMS: dict[ResultFormat, Form] = {
    "jsonl": Form("results.jsonl", "application/x-ndjson"),
    "json": Form("results.json", "application/json"),
    "csv": Form("results.csv", "text/csv; charset=utf-8"),
}
_TYPES: dict[str, ResultFormat] = {
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json": "json",
    "text/csv": "csv",
}


def negotiate(accept: str) -> ResultFormat:
    """The format that an Accept header prefers; JSON Lines when it names none of ours."""
    best: tuple[float, ResultFormat] = (0.0, "jsonl")
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((_weight(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
        found = _TYPES.get(media_type.lower())
        if found is not None and weight > best[0]:
            best = (weight, found)
    return best[1]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
