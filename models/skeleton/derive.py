"""One layout's joints out of another's, where that is honest: the same joint, a near one, or a mean of neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.arrays import FloatArray
from models.errors import LayoutNotServed
from models.skeleton.layouts import Layout, layout_map
from models.skeleton.network_input import LAYOUTS_3D

_MEANS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"neck": ("left_shoulder", "right_shoulder"), "middle_hip": ("left_hip", "right_hip")}
)
"""Joints that OpenPose, too, computes as the middle of two others."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """How each joint of a layout comes from another one's.

    sources: per joint, the indexes whose mean it is; the score is the least of theirs.
    """

    sources: tuple[tuple[int, ...], ...]

    def __call__(self, keypoints: FloatArray) -> FloatArray:
        """(..., V, 3) in the other layout's order to (..., V', 3)."""
        if self.sources == tuple((joint,) for joint in range(keypoints.shape[-2])):
            return keypoints
        found = np.empty((*keypoints.shape[:-2], len(self.sources), keypoints.shape[-1]), np.float32)
        for joint, sources in enumerate(self.sources):
            picked = keypoints[..., list(sources), :]
            found[..., joint, :2] = picked[..., :2].mean(axis=-2)
            found[..., joint, 2:] = picked[..., 2:].min(axis=-2)
        return found


def derive(source: Layout, target: Layout) -> Derivation:
    """How `target` comes from `source`, joints in a picture. Raises LayoutNotServed, which names what is missing."""
    if target.name in LAYOUTS_3D:
        raise LayoutNotServed(
            f"layout {target.name} holds joints in space, from a depth camera; pictures give {source.name} in pixels"
        )
    if target.name.startswith("hand"):
        raise LayoutNotServed(
            f"layout {target.name} is the skeleton of a hand, and the pose stage gives bodies ({source.name}); a "
            "network of hands is served only where hands are given, through ActionModel.judge"
        )
    found = [
        _sources(source, joint, index) for joint, index in zip(target.joints, layout_map(source, target), strict=True)
    ]
    lacking = [joint for joint, sources in zip(target.joints, found, strict=True) if not sources]
    if lacking:
        raise LayoutNotServed(f"layout {target.name} needs {', '.join(lacking)}, and {source.name} has nothing like it")
    return Derivation(tuple(found))


def _sources(source: Layout, joint: str, index: int | None) -> tuple[int, ...]:
    if index is not None:
        return (index,)
    parts = _MEANS.get(joint, ())
    return tuple(source.joints.index(part) for part in parts) if set(parts) <= set(source.joints) else ()
