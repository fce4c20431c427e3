"""Reads text and JSON that others wrote: bounded, as numbers that are finite, every refusal with its file and place."""

import codecs
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable

_TEXT_BYTES_MAX = 512 * 2**20
_SHOWN = 40
LARGEST = 1e6
"""No coordinate of a real person, in pixels or millimetres, is as large as this."""


def read_text(path: Path) -> str:
    """A whole file as text: UTF-8, or UTF-16 with its mark. Raises DatasetInvalid."""
    name = printable(path.name)
    try:
        size_bytes = path.stat().st_size
        if not path.is_file():
            raise DatasetInvalid(f"{name}: not a regular file")
        if size_bytes > _TEXT_BYTES_MAX:
            raise DatasetInvalid(f"{name}: {size_bytes} bytes; at most {_TEXT_BYTES_MAX} are read")
        content = path.read_bytes()
    except OSError as cause:
        raise DatasetInvalid(f"{name}: cannot be read: {cause.strerror}") from cause
    coding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(coding)
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise DatasetInvalid(f"{name}: line {line}: not {coding.removesuffix('-sig').upper()} text") from cause
    if "\0" in text:
        raise DatasetInvalid(f"{name}: line {text[: text.index(chr(0))].count(chr(10)) + 1}: not text (a zero byte)")
    return text


def read_json(path: Path) -> object:
    """The value in a JSON file. Raises DatasetInvalid with the line at which it breaks off."""
    text, name = read_text(path), printable(path.name)
    try:
        found: object = json.loads(text)
    except json.JSONDecodeError as cause:
        raise DatasetInvalid(f"{name}: line {cause.lineno}: not JSON ({cause.msg})") from cause
    except (ValueError, RecursionError) as cause:
        raise DatasetInvalid(f"{name}: not JSON that can be read ({type(cause).__name__})") from cause
    return found


def field(row: object, key: str, where: str) -> object:
    """One value of a JSON object; raises DatasetInvalid where there is no such object or key."""
    if not isinstance(row, Mapping):
        raise DatasetInvalid(f"{where}: expected an object with {key!r}, found {shown(row)}")
    if key not in row:
        raise DatasetInvalid(f"{where}: {key!r} is missing")
    found: object = row[key]
    return found


def listed(value: object, where: str) -> Sequence[object]:
    """The value as a list; raises DatasetInvalid."""
    if not isinstance(value, list):
        raise DatasetInvalid(f"{where}: expected a list, found {shown(value)}")
    return value


def numbers(values: object, where: str) -> FloatArray:
    """(N,) float32 of a JSON list or of words; raises DatasetInvalid for what is no finite number of sensible size."""
    items = listed(values, where)
    try:
        with np.errstate(all="ignore"):
            found = np.array([_number(item) for item in items], np.float64)
    except (TypeError, ValueError, OverflowError) as cause:
        raise DatasetInvalid(f"{where}: {_strange(items)} is not a number") from cause
    if not np.isfinite(found).all():
        raise DatasetInvalid(f"{where}: {found[~np.isfinite(found)][0]} is not a finite number")
    if np.abs(found).max(initial=0.0) > LARGEST:
        raise DatasetInvalid(f"{where}: {found[np.abs(found).argmax()]:.3g} is no coordinate; at most {LARGEST:.0e}")
    return found.astype(np.float32)


def whole(value: object, where: str, low: int, high: int) -> int:
    """An integer in a range, of a JSON value or a word; raises DatasetInvalid."""
    try:
        found = int(value) if isinstance(value, str) else value
    except ValueError:
        found = value
    if isinstance(found, float) and found.is_integer() and abs(found) <= high:
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        raise DatasetInvalid(f"{where}: {shown(value)} is not a whole number")
    if not low <= found <= high:
        raise DatasetInvalid(f"{where}: {shown(found)} is out of range, expected {low} to {high}")
    return found


def shown(value: object) -> str:
    """A value as a message shows it: short, on one line."""
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return "a huge number"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _number(item: object) -> float:
    if isinstance(item, bool) or not isinstance(item, (int, float, str)):
        raise TypeError(type(item).__name__)
    return float(item)


def _strange(items: Sequence[object]) -> str:
    for item in items:
        try:
            _number(item)
        except (TypeError, ValueError, OverflowError):
            return shown(item)
    return "a value"
