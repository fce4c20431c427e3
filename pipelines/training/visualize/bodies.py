"""A sequence of a set as something to draw: points of a picture, the bones between them, and what is there."""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray
from models.skeleton.layouts import COCO17, Layout, require_layout
from pipelines.errors import DatasetInvalid
from pipelines.training.skeletons import Annotation, SkeletonSet, to_coco17

_SEEN_SCORE = 0.05
_MARGIN = 0.08
_TURN_S = 12.0
_TILT = np.radians(12.0)


@dataclass(frozen=True, slots=True)
class Bodies:
    """People of a sequence, in the joints of a layout.

    joints: (M, T, V, D) float32: pixels with y down (D = 2), or metres with y up (D = 3).
    seen:   (M, T, V) whether a joint is there.
    """

    joints: FloatArray
    seen: BoolArray
    layout: Layout
    rate_hz: float

    @property
    def num_frames(self) -> int:
        """T."""
        return int(self.joints.shape[1])


def find_sequence(skeletons: SkeletonSet, name: str | None) -> Annotation:
    """The sequence of that name, or of that number where no name is it; None takes the first. Raises DatasetInvalid."""
    found = {annotation.name: annotation for annotation in skeletons.annotations}
    if name in found:
        return found[name]
    index = 0 if name is None else int(name) if name.isdecimal() else -1
    if not 0 <= index < len(skeletons.annotations):
        raise DatasetInvalid(
            f"{skeletons.name}: no sequence {name!r} among {len(found)}, such as {', '.join(list(found)[:3])}"
        )
    return skeletons.annotations[index]


def bodies_of(
    skeletons: SkeletonSet, annotation: Annotation, layout: str | None = None, rate_hz: float | None = None
) -> Bodies:
    """The people of a sequence; where the set's layout is not known, in COCO's joints.

    Raises DatasetInvalid for a sequence without people or frames, and for a layout of another number of joints.
    """
    M, T, V, _ = annotation.keypoint.shape
    if not M or not T:
        raise DatasetInvalid(f"{annotation.name}: {M} people in {T} frames, nothing to draw")
    keypoint, score = annotation.keypoint, annotation.score
    name = layout or skeletons.layout
    known = require_layout(name) if name else COCO17
    if name is None:
        keypoint, score = to_coco17(skeletons, annotation)
    if len(known) != keypoint.shape[2]:
        raise DatasetInvalid(f"{annotation.name}: {V} joints, layout {known.name} has {len(known)}")
    seen: BoolArray = (score > _SEEN_SCORE) & np.isfinite(keypoint).all(-1) & (keypoint != 0).any(-1)
    joints = np.where(seen[..., None], keypoint, 0).astype(np.float32)
    return Bodies(joints, seen, known, rate_hz or skeletons.rate_hz or 30.0)


def to_picture(bodies: Bodies, size_wh: tuple[int, int], turns: bool = True) -> tuple[FloatArray, FloatArray]:
    """(M, T, V, 2) pixels of a picture that shows everyone all the time, and (M, T, V) nearness, 0 far to 1 near.

    turns: joints in space are seen from a camera that goes round them once in twelve seconds, else from the front.
    """
    flat, depth = _projected(bodies, turns) if bodies.joints.shape[-1] == 3 else (bodies.joints, None)
    xy: FloatArray = flat.astype(np.float32)
    if not bodies.seen.any():
        return np.zeros_like(xy), np.ones(xy.shape[:-1], np.float32)
    low, high = xy[bodies.seen].min(axis=0), xy[bodies.seen].max(axis=0)
    room = np.array(size_wh) * (1 - 2 * _MARGIN)
    scale = float((room / np.maximum(high - low, 1e-6)).min())
    pixels = ((xy - (low + high) / 2) * scale + np.array(size_wh) / 2).astype(np.float32)
    return pixels, _nearness(depth, bodies.seen) if depth is not None else np.ones(xy.shape[:-1], np.float32)


def _projected(bodies: Bodies, turns: bool) -> tuple[AnyArray, AnyArray]:
    """Joints as a camera in front of the people sees them, y down, and how far they are.

    It looks along +z, as the Kinect that most sets come from: right = forward x up is -x, a left arm is on the right.
    """
    time_s = np.arange(bodies.num_frames) / bodies.rate_hz
    angle = np.pi + (2 * np.pi * time_s / _TURN_S if turns else np.zeros(bodies.num_frames))
    x, y, z = np.moveaxis(bodies.joints - bodies.joints[bodies.seen].mean(axis=0), -1, 0)
    cos, sin = (part[None, :, None] for part in (np.cos(angle), np.sin(angle)))
    right, ahead = cos * x + sin * z, cos * z - sin * x
    up = np.cos(_TILT) * y - np.sin(_TILT) * ahead
    return np.stack([right, -up], axis=-1), -(np.cos(_TILT) * ahead + np.sin(_TILT) * y)


def _nearness(depth: AnyArray, seen: BoolArray) -> FloatArray:
    low, high = depth[seen].min(), depth[seen].max()
    near: FloatArray = (1 - (depth - low) / max(float(high - low), 1e-6)).astype(np.float32)
    return np.clip(near, 0, 1)
