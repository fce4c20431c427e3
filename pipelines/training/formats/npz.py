"""The open set file: `.npz` with JSON under `meta` and one array per `<index>/<key>`; no pickle anywhere."""

import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from models.arrays import AnyArray
from pipelines.errors import DatasetInvalid

_UNPACKED_BYTES_MAX = 8 * 2**30
_RATIO_MAX = 200
"""Bytes that one byte of an .npz may unpack to; joints of real people come to three or four."""


def read_npz(path: Path) -> dict[str, Any]:
    """The description and its rows with their arrays; raises DatasetInvalid."""
    try:
        with zipfile.ZipFile(path) as archive:
            _require_modest(archive, path)
            raw: dict[str, Any] = json.loads(str(_member(archive, "meta")))
            for row in raw["annotations"]:
                for key in row.pop("arrays"):
                    row[key] = _member(archive, f"{row['index']}/{key}")
                row.pop("index")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, NotImplementedError,
            RuntimeError, zlib.error, zipfile.BadZipFile) as cause:  # fmt: skip
        raise DatasetInvalid(f"{path.name}: not a skeleton set ({type(cause).__name__}: {cause})") from cause
    return raw


def write_npz(raw: dict[str, Any], file: io.BufferedWriter) -> None:
    """Write what `read_npz` reads."""
    arrays: dict[str, AnyArray] = {}
    rows = []
    for index, annotation in enumerate(raw["annotations"]):
        own = {key: value for key, value in annotation.items() if isinstance(value, np.ndarray)}
        arrays |= {f"{index}/{key}": value for key, value in own.items()}
        rest = {key: value for key, value in annotation.items() if key not in own}
        rows.append(rest | {"index": index, "arrays": sorted(own)})
    meta = json.dumps(raw | {"annotations": rows}, default=_plain)
    np.savez_compressed(file, meta=np.array(meta), **arrays)  # type: ignore[arg-type]  # numpy's stub takes **kwds for bools


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


def _plain(value: object) -> object:
    """JSON's word for numpy's scalars, and for sets as PYSKL's files may hold them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise DatasetInvalid(f"{type(value).__name__} {value!r} cannot be written as JSON")
