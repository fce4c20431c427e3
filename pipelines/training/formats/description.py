"""What a user says of a set that its file does not: class names, layout, rate; in `NAME.labels.toml` or by options."""

import csv
import io
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.skeleton.layouts import LAYOUTS
from pipelines.errors import DatasetInvalid
from pipelines.stream.file_names import printable
from pipelines.training.formats.channels import Channels
from pipelines.training.formats.text import read_text

BESIDE = ".labels.toml"
"""`clips.npz` is described by `clips.labels.toml`."""


class SetDescription(BaseModel):
    """What is known of a set beside its file; every field may be left out, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[str, ...] = Field(default=(), description="Names of the labels 0, 1, ...; wins over the file's own.")
    layout: str | None = Field(default=None, description="Joint layout, a name of models/skeleton/layouts.py.")
    fps: float | None = Field(default=None, gt=0, le=1000, description="Frames per second.")
    channels: Channels = Field(default="auto", description="What three channels are: xyz, or xys (x, y, score).")
    train: str | None = Field(default=None, description="The split to learn from.")
    test: str | None = Field(default=None, description="The split to measure on.")
    group: str | None = Field(default=None, description="The field that tells people or videos apart.")
    visible: float = Field(default=0.3, ge=0, le=1, description="Scores from here on count as seen.")
    terms: str | None = Field(default=None, description="What the set's owners allow; goes into the model's card.")
    everyday: dict[str, str] = Field(default={}, description="Class → everyday label, for training with those.")

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.layout is not None and self.layout not in LAYOUTS:
            raise ValueError(f"layout {self.layout!r} is not one of {', '.join(sorted(LAYOUTS))}")
        twice = sorted({name for name in self.classes if self.classes.count(name) > 1})
        if twice:
            raise ValueError(f"classes name {twice[0]!r} twice")
        return self


def describe_beside(path: Path) -> SetDescription:
    """What stands in `NAME.labels.toml` beside a set; nothing where there is no such file. Raises DatasetInvalid."""
    beside = path.with_name(path.stem + BESIDE)
    return read_description(beside) if beside.is_file() else SetDescription()


def read_description(path: Path) -> SetDescription:
    """A description out of a TOML file; raises DatasetInvalid that names the key."""
    name = printable(path.name)
    try:
        return SetDescription.model_validate(tomllib.loads(read_text(path)))
    except tomllib.TOMLDecodeError as cause:
        raise DatasetInvalid(f"{name}: {cause}") from cause
    except ValidationError as cause:
        first = cause.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DatasetInvalid(f"{name}: {where}: {first['msg']}") from cause


def with_labels(known: SetDescription, path: Path) -> SetDescription:
    """A description whose classes (and, from a TOML file, all else that is said) come from a file of labels.

    `.toml` as `NAME.labels.toml`; `.txt` one name per line; `.json` a list, or an object of names and indexes;
    `.csv` rows of index and name. Raises DatasetInvalid.
    """
    if path.suffix == ".toml":
        said = read_description(path)
        return known.model_copy(update={key: getattr(said, key) for key in said.model_fields_set})
    try:
        return SetDescription.model_validate(known.model_dump() | {"classes": _names(path)})
    except ValidationError as cause:
        raise DatasetInvalid(f"{printable(path.name)}: {cause.errors()[0]['msg']}") from cause


def _names(path: Path) -> tuple[str, ...]:
    name, text = printable(path.name), read_text(path)
    if path.suffix == ".json":
        try:
            found = _from_json(json.loads(text), name)
        except (ValueError, RecursionError) as cause:
            raise DatasetInvalid(f"{name}: not JSON ({cause})") from cause
    elif path.suffix == ".csv":
        try:
            found = _from_rows([row for row in csv.reader(io.StringIO(text, newline="")) if row], name)
        except csv.Error as cause:
            raise DatasetInvalid(f"{name}: not CSV ({cause})") from cause
    else:
        found = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not found or not all(found):
        raise DatasetInvalid(f"{name}: names no labels")
    return found


def _from_json(value: object, name: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if isinstance(value, dict):
        pairs = [
            (str(index), label) if isinstance(label, str) else (str(label), index) for index, label in value.items()
        ]
        return _in_order(pairs, name)
    raise DatasetInvalid(f"{name}: expected a list of names, or an object of names and indexes")


def _from_rows(rows: Sequence[Sequence[str]], name: str) -> tuple[str, ...]:
    pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) == 2]
    if len(pairs) < len(rows):
        raise DatasetInvalid(f"{name}: expected two columns, index and name")
    return _in_order(pairs[1:] if pairs and not pairs[0][0].isdecimal() else pairs, name)


def _in_order(pairs: Sequence[tuple[str, str]], name: str) -> tuple[str, ...]:
    """Names by their indexes, which must be 0, 1, 2, ..."""
    if not all(index.isdecimal() and len(index) < 9 for index, _ in pairs):
        raise DatasetInvalid(f"{name}: an index that is no whole number")
    ordered = dict(sorted((int(index), label) for index, label in pairs))
    if list(ordered) != list(range(len(pairs))):
        raise DatasetInvalid(f"{name}: indexes {sorted(ordered)[:5]}..., expected 0 to {len(pairs) - 1}")
    return tuple(ordered.values())


def describe_options(**said: object) -> SetDescription:
    """What options say; None and `auto` say nothing. Raises DatasetInvalid."""
    try:
        return SetDescription.model_validate({key: value for key, value in said.items() if value not in (None, "auto")})
    except ValidationError as cause:
        first = cause.errors()[0]
        raise DatasetInvalid(f"--{'.'.join(map(str, first['loc'])) or 'layout'}: {first['msg']}") from cause
