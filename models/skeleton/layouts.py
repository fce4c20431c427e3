"""Joint layouts as data: names, bones, left-right pairs, named groups, and maps between layouts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from models.errors import LayoutUnknown
from models.skeleton.trees import TREES

_SHOULDERS, _HIPS = ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")
_BODY = tuple(
    f"{side}_{part}" for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
)
_CORE = frozenset({"nose", *_BODY, *(f"{side}_{part}" for part in ("eye", "ear") for side in ("left", "right"))})


@dataclass(frozen=True)
class Layout:
    """The joints of one body (or hand) and how they hang together.

    name:    registry key, lower case, with the number of joints.
    joints:  (V,) names; left and right are those of the person, not of the picture.
    parents: (V,) index of the joint towards the centre; the centre is its own parent.
    bone_exceptions: (joint, joint) pairs whose bone vector, as PYSKL takes it, starts elsewhere than at the parent.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    bone_exceptions: tuple[tuple[int, int], ...] = ()

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
    def bone_parents(self) -> tuple[int, ...]:
        """(V,) where each joint's bone vector starts; a joint that starts at itself has none."""
        starts = dict(self.bone_exceptions)
        return tuple(starts.get(joint, parent) for joint, parent in enumerate(self.parents))

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

    @cached_property
    def shoulders(self) -> tuple[int, ...]:
        """Left and right shoulder; raises LayoutUnknown where the layout has none."""
        return self._indexes(_SHOULDERS)

    @cached_property
    def hips(self) -> tuple[int, ...]:
        """Left and right hip; raises LayoutUnknown where the layout has none."""
        return self._indexes(_HIPS)

    @cached_property
    def ankles(self) -> tuple[int, ...]:
        """Left and right ankle; raises LayoutUnknown where the layout has none."""
        return self._indexes(("left_ankle", "right_ankle"))

    @cached_property
    def torso(self) -> tuple[int, ...]:
        """Shoulders and hips in the order of an outline; raises LayoutUnknown where the layout lacks one."""
        return (*self.shoulders, *self.hips[::-1])

    @cached_property
    def core(self) -> tuple[int, ...]:
        """The joints that are COCO's 17 too, all where none is: hands, feet and face say little of a whole body."""
        return tuple(joint for joint, name in enumerate(self.joints) if name in _CORE) or tuple(range(len(self)))

    @cached_property
    def body(self) -> tuple[int, ...]:
        """The twelve joints from shoulders to ankles; raises LayoutUnknown where the layout lacks one."""
        return self._indexes(_BODY)

    def _indexes(self, names: tuple[str, ...]) -> tuple[int, ...]:
        lacking = [name for name in names if name not in self.joints]
        if lacking:
            raise LayoutUnknown(f"layout {self.name} has no {', '.join(lacking)}; following people needs them")
        return tuple(self.joints.index(name) for name in names)


def _layout(name: str, tree: str) -> Layout:
    """A layout from lines of `joint parent [start of its bone]`, in the order of the joints."""
    rows = [line.split() for line in tree.strip().splitlines()]
    joints = tuple(row[0] for row in rows)
    exceptions = tuple((joints.index(row[0]), joints.index(row[2])) for row in rows if len(row) > 2)
    return Layout(name, joints, tuple(joints.index(row[1]) for row in rows), exceptions)


LAYOUTS: Mapping[str, Layout] = MappingProxyType({name: _layout(name, tree) for name, tree in TREES.items()})

COCO17 = LAYOUTS["coco17"]
"""What the pose estimators of the registry give, and what training sets are mapped to."""

# A joint that a layout lacks may be stood in for by a near one.
_STAND_INS = MappingProxyType({"nose": ("head", "face"), "head": ("nose", "face"), "face": ("head", "nose")})


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
