"""PYSKL's and MMAction2's annotation dictionaries: checked, completed where that is safe, and made into a set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.layouts import COCO17, Layout, layout_map, require_layout
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.channels import find_layout, third_channel
from pipelines.training.formats.description import SetDescription
from pipelines.training.formats.raw_rows import Row, called, read_row
from pipelines.training.skeletons import COCO17_JOINTS, Annotation, SkeletonSet, usual_score

Refused = Callable[[str, str], None]
"""Called with the name of what is left out and the reason."""
_PYSKL_LAYOUTS = {"coco": "coco17", "openpose": "openpose18", "nturgb+d": "nturgbd25", "handmp": "hand21"}


def parse(name: str, raw: object, said: SetDescription, on_refused: Refused | None = None) -> SkeletonSet:
    """A set out of what its file holds: a dict with `annotations`, a list of annotations, or one annotation.

    on_refused: see `load_set`. Raises DatasetInvalid.
    """
    whole = _whole(name, raw)
    try:
        rows, refused = _rows(name, whole["annotations"], on_refused)
        splits = _splits(name, whole, rows, refused, is_lenient=on_refused is not None)
        notes = list(_notes(rows, refused, splits))
        _require_alike(name, rows)
        dim = _settle_channels(name, rows, whole, said)
        classes, labels = _labels(name, rows, whole, said, notes)
        layout = _layout(name, rows, whole, said, notes, dim)
        rate_hz = said.fps or (float(whole["fps"]) if whole.get("fps") else None)
        mapping = None if said.layout else _mapping(whole.get("to_coco17"))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, OverflowError) as cause:
        raise DatasetInvalid(f"{name}: {type(cause).__name__}: {cause}") from cause
    if mapping is None and layout is not None:
        mapping = layout_map(layout, COCO17)
    _require_joints(name, rows, mapping)
    annotations = tuple(_annotation(row, label) for row, label in zip(rows, labels, strict=True))
    meta = {key: value for key, value in whole.items() if key not in {"split", "annotations"}}
    if layout is not None:
        meta.setdefault("joints", list(layout.joints))
    return SkeletonSet(
        name, classes, splits, annotations, mapping, rate_hz, meta, layout.name if layout else None, said, tuple(notes)
    )  # fmt: skip


def unparse(skeletons: SkeletonSet) -> dict[str, Any]:
    """What `parse` reads, in PYSKL's words."""
    rows = [_plain_row(annotation) for annotation in skeletons.annotations]
    meta = dict(skeletons.meta) | {"classes": list(skeletons.classes), "fps": skeletons.rate_hz}
    meta["to_coco17"] = list(skeletons.to_coco17) if skeletons.to_coco17 is not None else None
    if skeletons.layout is not None:
        meta["layout"] = skeletons.layout
    if skeletons.dim is not None:
        meta["dim"] = skeletons.dim
    return meta | {"split": {key: list(items) for key, items in skeletons.splits.items()}, "annotations": rows}


def _plain_row(annotation: Annotation) -> dict[str, Any]:
    keypoint, score = annotation.keypoint, annotation.score
    row = dict(annotation.extra) | {
        "frame_dir": annotation.name,
        "total_frames": keypoint.shape[1],
        "label": annotation.label,
        "keypoint": _halved(keypoint),
        "keypoint_score": score.astype(np.float16),
        "img_shape": annotation.shape_hw,
        "original_shape": annotation.extra.get("original_shape") or annotation.shape_hw,
    }
    if keypoint.shape[-1] == 3 and np.array_equal(score, usual_score(keypoint)):
        del row["keypoint_score"]  # PYSKL refuses scores of three coordinates
    return row


