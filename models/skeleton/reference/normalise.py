"""Coordinates without their unit: PYSKL's PreNormalize2D and PreNormalize3D.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/pose_related.py.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray

_LEAST_RANGE = 10.0
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Alignment:
    """How `normalise_3d` places the first person.

    z_axis: (from, to) joints whose bone is turned onto +z; from the base of the spine to its middle.
    x_axis: (to, from) joints whose line is turned onto +x; the right and the left shoulder.
    has_spine: whether anything is turned at all.  has_centre: whether the body's centre becomes the origin.
    """

    z_axis: tuple[int, int] = (0, 1)
    x_axis: tuple[int, int] = (8, 4)
    has_spine: bool = True
    has_centre: bool = True


def normalise_2d(
    keypoints: AnyArray, shape_hw: tuple[int, int] = (1080, 1920), threshold: float = 0.01, is_auto: bool = False
) -> FloatArray:
    """PreNormalize2D: pixels to -1..1 of the picture, or ("auto") of what the keypoints cover.

    keypoints: (M, T, V, 2 or 3) x, y in pixels and, if there, a score. A joint whose score is at most `threshold` gets
    x = y = 0 and keeps its score. "Auto" leaves everything alone unless both ranges exceed ten pixels.
    """
    found = np.array(keypoints, np.float32)
    hidden: BoolArray = found[..., 2] <= threshold if found.shape[-1] == 3 else np.zeros(found.shape[:-1], np.bool_)
    if is_auto:
        _normalise_to_range(found, hidden)
    else:
        half = np.array(shape_hw[::-1], np.float32) / 2
        found[..., :2] = (found[..., :2] - half) / half
    found[hidden, :2] = 0
    return found


def normalise_3d(keypoints: AnyArray, alignment: Alignment | None = None) -> AnyArray:
    """PreNormalize3D: people in the frame of the first person's body, frames without that person dropped.

    keypoints: (M, T, V, 3); returns (M, T', V, 3). Of two people, the one seen in more frames comes first; the origin
    is joint 1 of 25 (else the last joint) in the first kept frame; joint 0→1 points to +z and joint 4→8 to +x. Joints
    that are all zero stay zero, and input without anything passes. It works in the input's dtype, as PYSKL does; what
    has been turned is float64.
    """
    alignment = alignment or Alignment()
    if keypoints.sum() == 0:
        return keypoints
    frames = [np.flatnonzero(~np.isclose(person, 0).all(axis=(1, 2))) for person in keypoints[:2]]
    if len(keypoints) == 2 and len(frames[0]) < len(frames[1]):
        body = keypoints[::-1][:, frames[1]]
    else:
        body = keypoints[:, frames[0]]
    if not body.shape[1]:
        return keypoints
    if alignment.has_centre:
        there = (body != 0).any(axis=-1, keepdims=True)
        body = (body - body[0, 0, 1 if body.shape[2] == 25 else -1]) * there
    return _upright(body, alignment) if alignment.has_spine else body


def _upright(body: AnyArray, alignment: Alignment) -> AnyArray:
    bottom, top = alignment.z_axis
    body = body @ _rotation(body[0, 0, top] - body[0, 0, bottom], (0, 0, 1)).T
    right, left = alignment.x_axis
    turned: AnyArray = body @ _rotation(body[0, 0, right] - body[0, 0, left], (1, 0, 0)).T
    return turned


def _normalise_to_range(found: FloatArray, hidden: BoolArray) -> None:
    seen = found[~hidden, :2]
    if not len(seen):
        return
    low, high = seen.min(axis=0), seen.max(axis=0)
    if (high - low > _LEAST_RANGE).all():
        found[..., :2] = (found[..., :2] - (high + low) / 2) / (high - low) * 2


def _rotation(vector: AnyArray, target: tuple[int, int, int]) -> AnyArray:
    """(3, 3) rotation that turns `vector` onto `target`; the identity where there is nothing to turn."""
    axis = np.cross(vector, target)
    if np.abs(vector).sum() < _NOTHING or np.abs(axis).sum() < _NOTHING:
        return np.eye(3)
    angle = np.arccos(np.clip(np.dot(vector / np.linalg.norm(vector), target), -1.0, 1.0))
    if abs(angle) < _NOTHING:
        return np.eye(3)
    x, y, z = axis / np.sqrt(np.dot(axis, axis))
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: AnyArray = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    return rotation
