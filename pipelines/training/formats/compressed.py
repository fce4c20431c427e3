"""PYSKL's and MMAction2's compressed annotations: all skeletons of a video in one row, each with its frame."""

from collections.abc import Mapping

import numpy as np

from models.arrays import AnyArray, IntArray
from pipelines.errors import DatasetInvalid
from pipelines.training.formats.text import shown

_FRAMES_MAX, _PEOPLE_MAX = 1_000_000, 10


def unfold(row: Mapping[str, object], name: str) -> dict[str, object]:
    """The same annotation with `keypoint` as (M, T, V, 2) and `keypoint_score`; of more than ten people in a frame the
    first ten stay, as in PYSKL. Raises DatasetInvalid.
    """
    keypoint, frames = _array(row["keypoint"], name, "keypoint"), _array(row["frame_inds"], name, "frame_inds")
    if keypoint.ndim != 3 or keypoint.shape[2] not in (2, 3) or frames.shape != keypoint.shape[:1]:
        raise DatasetInvalid(
            f"{name}: keypoint of shape {keypoint.shape} and frame_inds of {frames.shape}, expected (N, V, 3) and (N,)"
        )
    T = row.get("total_frames", int(frames.max(initial=-1)) + 1)
    if not isinstance(T, int) or not 0 <= T <= _FRAMES_MAX:
        raise DatasetInvalid(f"{name}: total_frames is {shown(T)}, expected 0 to {_FRAMES_MAX}")
    if len(frames) and (frames.min() < 0 or frames.max() >= T or (frames != np.floor(frames)).any()):
        raise DatasetInvalid(f"{name}: frame_inds run from {frames.min():g} to {frames.max():g} of {T} frames")
    frames = frames.astype(np.int64)
    place = _places(frames)
    kept = place < _PEOPLE_MAX
    M = int(place[kept].max(initial=-1)) + 1
    joints = np.zeros((M, T, *keypoint.shape[1:]), np.float32)
    joints[place[kept], frames[kept]] = keypoint[kept]
    rest = {key: value for key, value in row.items() if key not in ("frame_inds", "box_score", "keypoint")}
    score = joints[..., 2] if keypoint.shape[2] == 3 else None
    return rest | {"keypoint": joints[..., :2].copy()} | ({} if score is None else {"keypoint_score": score})


def _places(frames: IntArray) -> IntArray:
    """(N,) how many skeletons of the same frame come before each."""
    order = np.argsort(frames, kind="stable")
    ordered = frames[order]
    place = np.empty(len(frames), np.int64)
    place[order] = np.arange(len(frames)) - np.searchsorted(ordered, ordered)
    return place


def _array(value: object, name: str, key: str) -> AnyArray:
    try:
        with np.errstate(over="ignore"):
            found = np.asarray(value, np.float32 if key == "keypoint" else np.float64)
    except (TypeError, ValueError) as cause:
        raise DatasetInvalid(f"{name}: {key} is no array of numbers ({cause})") from cause
    if not np.isfinite(found).all():
        raise DatasetInvalid(f"{name}: {key} holds a value that is not a number, or too large for one")
    return found
