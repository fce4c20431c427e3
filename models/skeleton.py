"""Joint layouts as data: names, bones, left-right pairs, and maps between layouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from models.errors import LayoutUnknown


@dataclass(frozen=True)
class Layout:
    """The joints of one body (or hand) and how they hang together.

    name:    registry key, lower case, with the number of joints.
    joints:  (V,) names; left and right are those of the person, not of the picture.
    parents: (V,) index of the joint towards the centre; the centre is its own parent.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def centre(self) -> int:
        """The one joint that is its own parent."""
        return next(index for index, parent in enumerate(self.parents) if index == parent)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Bones as (joint, parent), V - 1 of them."""
        return tuple((index, parent) for index, parent in enumerate(self.parents) if index != parent)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) indexes of the joints that a mirror swaps."""
        return tuple(
            (index, self.joints.index("right" + name.removeprefix("left")))
            for index, name in enumerate(self.joints)
            if name.startswith("left")
        )

    @cached_property
    def left(self) -> tuple[int, ...]:
        """Indexes of the left joints, in the order of `pairs`."""
        return tuple(left for left, _ in self.pairs)

    @cached_property
    def right(self) -> tuple[int, ...]:
        """Indexes of the right joints, in the order of `pairs`."""
        return tuple(right for _, right in self.pairs)

    @cached_property
    def mirrored(self) -> tuple[int, ...]:
        """(V,) permutation that puts each left joint in its right one's place and the reverse."""
        order = list(range(len(self.joints)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)


def _layout(name: str, tree: str) -> Layout:
    """A layout from lines of `joint parent`, in the order of the joints."""
    rows = [line.split() for line in tree.strip().splitlines()]
    joints = tuple(joint for joint, _ in rows)
    return Layout(name, joints, tuple(joints.index(parent) for _, parent in rows))


# Trees as in PYSKL's graphs (Duan et al. 2022), so that its checkpoints keep their meaning.
_COCO17 = """
nose nose
left_eye nose
right_eye nose
left_ear left_eye
right_ear right_eye
left_shoulder nose
right_shoulder nose
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_hip left_shoulder
right_hip right_shoulder
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
"""

# What every pose estimator and every action set shares; a head stands for the nose.
_BODY13 = """
nose nose
left_shoulder nose
right_shoulder nose
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_hip left_shoulder
right_hip right_shoulder
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
"""

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {name: _layout(name, tree) for name, tree in {"coco17": _COCO17, "body13": _BODY13}.items()}
)

# A joint that a layout lacks may be stood in for by a near one.
_STAND_INS = MappingProxyType({"nose": ("head",), "head": ("nose",)})


def require_layout(name: str) -> Layout:
    """The layout of that name; raises LayoutUnknown."""
    if name not in LAYOUTS:
        raise LayoutUnknown(f"layout {name!r} is not one of {', '.join(sorted(LAYOUTS))}")
    return LAYOUTS[name]


def layout_map(source: Layout, target: Layout) -> tuple[int | None, ...]:
    """For each joint of `target`, its index in `source`; None where `source` has nothing like it."""
    return tuple(_find(source, joint) for joint in target.joints)


def _find(source: Layout, joint: str) -> int | None:
    for name in (joint, *_STAND_INS.get(joint, ())):
        if name in source.joints:
            return source.joints.index(name)
    return None
