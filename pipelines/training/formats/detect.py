"""Which format files and folders are of, by what they hold."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.errors import ConfigInvalid, DatasetInvalid
from pipelines.training.prepare import VIDEO_SUFFIXES

FORMAT_NAMES = ("videos", "ntu", "kinetics", "openpose", "bvh", "sets")
_SUFFIXES = {".skeleton": "ntu", ".bvh": "bvh", ".pkl": "sets", ".npz": "sets", ".json": "kinetics"}


def detect_format(inputs: Sequence[Path]) -> str:
    """The one format of files and folders. Raises DatasetInvalid for none, ConfigInvalid for several."""
    found = {name: path for path in _files(inputs) if (name := _format_of(path)) is not None}
    if not found:
        raise DatasetInvalid(
            f"no video among {', '.join(map(str, inputs))}, nor any .skeleton, .bvh, .json, .pkl or .npz"
        )
    if len(found) > 1:
        held = ", ".join(f"{name} ({path.name})" for name, path in sorted(found.items()))
        raise ConfigInvalid(f"several formats: {held}; say which by --format")
    return next(iter(found))


def _files(inputs: Sequence[Path]) -> Iterator[Path]:
    for path in inputs:
        yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)


def _format_of(path: Path) -> str | None:
    if path.name.endswith("_keypoints.json"):
        return "openpose"
    suffix = path.suffix.lower()
    return "videos" if suffix in VIDEO_SUFFIXES else _SUFFIXES.get(suffix)
