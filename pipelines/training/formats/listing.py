"""Lists of recordings, CSV, TSV or PYSKL's `path label` lines: which file shows what, when, for which split."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.recordings import Recording
from pipelines.training.formats.text import read_text, shown

LIST_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What lists and folders call the parts of a set."""
_COLUMNS = {
    "video": "video", "path": "video", "file": "video", "filename": "video", "clip": "video", "label": "label",
    "class": "label", "action": "label", "start": "start", "start_s": "start", "from_s": "start", "end": "end",
    "end_s": "end", "to_s": "end", "split": "split", "part": "split", "subject": "subject", "person": "subject",
    "actor": "subject", "group": "subject",
}  # fmt: skip
_PLAIN = ("video", "label", "start", "end", "split", "subject")
Refused = Callable[[str, str], None]


def read_list(path: Path, on_refused: Refused) -> list[Recording]:
    """The recordings of a list, paths as seen from it. A row that cannot be used is reported and left out.

    on_refused: called with file and line, and with the reason. Raises DatasetInvalid for a file that is no list.
    """
    name, text = printable(path.name), read_text(path)
    rows = [(line, row) for line, row in _split_rows(path, text) if any(cell.strip() for cell in row)]
    if not rows:
        raise DatasetInvalid(f"{name}: an empty list")
    columns, body = _columns(name, rows, path.parent)
    found = []
    for line, row in body:
        try:
            found.append(_source(dict(zip(columns, (cell.strip() for cell in row), strict=False)), path.parent))
        except DatasetInvalid as cause:
            on_refused(f"{name}: line {line}", str(cause))
    return found


def split_of(name: str) -> str | None:
    """The part of a set that a path's folders name: `train/walk/01` and `walk/train/01` are of `train`."""
    return next((SPLITS[part.lower()] for part in name.split("/")[:-1] if part.lower() in SPLITS), None)


def class_of(source: Recording) -> str:
    """The class that a recording's folder names: the nearest folder above it that is no part of a set."""
    folders = [part for part in source.name.split("/")[:-1] if part.lower() not in SPLITS]
    if folders:
        return folders[-1]
    above = [part for part in source.path.absolute().parent.parts if part.lower() not in SPLITS]
    return printable(above[-1]) if above else "unnamed"


def _split_rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    if path.suffix == ".txt":
        # PYSKL's and MMAction2's lists: a path and a whole number.
        yield from ((number, line.rsplit(maxsplit=1)) for number, line in enumerate(text.splitlines(), 1))
        return
    first = text.lstrip().split("\n", 1)[0]
    delimiter = "\t" if path.suffix == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as cause:
        raise DatasetInvalid(f"{printable(path.name)}: line {reader.line_num}: {cause}") from cause


def _columns(
    name: str, rows: Sequence[tuple[int, list[str]]], folder: Path
) -> tuple[Sequence[str], Sequence[tuple[int, list[str]]]]:
    """What each column holds, by its header; a list without one has `video,label` and so on in that order."""
    header = [cell.strip().lower() for cell in rows[0][1]]
    is_header = any(_COLUMNS.get(cell) == "video" for cell in header) and not (folder / rows[0][1][0].strip()).is_file()
    if not is_header:
        if "label" in header or "split" in header:
            raise DatasetInvalid(f"{name}: line 1: no column `video` among {', '.join(header)}")
        return _PLAIN, rows
    columns = [_COLUMNS.get(cell, f"other {cell}") for cell in header]
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice is not None:
        raise DatasetInvalid(f"{name}: line 1: two columns for `{twice}`")
    return columns, rows[1:]


def _source(row: Mapping[str, str], folder: Path) -> Recording:
    given = row.get("video", "")
    if not given:
        raise DatasetInvalid("no video is named")
    path = folder / given
    if not path.exists():
        raise DatasetInvalid(f"{given}: no such file")
    split = row.get("split", "").lower()
    if split and split not in SPLITS:
        raise DatasetInvalid(f"split {shown(row['split'])}, expected train, val or test")
    from_s, to_s = _seconds(row.get("start", ""), "start"), _seconds(row.get("end", ""), "end")
    if to_s is not None and to_s <= (from_s or 0.0):
        raise DatasetInvalid(f"end {to_s:g} s is not after start {from_s or 0:g} s")
    name = Path(given).with_suffix("") if path.is_file() else Path(given)
    plain = "/".join(part for part in name.parts if part not in ("/", "..", "."))
    return Recording(
        path, printable(plain), "", row.get("label") or None, SPLITS.get(split), row.get("subject") or None,
        from_s or 0.0, to_s,
    )  # fmt: skip


def _seconds(text: str, column: str) -> float | None:
    """Seconds, or minutes and seconds as 1:02.5; None for an empty cell."""
    if not text:
        return None
    try:
        found = 0.0
        for part in text.split(":"):
            found = 60 * found + float(part)
    except ValueError as cause:
        raise DatasetInvalid(f"{column} is {shown(text)}, expected seconds") from cause
    if not math.isfinite(found) or not 0 <= found < 10**7:
        raise DatasetInvalid(f"{column} is {shown(text)}, expected seconds from 0")
    return found
