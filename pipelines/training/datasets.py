"""Skeleton sets on disk: PYSKL's pickles, read without executing what is in them, and the same content as .npz."""

import io
import json
import math
import pickle
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.atomic_file import replacing
from pipelines.errors import DatasetInvalid
from pipelines.training import pickles

COCO17_JOINTS = 17
_FILE_BYTES_MAX = 8 * 2**30
_UNPACKED_BYTES_MAX = 8 * 2**30
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_RATIO_MAX = 200
"""Bytes that one byte of an .npz may unpack to; joints of real people come to three or four."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One sequence of joints.

    name:     unique within its set (PYSKL's `frame_dir`).
    label:    index into the set's classes; -1 where the sequence carries a label per frame instead.
    keypoint: (M, T, V, D) float32, D is 2 or 3.
    score:    (M, T, V) float32, 0..1, 1 where the set gives none.
    shape_hw: height and width of the picture in pixels, None where unknown.
    extra:    whatever else the set says of it: subject, view, video, frame_label, ...
    """

    name: str
    label: int
    keypoint: FloatArray
    score: FloatArray
    shape_hw: tuple[int, int] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkeletonSet:
    """Sequences with their classes and official splits.

    splits:    split name → names of sequences.
    to_coco17: for each COCO-17 joint its index in the source's layout, or None.
    rate_hz:   frames per second of the sequences, None where the file does not say.
    meta:      licence, source, notes: all that describes the set as a whole.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    annotations: tuple[Annotation, ...]
    to_coco17: tuple[int | None, ...] | None = None
    rate_hz: float | None = None
    meta: Mapping[str, object] = field(default_factory=dict)


def load_set(path: Path) -> SkeletonSet:
    """Read a `.pkl` in PYSKL's format or a `.npz` of ours; raises DatasetInvalid."""
    if not path.is_file():
        raise DatasetInvalid(f"{path}: no such file")
    size_bytes = path.stat().st_size
    if size_bytes > _FILE_BYTES_MAX:
        raise DatasetInvalid(f"{path.name}: {size_bytes} bytes, at most {_FILE_BYTES_MAX} are read")
    if path.suffix == ".npz":
        return _parse(path.stem, _read_npz(path))
    return _parse(path.stem, _read_pickle(path))


def save_set(skeletons: SkeletonSet, path: Path) -> None:
    """Write a set: `.npz` (open, no pickle) or `.pkl` (PYSKL's format), by the ending of the path."""
    check_target(path)
    raw = _unparse(skeletons)
    with replacing(path) as part, part.open("wb") as file:
        if path.suffix == ".pkl":
            pickle.dump(raw, file, protocol=4)
        else:
            _write_npz(raw, file)


def check_target(path: Path) -> None:
    """Raise DatasetInvalid now where `save_set` would later, after the work was done."""
    if path.suffix not in {".npz", ".pkl"}:
        raise DatasetInvalid(f"{path}: expected a name ending in .npz or .pkl")
    if not path.parent.is_dir():
        raise DatasetInvalid(f"{path}: the folder {path.parent} does not exist")


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        raw = pickles.loads(path.read_bytes())
    except OSError as cause:
        raise DatasetInvalid(f"{path.name}: cannot be read: {cause.strerror}") from cause
    except DatasetInvalid as cause:
        raise DatasetInvalid(f"{path.name}: {cause}") from cause
    if not isinstance(raw, dict):
        raise DatasetInvalid(f"{path.name}: expected a dict with `split` and `annotations`, got {type(raw).__name__}")
    return raw


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            _require_modest(archive, path)
            raw: dict[str, Any] = json.loads(str(_member(archive, "meta")))
            for row in raw["annotations"]:
                for key in row.pop("arrays"):
                    row[key] = _member(archive, f"{row['index']}/{key}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, NotImplementedError,
            RuntimeError, zlib.error, zipfile.BadZipFile) as cause:  # fmt: skip
        raise DatasetInvalid(f"{path.name}: not a skeleton set ({type(cause).__name__}: {cause})") from cause
    return raw


