"""Skeleton sets on disk: PYSKL's pickles, read without executing what is in them, and the same content as .npz."""

import errno
import os
import pickle
from pathlib import Path

from models.atomic_file import replacing
from pipelines.errors import DatasetInvalid, DiskFull, SinkError
from pipelines.training import pickles
from pipelines.training.formats.description import SetDescription, describe_beside, with_labels
from pipelines.training.formats.npz import read_npz, write_npz
from pipelines.training.formats.raw import Refused, parse, unparse
from pipelines.training.skeletons import (
    COCO17_JOINTS,
    Annotation,
    SkeletonSet,
    frame_labels,
    select,
    to_coco17,
)

__all__ = [
    "COCO17_JOINTS", "Annotation", "SkeletonSet", "check_target", "frame_labels", "load_set", "save_set", "select",
    "to_coco17",
]  # fmt: skip
_FILE_BYTES_MAX = 8 * 2**30


def load_set(
    path: Path,
    labels: Path | None = None,
    said: SetDescription | None = None,
    on_refused: Refused | None = None,
) -> SkeletonSet:
    """Read a `.pkl` in PYSKL's format or a `.npz` of ours, with what `NAME.labels.toml` beside it says.

    labels: a file with the names of the classes, see `with_labels`. said: wins over what stands beside the file.
    on_refused: called with the name of each sequence that cannot be used, which is left out then, and with the reason;
    without it such a sequence is an error, and so is a split that names what is not there.
    Raises DatasetInvalid.
    """
    if not path.is_file():
        raise DatasetInvalid(f"{path}: no such file")
    size_bytes = path.stat().st_size
    if size_bytes > _FILE_BYTES_MAX:
        raise DatasetInvalid(f"{path.name}: {size_bytes} bytes, at most {_FILE_BYTES_MAX} are read")
    description = describe_beside(path)
    if labels is not None:
        description = with_labels(description, labels)
    if said is not None:
        description = description.model_copy(update={key: getattr(said, key) for key in said.model_fields_set})
    raw = read_npz(path) if path.suffix == ".npz" else _read_pickle(path)
    return parse(path.stem, raw, description, on_refused)


def save_set(skeletons: SkeletonSet, path: Path) -> None:
    """Write a set: `.npz` (open, no pickle) or `.pkl` (PYSKL's format), by the ending of the path.

    Raises DatasetInvalid for another ending, SinkError where the file cannot be written.
    """
    check_target(path)
    raw = unparse(skeletons)
    try:
        with replacing(path) as part, part.open("wb") as file:
            if path.suffix == ".pkl":
                pickle.dump(raw, file, protocol=4)
            else:
                write_npz(raw, file)
    except OSError as cause:
        error = DiskFull if cause.errno == errno.ENOSPC else SinkError
        raise error(f"{path}: cannot be written: {cause.strerror or cause}") from cause


def check_target(path: Path) -> None:
    """Raise DatasetInvalid now where `save_set` would later, after the work was done."""
    if path.suffix not in {".npz", ".pkl"}:
        raise DatasetInvalid(f"{path}: expected a name ending in .npz or .pkl")
    if not path.parent.is_dir():
        raise DatasetInvalid(f"{path}: the folder {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise DatasetInvalid(f"{path}: the folder {path.parent} cannot be written to")
    if path.is_dir():
        raise DatasetInvalid(f"{path}: is a folder, expected the name of a file")


def _read_pickle(path: Path) -> object:
    try:
        return pickles.loads(path.read_bytes())
    except OSError as cause:
        raise DatasetInvalid(f"{path.name}: cannot be read: {cause.strerror}") from cause
    except DatasetInvalid as cause:
        raise DatasetInvalid(f"{path.name}: {cause}") from cause
