"""Random changes of one sequence's joints that must not change what it shows."""

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.layouts import Layout
from pipelines.training.recipe_sections import AugmentSection


def vary(
    keypoint: FloatArray, layout: Layout, augment: AugmentSection, generator: np.random.Generator, is_3d: bool
) -> FloatArray:
    """Joints lost, mirrored, turned, stretched, sheared and shaken: (M, T, V, 3), another array.

    2D: x, y and score, with an unseen joint at 0 and y growing downwards. 3D: x, y, z.
    """
    found = keypoint.copy()
    if generator.random() < augment.mirror:
        found = mirrored_2d(found, layout)
    if augment.drop_joint:
        found = with_lost_joints(found, augment.drop_joint, generator)
    seen = (found[..., :2] != 0).any(axis=-1, keepdims=True)
    axes = 3 if is_3d else 2
    matrix = _matrix(augment, generator, axes)
    if matrix is not None:
        found[..., :axes] = found[..., :axes] @ matrix.T
    if augment.noise:
        spread = float(found[..., :axes].std())
        amount = generator.uniform(0, augment.noise) * spread
        found[..., :axes] += generator.normal(0, amount, (*found.shape[:-1], axes)) * seen
    return found


def mirrored_2d(keypoint: FloatArray, layout: Layout) -> FloatArray:
    """(M, T, V, C) with x turned round 0 and left joints in the place of right ones."""
    found = keypoint[:, :, list(layout.mirrored)].copy()
    found[..., 0] *= -1
    return found


def with_lost_joints(keypoint: FloatArray, chance: float, generator: np.random.Generator) -> FloatArray:
    """One joint of each person is 0, score too, in each frame with that chance: (M, T, V, C)."""
    M, T, V, _ = keypoint.shape
    if not chance:
        return keypoint
    lost = generator.random((M, T)) < chance
    joint = generator.integers(0, V, (M, T))
    gone = lost[..., None] & (np.arange(V) == joint[..., None])
    return np.where(gone[..., None], 0, keypoint).astype(np.float32)


def crop_to(
    clip: FloatArray, side_from: int, side_to: int, area: tuple[float, float], generator: np.random.Generator
) -> FloatArray:
    """(M, T, V, 3) joints in pixels of a random crop of a square picture, resized to another square.

    area: least and greatest share of the picture kept; its sides differ by up to 4:3.
    """
    share = generator.uniform(*area)
    ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3)))
    size = np.minimum(np.sqrt(share * np.array([ratio, 1 / ratio])), 1.0) * side_from
    corner = generator.uniform(0, 1, 2) * (side_from - size)
    found = clip.copy()
    found[..., :2] = (found[..., :2] - corner) * (side_to / size)
    return found


def _matrix(augment: AugmentSection, generator: np.random.Generator, axes: int) -> AnyArray | None:
    """(axes, axes) turn, stretch and shear; None where nothing is asked for."""
    if not (augment.rotate_deg or augment.scale or augment.shear):
        return None
    matrix = _turn(augment.rotate_deg, generator, axes)
    stretch = 1 + generator.uniform(-1, 1, axes) * augment.scale
    shear = np.eye(axes) + generator.uniform(-1, 1, (axes, axes)) * augment.shear * (1 - np.eye(axes))
    return np.asarray((matrix * stretch) @ shear, np.float32)


def _turn(degrees: float, generator: np.random.Generator, axes: int) -> AnyArray:
    angles = np.radians(generator.uniform(-degrees, degrees, 1 if axes == 2 else 3))
    turned = np.eye(axes)
    for index, angle in enumerate(angles):
        first, second = (0, 1) if axes == 2 else ((1, 2), (2, 0), (0, 1))[index]
        step = np.eye(axes)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turned = step @ turned
    return turned
