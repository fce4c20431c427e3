"""Keypoints to network input, in numpy: the same functions in training and in serving."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray
from models.errors import ContractMismatch
from models.skeleton.layouts import layout_map, require_layout

VISIBLE_SCORE = 0.3
"""A joint below this score is absent: its coordinates are filled from its neighbours in time and its flag is 0."""

# COCO-17 holds every joint of body13, so there is no None in this map.
_BODY13 = [index or 0 for index in layout_map(require_layout("coco17"), require_layout("body13"))]
_SHOULDERS, _HIPS = (1, 2), (7, 8)
# A torso seen end-on is short: the body's diagonal keeps the scale from exploding.
_TORSO_PER_DIAGONAL = 0.22
_SIZE_QUANTILE = 0.9


def everyday13(keypoints: FloatArray, valid: BoolArray) -> FloatArray:
    """Position, velocity and visibility of thirteen joints, centred and scaled once per window.

    keypoints: (..., T, 17, 3) COCO-17, x and y in pixels (or any unit with equal axes) and score 0..1.
    valid:     (..., T) False where no pose was seen; such a frame counts as all joints absent.
    returns:   (..., T, 13, 5) float32: x, y, dx, dy in body sizes (per frame), and 1 where the joint was seen.
               The origin is the window's mean hip, so that the path of the body stays in the numbers.
               A joint never seen in the window is 0 throughout; an empty batch gives an empty batch.
    """
    body = np.asarray(keypoints, np.float32)[..., _BODY13, :]
    seen: BoolArray = np.logical_and(body[..., 2] >= VISIBLE_SCORE, valid[..., None])
    xy = _fill(body[..., :2], seen)
    known = np.asarray(seen.any(axis=-2, keepdims=True))[..., None]
    position = np.where(known, (xy - _centre(xy, seen)) / _size(xy, seen), 0.0)
    velocity = np.diff(position, axis=-3, prepend=position[..., :1, :, :])
    return np.concatenate([position, velocity, seen[..., None]], axis=-1).astype(np.float32)


EVERYDAY13_CHANNELS = 5

FEATURES: Mapping[str, Callable[[FloatArray, BoolArray], FloatArray]] = MappingProxyType({"everyday13": everyday13})


def require_features(name: str) -> Callable[[FloatArray, BoolArray], FloatArray]:
    """The feature function of that name; raises ContractMismatch."""
    if name not in FEATURES:
        raise ContractMismatch(f"features {name!r} are not one of {', '.join(sorted(FEATURES))}")
    return FEATURES[name]


def _fill(xy: FloatArray, seen: BoolArray) -> FloatArray:
    """Linear in time between the frames in which a joint was seen, held before the first and after the last.

    xy: (..., T, V, 2); seen: (..., T, V).
    """
    T = xy.shape[-3]
    frame = np.arange(T).reshape(T, 1)
    before = np.maximum.accumulate(np.where(seen, frame, -1), axis=-2)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(seen, frame, T), axis=-2), axis=-2), axis=-2)
    first = np.where(before < 0, np.minimum(after, T - 1), before)
    last = np.where(after >= T, np.maximum(before, 0), after)
    share = (frame - first) / np.maximum(last - first, 1)
    start = np.take_along_axis(xy, first[..., None], axis=-3)
    stop = np.take_along_axis(xy, last[..., None], axis=-3)
    filled: FloatArray = start + (stop - start) * np.clip(share, 0, 1)[..., None]
    return filled


def _mean(values: AnyArray, mask: AnyArray, axis: int | tuple[int, ...]) -> tuple[AnyArray, BoolArray]:
    """Mean of the masked values along axes that are kept, and where there was at least one."""
    count = mask.sum(axis=axis, keepdims=True)
    total = np.where(mask, values, 0.0).sum(axis=axis, keepdims=True)
    return total / np.maximum(count, 1), count > 0


def _centre(xy: FloatArray, seen: BoolArray) -> AnyArray:
    """(..., 1, 1, 2) mean of the seen hips over the window, else of all seen joints."""
    mask = seen[..., None]
    hips, has_hips = _mean(xy[..., _HIPS, :], mask[..., _HIPS, :], axis=(-3, -2))
    body, _ = _mean(xy, mask, axis=(-3, -2))
    return np.where(has_hips, hips, body)


def _size(xy: FloatArray, seen: BoolArray) -> AnyArray:
    """(..., 1, 1, 1) body size: the long end of the torso's lengths over the window, floored by the diagonal."""
    mask = seen[..., None]
    upper, has_upper = _mean(xy[..., _SHOULDERS, :], mask[..., _SHOULDERS, :], axis=-2)
    lower, has_lower = _mean(xy[..., _HIPS, :], mask[..., _HIPS, :], axis=-2)
    torso = np.linalg.norm(upper - lower, axis=-1)[..., 0]
    high = np.where(mask, xy, -np.inf).max(axis=-2)
    low = np.where(mask, xy, np.inf).min(axis=-2)
    some = np.asarray(seen.any(axis=-1))
    diagonal = np.linalg.norm(np.where(some[..., None], high, 0) - np.where(some[..., None], low, 0), axis=-1)
    has_torso: BoolArray = np.logical_and(has_upper, has_lower)[..., 0, 0]
    size = np.maximum(_quantile(torso, has_torso), _TORSO_PER_DIAGONAL * _quantile(diagonal, some))
    return np.where(size > 0, size, 1.0)[..., None, None, None]


def _quantile(values: AnyArray, mask: BoolArray) -> AnyArray:
    """(...,) the `_SIZE_QUANTILE` of the masked values along the last axis, 0 where there is none."""
    count = mask.sum(axis=-1)
    ordered = np.sort(np.where(mask, values, np.inf), axis=-1)
    index = np.floor(_SIZE_QUANTILE * np.maximum(count - 1, 0)).astype(np.int64)
    picked = np.take_along_axis(ordered, index[..., None], axis=-1)[..., 0]
    return np.where(count > 0, picked, 0.0)