def _require_modest(archive: zipfile.ZipFile, path: Path) -> None:
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(_UNPACKED_BYTES_MAX, _RATIO_MAX * path.stat().st_size + 2**20):
        raise ValueError(f"{path.stat().st_size} bytes that unpack to {unpacked}")


def _member(archive: zipfile.ZipFile, name: str) -> AnyArray:
    """One array; its shape and its bytes must agree before anything is allocated."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
            version
        ]
        shape, is_fortran, dtype = read_header(file)
        expected = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "biufU" or dtype.hasobject or expected > info.file_size:
            raise ValueError(f"{name}: {dtype} of shape {shape} in {info.file_size} bytes")
        content = file.read(expected)
    found: AnyArray = np.frombuffer(content, dtype, math.prod(shape))
    return found.reshape(shape, order="F" if is_fortran else "C").copy(order="K")


def _write_npz(raw: dict[str, Any], file: io.BufferedWriter) -> None:
    arrays: dict[str, AnyArray] = {}
    rows = []
    for index, annotation in enumerate(raw["annotations"]):
        own = {key: value for key, value in annotation.items() if isinstance(value, np.ndarray)}
        arrays |= {f"{index}/{key}": value for key, value in own.items()}
        rest = {key: value for key, value in annotation.items() if key not in own}
        rows.append(rest | {"index": index, "arrays": sorted(own)})
    meta = json.dumps(raw | {"annotations": rows}, default=_plain)
    np.savez_compressed(file, meta=np.array(meta), **arrays)  # type: ignore[arg-type]  # numpy's stub takes **kwds for bools


def _plain(value: object) -> object:
    """JSON's word for numpy's scalars."""
    if isinstance(value, np.generic):
        return value.item()
    raise DatasetInvalid(f"{type(value).__name__} {value!r} cannot be written as JSON")


def _parse(name: str, raw: dict[str, Any]) -> SkeletonSet:
    try:
        classes = tuple(str(label) for label in raw.get("classes", ()))
        splits = {str(key): tuple(str(item) for item in items) for key, items in raw["split"].items()}
        annotations = tuple(_annotation(row) for row in raw["annotations"])
        rest = {key: value for key, value in raw.items() if key not in {"split", "annotations"}}
        to_coco17 = _mapping(rest.get("to_coco17"))
        rate_hz = float(rest["fps"]) if rest.get("fps") else None
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as cause:
        raise DatasetInvalid(f"{name}: {type(cause).__name__}: {cause}") from cause
    skeletons = SkeletonSet(name, classes, splits, annotations, to_coco17, rate_hz, rest)
    _check(skeletons)
    return skeletons


def _mapping(value: object) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    found = tuple(cast("Iterable[int | None]", value))
    if len(found) != COCO17_JOINTS or any(index is not None and not int(index) >= 0 for index in found):
        raise DatasetInvalid(
            f"`to_coco17` holds {len(found)} places, expected {COCO17_JOINTS}: an index of each or None"
        )
    return tuple(None if index is None else int(index) for index in found)


def _annotation(row: Mapping[str, Any]) -> Annotation:
    name = str(row["frame_dir"])
    with np.errstate(over="ignore"):
        keypoint = np.asarray(row["keypoint"], np.float32)
    if keypoint.ndim != 4 or keypoint.shape[-1] not in (2, 3):
        raise DatasetInvalid(f"{name}: keypoint has shape {keypoint.shape}, expected (M, T, V, 2 or 3)")
    score = row.get("keypoint_score")
    score = np.ones(keypoint.shape[:3], np.float32) if score is None else np.asarray(score, np.float32)
    if score.shape != keypoint.shape[:3]:
        raise DatasetInvalid(f"{name}: keypoint_score has shape {score.shape}, expected {keypoint.shape[:3]}")
    if not np.isfinite(keypoint).all() or not np.isfinite(score).all():
        raise DatasetInvalid(f"{name}: keypoint or keypoint_score holds a value that is not a number")
    shape = row.get("img_shape")
    shape_hw = (int(shape[0]), int(shape[1])) if shape is not None else None
    known = {"frame_dir", "label", "keypoint", "keypoint_score", "img_shape"}
    return Annotation(
        name, int(row["label"]), keypoint, score, shape_hw, {k: v for k, v in row.items() if k not in known}
    )


def _check(skeletons: SkeletonSet) -> None:
    names = {annotation.name for annotation in skeletons.annotations}
    if len(names) != len(skeletons.annotations):
        raise DatasetInvalid(
            f"{skeletons.name}: {len(skeletons.annotations)} sequences have only {len(names)} different names"
        )
    for split, items in skeletons.splits.items():
        lost = [item for item in items if item not in names]
        if lost:
            raise DatasetInvalid(
                f"{skeletons.name}: split {split!r} names {lost[0]!r}, which is not among the sequences"
            )
    joints = max((index for index in skeletons.to_coco17 or () if index is not None), default=-1)
    for annotation in skeletons.annotations:
        if annotation.keypoint.shape[2] <= joints:
            raise DatasetInvalid(
                f"{annotation.name}: {annotation.keypoint.shape[2]} joints, `to_coco17` names joint {joints}"
            )
        if skeletons.classes and not -1 <= annotation.label < len(skeletons.classes):
            raise DatasetInvalid(f"{annotation.name}: label {annotation.label} of {len(skeletons.classes)} classes")


def _unparse(skeletons: SkeletonSet) -> dict[str, Any]:
    rows = [_row(annotation) for annotation in skeletons.annotations]
    meta = dict(skeletons.meta) | {"classes": list(skeletons.classes), "fps": skeletons.rate_hz}
    meta["to_coco17"] = list(skeletons.to_coco17) if skeletons.to_coco17 is not None else None
    return meta | {"split": {key: list(items) for key, items in skeletons.splits.items()}, "annotations": rows}


def _row(annotation: Annotation) -> dict[str, Any]:
    _, T, _, D = annotation.keypoint.shape
    return dict(annotation.extra) | {
        "frame_dir": annotation.name,
        "total_frames": T,
        "label": annotation.label,
        "keypoint": annotation.keypoint.astype(np.float16 if D == 3 else np.float32),
        "keypoint_score": annotation.score.astype(np.float16),
        "img_shape": annotation.shape_hw,
        "original_shape": annotation.shape_hw,
    }


def to_coco17(skeletons: SkeletonSet, annotation: Annotation) -> tuple[FloatArray, FloatArray]:
    """(M, T, 17, D) joints and (M, T, 17) scores in COCO-17 order; a joint the set lacks has score 0."""
    if skeletons.to_coco17 is None:
        raise DatasetInvalid(f"{skeletons.name}: no `to_coco17`, so its joints cannot be mapped")
    source = [index for index in skeletons.to_coco17 if index is not None]
    target = [joint for joint, index in enumerate(skeletons.to_coco17) if index is not None]
    M, T, _, D = annotation.keypoint.shape
    keypoint, score = np.zeros((M, T, 17, D), np.float32), np.zeros((M, T, 17), np.float32)
    keypoint[:, :, target] = annotation.keypoint[:, :, source]
    score[:, :, target] = annotation.score[:, :, source]
    return keypoint, score


def select(skeletons: SkeletonSet, names: Iterable[str]) -> list[Annotation]:
    """The sequences of those names, in the order of the set."""
    wanted = set(names)
    return [annotation for annotation in skeletons.annotations if annotation.name in wanted]


def frame_labels(annotation: Annotation) -> AnyArray | None:
    """(T,) int64 label per frame where the set gives one, else None."""
    value = annotation.extra.get("frame_label")
    return None if value is None else np.asarray(cast("AnyArray", value), np.int64)