def _halved(values: FloatArray) -> AnyArray:
    """float16 where nothing is lost by it."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), values) else values


def _whole(name: str, raw: object) -> Mapping[str, Any]:
    if isinstance(raw, list) and all(isinstance(row, Mapping) for row in raw):
        return {"annotations": raw}
    if not isinstance(raw, Mapping):
        raise DatasetInvalid(f"{name}: expected a dict with `split` and `annotations`, got {type(raw).__name__}")
    if "annotations" not in raw and ("keypoint" in raw or "frame_dir" in raw):
        return {"annotations": [raw]}
    if not isinstance(raw.get("annotations"), (list, tuple)):
        raise DatasetInvalid(
            f"{name}: expected a list under `annotations`, got {type(raw.get('annotations')).__name__}"
        )
    return raw


def _rows(name: str, annotations: Sequence[object], on_refused: Refused | None) -> tuple[list[Row], set[str]]:
    """The rows that can be used, each name once, and the names of those that cannot."""
    rows: dict[str, Row] = {}
    refused: set[str] = set()
    for index, raw in enumerate(annotations):
        name_of_row = str(called(raw, index))
        try:
            row = read_row(raw, index)
            if name_of_row in rows:
                raise DatasetInvalid(f"{name_of_row}: two sequences have this name")
            if row.keypoint.size:
                rows[name_of_row] = row
            else:
                refused.add(name_of_row)
        except DatasetInvalid as cause:
            if on_refused is None:
                raise DatasetInvalid(f"{name}: {cause}") from cause
            refused.add(name_of_row)
            on_refused(name_of_row, str(cause))
    return list(rows.values()), refused - set(rows)


def _splits(
    name: str, whole: Mapping[str, Any], rows: Sequence[Row], refused: set[str], is_lenient: bool
) -> dict[str, tuple[str, ...]]:
    names = {row.name for row in rows}
    given = whole.get("split")
    if given is None:
        return {"all": tuple(row.name for row in rows)}
    splits = {str(key): tuple(dict.fromkeys(str(item) for item in items)) for key, items in given.items()}
    for split, items in splits.items():
        lost = [item for item in items if item not in names and item not in refused]
        if lost and not is_lenient:
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise DatasetInvalid(
                f"{name}: split {split!r} names {lost[0]!r}{others}, not among the sequences "
                "(`actogram prepare` leaves such names out)"
            )
    return {split: tuple(item for item in items if item in names) for split, items in splits.items()}


def _notes(rows: Sequence[Row], refused: set[str], splits: Mapping[str, Sequence[str]]) -> Iterable[str]:
    if refused:
        first = ", ".join(sorted(refused)[:3])
        yield f"{len(refused)} sequences without people or frames, or that cannot be used, are left out: {first}"
    unlabelled = sum(row.label == -1 and "frame_label" not in row.extra for row in rows)
    if unlabelled:
        yield f"{unlabelled} of {len(rows)} sequences have no label"
    if set(splits) == {"all"}:
        yield "the file has no splits for training and testing"


def _require_alike(name: str, rows: Sequence[Row]) -> None:
    """Every sequence has the joints and the channels of the first."""
    for row in rows:
        if row.keypoint.shape[2:] != rows[0].keypoint.shape[2:]:
            raise DatasetInvalid(
                f"{name}: {row.name} has {row.keypoint.shape[2]} joints of {row.keypoint.shape[3]} channels, "
                f"{rows[0].name} has {rows[0].keypoint.shape[2]} of {rows[0].keypoint.shape[3]}"
            )


def _settle_channels(name: str, rows: Sequence[Row], whole: Mapping[str, Any], said: SetDescription) -> int:
    """Part scores from coordinates where three channels are (x, y, score); returns the coordinates per joint."""
    if not rows or rows[0].keypoint.shape[-1] == 2:
        return 2
    is_scored = any(row.score is not None and not np.array_equal(row.score, row.keypoint[..., 2]) for row in rows)
    layout = said.layout or _PYSKL_LAYOUTS.get(str(whole.get("layout")), whole.get("layout"))
    try:
        meaning = third_channel([row.keypoint for row in rows], whole.get("dim"), layout, is_scored, said.channels)
    except DatasetInvalid as cause:
        raise DatasetInvalid(f"{name}: {cause}") from cause
    if meaning == "xyz":
        return 3
    for row in rows:
        row.score = row.keypoint[..., 2] if row.score is None else row.score
        row.keypoint = np.ascontiguousarray(row.keypoint[..., :2])
    return 2


def _labels(
    name: str, rows: Sequence[Row], whole: Mapping[str, Any], said: SetDescription, notes: list[str]
) -> tuple[tuple[str, ...], list[int]]:
    """Names of the classes and the index of each row's."""
    classes = said.classes or tuple(str(label) for label in whole.get("classes") or ())
    words = sorted({row.label for row in rows if isinstance(row.label, str)})
    if words and not classes:
        classes = tuple(words)
    strange = [word for word in words if word not in classes]
    if strange:
        raise DatasetInvalid(f"{name}: label {strange[0]!r} is not among its {len(classes)} classes")
    labels = [classes.index(row.label) if isinstance(row.label, str) else row.label for row in rows]
    if not classes and max(labels, default=-1) >= 0:
        classes = tuple(f"class_{index}" for index in range(max(labels) + 1))
        notes.append(
            f"the file does not name its classes: class_0 to class_{len(classes) - 1} (--labels FILE names them)"
        )
    for row, label in zip(rows, labels, strict=True):
        if label >= len(classes):
            raise DatasetInvalid(f"{name}: {row.name} has label {label} of {len(classes)} classes")
    return classes, labels


def _layout(
    name: str, rows: Sequence[Row], whole: Mapping[str, Any], said: SetDescription, notes: list[str], dim: int
) -> Layout | None:
    named = said.layout or whole.get("layout")
    named = _PYSKL_LAYOUTS.get(str(named), named)
    if not rows:
        return require_layout(str(named)) if named else None
    try:
        layout = find_layout(named, whole.get("joints"), rows[0].keypoint.shape[2], dim)
    except DatasetInvalid as cause:
        raise DatasetInvalid(f"{name}: {cause}") from cause
    if layout is not None and named is None and not whole.get("joints"):
        notes.append(
            f"the file does not name its joints: taken for {layout.name} by their number (--layout says otherwise)"
        )
    return layout


def _mapping(value: object) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    found = tuple(cast("Iterable[int | None]", value))
    if len(found) != COCO17_JOINTS or any(index is not None and not int(index) >= 0 for index in found):
        raise DatasetInvalid(
            f"`to_coco17` holds {len(found)} places, expected {COCO17_JOINTS}: an index of each or None"
        )
    return tuple(None if index is None else int(index) for index in found)


def _require_joints(name: str, rows: Sequence[Row], mapping: tuple[int | None, ...] | None) -> None:
    joints = max((index for index in mapping or () if index is not None), default=-1)
    if rows and rows[0].keypoint.shape[2] <= joints:
        raise DatasetInvalid(f"{name}: {rows[0].keypoint.shape[2]} joints, `to_coco17` names joint {joints}")


def _annotation(row: Row, label: int) -> Annotation:
    score = usual_score(row.keypoint) if row.score is None else row.score
    return Annotation(row.name, label, row.keypoint, score, row.shape_hw, row.extra)
