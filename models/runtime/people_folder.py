"""A detector or pose estimator as a folder, `model.onnx` and `model.json`: written by an export, or by hand."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from models.atomic_file import replacing
from models.errors import ContractMismatch, FolderUnwritable, WeightsCorrupt, WeightsMissing
from models.runtime.families import FAMILIES
from models.skeleton.layouts import require_layout
from models.weights.registry import PERSON_LABEL, DecodeValue, FileSpec, InputContract, ModelSpec

FORMAT = "actogram-people-1"
"""What `format` says in the model.json of such a folder; an action model's has none."""
_WEIGHTS, _MANIFEST = "model.onnx", "model.json"
_MANIFEST_BYTES_MAX = 2**20
_WEIGHTS_BYTES_MAX = 2**31
"""An ONNX file without files beside it cannot be larger."""
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$"

_Channels = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Input(_Part):
    """The same fields as InputContract."""

    size_wh: tuple[Annotated[int, Field(ge=8, le=4096)], Annotated[int, Field(ge=8, le=4096)]]
    colour: Literal["bgr", "rgb"] = "bgr"
    mean: _Channels = (0.0, 0.0, 0.0)
    std: _Channels = (1.0, 1.0, 1.0)
    max_batch: int = Field(default=0, ge=0, le=1024)

    @field_validator("std")
    @classmethod
    def _divides(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if min(value) <= 0:
            raise ValueError(f"expected numbers above 0, found {list(value)}")
        return value


class _Manifest(_Part):
    """What model.json says; keys that are not known are left alone."""

    format: Literal["actogram-people-1"]
    name: str = Field(pattern=_NAME)
    task: Literal["detect", "pose", "detect_pose"]
    family: str
    layout: str = ""
    labels: tuple[Annotated[str, Field(max_length=128)], ...] = Field(default=(), max_length=10_000)
    input: _Input
    decode: dict[str, JsonValue] = Field(default={}, max_length=100)
    licence: str = Field(default="", max_length=200)
    terms: str = Field(default="", max_length=1000)
    source: str = Field(default="", max_length=1000)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _task_is_the_familys(self) -> Self:
        if self.family not in FAMILIES:
            raise ValueError(f"family {self.family[:40]!r} is not one of {', '.join(FAMILIES)}")
        if FAMILIES[self.family] != self.task:
            raise ValueError(f"family {self.family} has the task {FAMILIES[self.family]}, found {self.task}")
        if self.task == "detect" and self.layout:
            raise ValueError(f"a detector has no joints, found layout {self.layout[:40]!r}")
        return self

    @model_validator(mode="after")
    def _person_is_among_labels(self) -> Self:
        names = [label.lower() for label in self.labels]
        if self.task != "pose" and len(names) != 1 and PERSON_LABEL not in names:
            shown = ", ".join(self.labels[:10]) or "none"
            raise ValueError(f"labels: expected {PERSON_LABEL!r} among them, or one alone, found {shown}")
        return self

    @model_validator(mode="after")
    def _options_are_possible(self) -> Self:
        for name, value in self.decode.items():
            if name in _OPTIONS and not _OPTIONS[name].allows(value):
                raise ValueError(f"decode.{name}: found {value!r}, expected {_OPTIONS[name].expected}")
        return self


def load_people_folder(folder: Path) -> tuple[ModelSpec, Path]:
    """The network of a folder and its weight file, whose sha256 has been checked.

    Raises WeightsMissing, WeightsCorrupt, ContractMismatch (a model.json that says something impossible, or a file that
    leads out of the folder) or LayoutUnknown.
    """
    spec = read_people_folder(folder)
    path = _inside(folder, _WEIGHTS, _WEIGHTS_BYTES_MAX)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    expected = spec.require_file("model").sha256
    if found != expected:
        raise WeightsCorrupt(f"{path}: sha256 {found[:12]}, model.json says {expected[:12]}")
    return spec, path


def read_people_folder(folder: Path) -> ModelSpec:
    """What a folder says of its network, the weights unopened; raises what `load_people_folder` raises for that."""
    path = _inside(folder, _MANIFEST, _MANIFEST_BYTES_MAX)
    try:
        return _spec(_parsed(path.read_bytes(), path))
    except OSError as error:
        raise WeightsMissing(f"{path}: cannot be read: {error.strerror}") from error


def is_people_folder(folder: Path) -> bool:
    """Whether a folder's model.json calls itself a detector or pose estimator, readable or not."""
    try:
        found = json.loads(_inside(folder, _MANIFEST, _MANIFEST_BYTES_MAX).read_bytes())
    except (WeightsMissing, ContractMismatch, OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("format", "")).startswith("actogram-people")


def write_people_folder(folder: Path, spec: ModelSpec, weights: Path, source: str = "") -> Path:
    """Write a network as such a folder, made where it is lacking; an older network in it is replaced.

    spec: its `files` and `card` are not used. weights: the ONNX file, copied unless it is there already.
    source: where the network comes from, in a few words. Returns the folder. Raises FolderUnwritable, WeightsMissing,
    and ContractMismatch or LayoutUnknown where the folder could not be loaded again.
    """
    if not weights.is_file():
        raise WeightsMissing(f"{weights}: no such weight file")
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    text = json.dumps(_written(spec, source, sha256), indent=2, ensure_ascii=False) + "\n"
    _parsed(text.encode(), folder / _MANIFEST)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if weights.resolve() != (folder / _WEIGHTS).resolve():
            with replacing(folder / _WEIGHTS) as part:
                shutil.copyfile(weights, part)
        with replacing(folder / _MANIFEST) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FolderUnwritable(f"{folder}: {error.strerror or error}") from error
    return folder


def _parsed(content: bytes, path: Path) -> _Manifest:
    """Raises ContractMismatch, which names the field, or LayoutUnknown."""
    try:
        manifest = _Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        if first["loc"] == ("format",):
            raise ContractMismatch(
                f"{path}: found no format {FORMAT}, which detectors and pose estimators have"
            ) from error
        raise ContractMismatch(f"{path}: {where}{first['msg'].removeprefix('Value error, ')}") from error
    if manifest.task != "detect":
        # The joints by which people are followed; it says which are lacking.
        _ = require_layout(manifest.layout).body
    return manifest


def _written(spec: ModelSpec, source: str, sha256: str) -> Mapping[str, object]:
    """The content of model.json."""
    given = spec.input
    return {
        "format": FORMAT,
        "name": spec.name,
        "task": spec.task,
        "family": spec.family,
        "layout": spec.layout,
        "labels": list(spec.labels),
        "input": {
            "size_wh": list(given.size_wh),
            "colour": given.colour,
            "mean": list(given.mean),
            "std": list(given.std),
            "max_batch": given.max_batch,
        },
        "decode": dict(spec.decode),
        "licence": spec.licence,
        "terms": spec.terms,
        "source": source,
        "sha256": sha256,
    }


def _inside(folder: Path, name: str, bytes_max: int) -> Path:
    """A file of the folder; raises WeightsMissing, and ContractMismatch for one that is elsewhere or too large."""
    path = folder / name
    if not path.is_file():
        raise WeightsMissing(f"{path}: no such file; a detector is a folder with {_MANIFEST} and {_WEIGHTS}")
    if path.resolve().parent != folder.resolve():
        raise ContractMismatch(f"{path}: leads out of its folder, expected the file itself")
    size = path.stat().st_size
    if size > bytes_max:
        raise ContractMismatch(f"{path}: {size} bytes, expected at most {bytes_max}")
    return path


def _spec(manifest: _Manifest) -> ModelSpec:
    given = manifest.input
    lines = (manifest.source, manifest.licence and f"Licence: {manifest.licence}.", manifest.terms)
    return ModelSpec(
        name=manifest.name,
        task=manifest.task,
        family=manifest.family,
        files={"model": FileSpec(_WEIGHTS, manifest.sha256)},
        layout=manifest.layout,
        labels=manifest.labels,
        input=InputContract(given.size_wh, given.colour, given.mean, given.std, given.max_batch),
        licence=manifest.licence,
        card="\n\n".join(line for line in lines if line),
        terms=manifest.terms,
        decode={name: value for name, value in manifest.decode.items() if _is_plain(value)},
    )


def _is_plain(value: JsonValue) -> TypeGuard[DecodeValue]:
    return isinstance(value, str | bool | int | float)


def _is_number(value: JsonValue) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class _Option:
    """One option of decoding: what it may be, as a check and in words."""

    allows: Callable[[JsonValue], bool]
    expected: str


_SHARE = _Option(lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1")
_OPTIONS: Mapping[str, _Option] = MappingProxyType(
    {
        "score_threshold": _SHARE,
        "iou_threshold": _SHARE,
        "method": _Option(lambda value: value in ("default", "dark", "none"), "default, dark or none"),
        "blur_kernel": _Option(
            lambda value: _is_number(value) and value in range(1, 100, 2), "an odd whole number from 1 to 99"
        ),
        "split_ratio": _Option(lambda value: _is_number(value) and 0 < value <= 16, "a number above 0, at most 16"),
    }
)
"""What is known of `decode`: score and overlap of a detector's boxes, the reading of heatmaps, of SimCC's classes."""
