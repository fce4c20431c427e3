"""One annotation of PYSKL's or MMAction2's: its arrays and fields, each checked before anything is made of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from models.arrays import FloatArray
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.compressed import unfold

_WORDS = frozenset({"frame_dir", "filename", "label", "keypoint", "keypoint_score", "img_shape", "total_frames"})


@dataclass(slots=True)
class Row:
    """One annotation before it is known what three channels mean. label: a name where the file gives names."""

    name: str
    label: int | str
    keypoint: FloatArray
    score: FloatArray | None
    shape_hw: tuple[int, int] | None
    extra: Mapping[str, object]


def called(raw: object, index: int) -> object:
    """The name of an annotation, or which of the file's it is."""
    if not isinstance(raw, Mapping):
        return f"annotation {index}"
    return raw.get("frame_dir", raw.get("filename", f"annotation {index}"))


def read_row(raw: object, index: int) -> Row:
    """The annotation; raises DatasetInvalid that names it and the field."""
    name = str(called(raw, index))
    if not isinstance(raw, Mapping):
        raise DatasetInvalid(f"{name}: expected a dict, got {type(raw).__name__}")
    if "frame_dir" not in raw and "filename" not in raw:
        raise DatasetInvalid(f"{name}: has no `frame_dir`")
    if "keypoint" not in raw:
        outside = ": its joints lie in kpfiles of their own, which are not read" if "raw_file" in raw else ""
        raise DatasetInvalid(f"{name}: has no `keypoint`{outside}")
    if "frame_inds" in raw:
        raw = unfold(raw, name)
    keypoint = _floats(raw["keypoint"], f"{name}: keypoint")
    if keypoint.ndim != 4 or (keypoint.size and keypoint.shape[-1] not in (2, 3)):
        raise DatasetInvalid(f"{name}: keypoint has shape {keypoint.shape}, expected (M, T, V, 2 or 3)")
    score = raw.get("keypoint_score")
    score = None if score is None else _floats(score, f"{name}: keypoint_score")
    if score is not None and score.shape != keypoint.shape[:3]:
        raise DatasetInvalid(f"{name}: keypoint_score has shape {score.shape}, expected {keypoint.shape[:3]}")
    extra = {str(key): value for key, value in raw.items() if key not in _WORDS}
    if "original_shape" in extra:
        extra["original_shape"] = _shape(extra["original_shape"], name)
    return Row(name, _label(raw.get("label"), name), keypoint, score, _shape(raw.get("img_shape"), name), extra)


def _floats(value: object, where: str) -> FloatArray:
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(value, np.float32)
    except (TypeError, ValueError) as cause:
        raise DatasetInvalid(f"{where} is no array of numbers ({cause})") from cause
    if not np.isfinite(found).all():
        raise DatasetInvalid(f"{where} holds a value that is not a number, or too large for one")
    return found


def _label(value: object, name: str) -> int | str:
    if value is None:
        return -1
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value) and value >= -1:
        return int(value)
    raise DatasetInvalid(f"{name}: label is {value!r:.40}, expected a whole number from 0, or -1 for none")


def _shape(value: object, name: str) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        height, width = (int(side) for side in list(cast("Iterable[Any]", value))[:2])
    except (TypeError, ValueError, OverflowError) as cause:
        raise DatasetInvalid(f"{name}: img_shape is {value!r:.40}, expected height and width") from cause
    if height <= 0 or width <= 0:
        raise DatasetInvalid(f"{name}: img_shape is {height} x {width}, expected height and width in pixels")
    return height, width
