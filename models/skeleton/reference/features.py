"""Joints, bones and their motion side by side: PYSKL's GenSkeFeat and what it is made of.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/pose_related.py: JointToBone, ToMotion, MergeSkeFeat and
GenSkeFeat. Their order in its pipelines: normalise, features (bone before motion), uniform sampling, format.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.layouts import Layout

Feature: TypeAlias = Literal["j", "b", "jm", "bm"]
"""Joint, bone, joint motion, bone motion."""

LAYOUTS_3D = frozenset({"nturgbd25", "kinect20"})
"""Layouts whose third value is a depth unless something else is said; of every other one it is a score."""


def bones(keypoints: AnyArray, layout: Layout, is_3d: bool | None = None) -> FloatArray:
    """JointToBone: (..., V, C) joints to vectors from where each bone starts; a score is the mean of both ends'.

    is_3d: what a third value is: z, or a score. None goes by the layout: z for the Kinect's, a score for the others.
    """
    starts = keypoints[..., list(layout.bone_parents), :]
    found = (keypoints - starts).astype(np.float32)
    if has_score(keypoints, layout, is_3d):
        found[..., 2] = (keypoints[..., 2] + starts[..., 2]) / 2
    return found


def motion(values: AnyArray, layout: Layout, is_3d: bool | None = None) -> AnyArray:
    """ToMotion: (M, T, V, C) to the step to the next frame, zero in the last; scores are averaged, except for hands.

    is_3d: as for `bones`.
    """
    found = np.zeros_like(values)
    found[:, :-1] = np.diff(values, axis=1)
    if has_score(values, layout, is_3d) and layout.name != "hand21":
        found[:, :-1, :, 2] = (values[:, :-1, :, 2] + values[:, 1:, :, 2]) / 2
    return found


def merge(parts: Sequence[AnyArray], axis: int = -1) -> AnyArray:
    """MergeSkeFeat: arrays of one shape joined along an axis, by default their values per joint."""
    return np.concatenate(list(parts), axis=axis)


def features(
    keypoints: AnyArray, layout: Layout, names: Sequence[Feature], is_3d: bool | None = None, axis: int = -1
) -> AnyArray:
    """GenSkeFeat: (M, T, V, C) to the named features side by side, (M, T, V, C * their number).

    is_3d: as for `bones`.  axis: the one along which the features are joined.
    """
    found: dict[Feature, AnyArray] = {"j": keypoints}
    if {"b", "bm"} & set(names):
        found["b"] = bones(keypoints, layout, is_3d)
    if "jm" in names:
        found["jm"] = motion(keypoints, layout, is_3d)
    if "bm" in names:
        found["bm"] = motion(found["b"], layout, is_3d)
    return merge([found[name] for name in names], axis)


def with_score(xy: AnyArray, score: AnyArray | None) -> AnyArray:
    """(..., V, 2) coordinates and (..., V) scores as one (..., V, 3) array; without scores, the coordinates."""
    return xy if score is None else np.concatenate([xy, score[..., None]], axis=-1)


def has_score(values: AnyArray, layout: Layout, is_3d: bool | None = None) -> bool:
    """Whether the third value of each joint is a score; `is_3d` as for `bones`."""
    is_depth = layout.name in LAYOUTS_3D if is_3d is None else is_3d
    return values.shape[-1] == 3 and not is_depth
