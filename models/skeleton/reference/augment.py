"""Random rotation, scale and noise of skeletons in training: PYSKL's RandomRot, RandomScale and RandomGaussianNoise.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/pose_related.py. Numbers are drawn in its order, so that a
legacy generator of the same seed gives the same skeletons. Everything returned is float64, as there.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from models.arrays import AnyArray

_LEAST_SQUARE = 1e-4


def random_rotation(keypoints: AnyArray, generator: np.random.RandomState, theta: float = 0.3) -> AnyArray:
    """RandomRot: (M, T, V, 2 or 3) turned about the origin by angles in radians, the same for everyone.

    3D: three angles of -theta..theta, about x, then y, then z. 2D: one of -theta..1, whatever theta is: the reference
    leaves NumPy's upper limit as it is. Input that is all but zero passes and draws nothing.
    Raises ValueError for another number of values per joint.
    """
    C = keypoints.shape[-1]
    if C not in {2, 3}:
        raise ValueError(f"{C} values per joint, expected 2 or 3 coordinates to rotate")
    if np.isclose(keypoints, 0).all():
        return keypoints
    if C == 3:
        turn = _turn_3d(generator.uniform(-theta, theta, size=3))
    else:
        angle = generator.uniform(-theta)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned: AnyArray = np.einsum("ab,mtvb->mtva", turn, keypoints)
    return turned


def random_scale(
    keypoints: AnyArray, generator: np.random.RandomState, scale: float | Sequence[float] = 0.2
) -> AnyArray:
    """RandomScale: (M, T, V, C) times one factor of 1 - scale..1 + scale per value, the same for everyone.

    scale: one for all values, or one for each of the C. Raises ValueError for another number of them.
    """
    C = keypoints.shape[-1]
    reach = np.full(C, scale) if isinstance(scale, int | float) else np.array(scale, np.float64)
    if len(reach) != C:
        raise ValueError(f"{len(reach)} scales for {C} values per joint")
    scaled: AnyArray = keypoints * (1 + generator.uniform(-1, 1, size=C) * reach)
    return scaled


def random_noise(
    keypoints: AnyArray,
    generator: np.random.RandomState,
    sigma: float = 0.01,
    base: Literal["frame", "video"] = "frame",
    is_shared: bool = False,
) -> AnyArray:
    """RandomGaussianNoise: (M, T, V, C) with each joint moved in a random direction, by `sigma` body sizes.

    base:      the size is the diagonal of each body in its frame, or one of everything in the clip. An absent body
               (its least coordinates are about zero) stays where it is.
    is_shared: one displacement per joint for all people and frames; only with base "video".
    Raises ValueError for a shared displacement per frame, and for "video" without anybody.
    """
    if base == "frame" and is_shared:
        raise ValueError("noise that is shared by all frames needs base 'video', got 'frame'")
    M, T, V, C = keypoints.shape
    size = _sizes(keypoints.reshape(M * T, V, C), base)
    bodies = 1 if is_shared else M * T
    length = generator.randn(bodies, V) * sigma * size[:, None]
    direction = generator.uniform(-1, 1, size=(C, bodies * V))
    direction = (direction / np.linalg.norm(direction, axis=0)).T.reshape(bodies, V, C)
    moved: AnyArray = keypoints + (direction * length[..., None]).reshape(M, T, V, C)
    return moved


def _turn_3d(theta: AnyArray) -> AnyArray:
    (sx, sy, sz), (cx, cy, cz) = np.sin(theta), np.cos(theta)
    about_x = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_z = np.array([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]])
    turn: AnyArray = about_z @ (about_y @ about_x)
    return turn


def _sizes(bodies: AnyArray, base: Literal["frame", "video"]) -> AnyArray:
    """(M*T,) diagonal that the noise of each body is measured by, 0 for an absent one."""
    low, high = bodies.min(axis=1), bodies.max(axis=1)
    there = (low**2).sum(axis=1) > _LEAST_SQUARE
    if base == "frame":
        each: AnyArray = np.linalg.norm(high - low, axis=1) * there
        return each
    if not there.any():
        raise ValueError("nobody is in the clip whose size the noise would be measured by")
    shared: AnyArray = np.linalg.norm(high[there].max(axis=0) - low[there].min(axis=0)) * there
    return shared
