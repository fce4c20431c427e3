"""What the third of three channels is: the one rule by which (x, y, score) is told from (x, y, z)."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from models.arrays import AnyArray
from models.skeleton.layouts import LAYOUTS, Layout
from pipelines.errors import DatasetInvalid

Channels = Literal["auto", "xyz", "xys"]
"""`xyz`: three coordinates. `xys`: two and a score. `auto`: by the rule of `third_channel`."""
_PIXELS_FROM = 20.0
"""Coordinates this large beside a third channel within 0..1 are pixels: no body is so flat in metres or millimetres."""
_SCORE_SHARE = 0.02
"""Some estimators' scores exceed 1; a body's depth is more than this share of its place in millimetres."""
_FLAT, _DEEP, _OPENPOSE_JOINTS = ("openpose18", "openpose25"), ("nturgbd25", "kinect20"), 18
_BY_COUNT = {
    (17, 2): "coco17", (18, 2): "openpose18", (25, 2): "openpose25", (25, 3): "nturgbd25", (33, 2): "blazepose33",
    (33, 3): "blazepose33", (21, 2): "hand21",
}  # fmt: skip
"""Joints and dimensions of which only one layout is usual; 13, 15 and 20 joints stand in several orders."""
_SAME_JOINT = {
    "hip_center": "hip_centre", "shoulder_center": "shoulder_centre", "mid_hip": "middle_hip",
    "spine_base": "base_of_spine", "spine_mid": "middle_of_spine", "spine_shoulder": "spine",
}  # fmt: skip


def third_channel(
    arrays: Sequence[AnyArray], dim: object, layout: object, is_scored: bool, channels: Channels
) -> Literal["xyz", "xys"]:
    """Whether three channels are (x, y, z) or (x, y, score), for a set as a whole.

    In this order: what the caller says; the set's `dim`; scores of their own mean a depth, and so does a third channel
    below 0 or above both 1 and a fiftieth of the largest coordinate. What is left is a score beside pixels, or in
    OpenPose's layouts, and a depth in Kinect's. Raises DatasetInvalid for what even that does not tell: small
    coordinates in another layout with a third channel within 0..1.
    """
    if channels != "auto":
        return channels
    if dim in (2, 3):
        return "xys" if dim == 2 else "xyz"
    full = [array for array in arrays if array.size]
    if is_scored or not full:
        return "xyz"
    low, high = min(float(array[..., 2].min()) for array in full), max(float(array[..., 2].max()) for array in full)
    reach = max(float(np.abs(array[..., :2]).max()) for array in full)
    if low < 0 or high > max(1.0, _SCORE_SHARE * reach):
        return "xyz"
    if reach >= _PIXELS_FROM or layout in _FLAT or full[0].shape[2] == _OPENPOSE_JOINTS:
        return "xys"
    if layout in _DEEP:
        return "xyz"
    raise DatasetInvalid(
        "three channels that may be (x, y, z) or (x, y, score): say which, by `--channels xyz` or `--channels xys`, "
        "or by `dim` (3 or 2) in the file"
    )


def find_layout(named: object, joints: object, num_joints: int, dim: int) -> Layout | None:
    """The layout of a set: the one it names, the one whose joints it lists, or the usual one for that many joints.

    None where nothing says it. Raises DatasetInvalid for a name that is no layout, or whose joints are not as many.
    """
    if named is not None:
        layout = LAYOUTS.get(str(named))
        if layout is None:
            raise DatasetInvalid(f"layout {named!r} is not one of {', '.join(sorted(LAYOUTS))}")
        if len(layout) != num_joints:
            raise DatasetInvalid(f"layout {layout.name} has {len(layout)} joints, the sequences have {num_joints}")
        return layout
    if isinstance(joints, (list, tuple)):
        return _by_joints([str(joint) for joint in joints])
    return LAYOUTS.get(_BY_COUNT.get((num_joints, dim), ""))


def _by_joints(joints: Sequence[str]) -> Layout | None:
    names = {tuple(joints), tuple(_SAME_JOINT.get(joint, joint) for joint in joints)}
    return next((layout for layout in LAYOUTS.values() if layout.joints in names), None)
