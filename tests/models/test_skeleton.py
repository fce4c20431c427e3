import pytest

from models.errors import LayoutUnknown
from models.skeleton import LAYOUTS, Layout, layout_map, require_layout


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_one_tree_round_its_centre(layout: Layout) -> None:
    for joint in range(len(layout)):
        steps = 0
        while joint != layout.centre:
            joint, steps = layout.parents[joint], steps + 1
            assert steps < len(layout), f"{layout.name}: no way to the centre"

    assert len(layout.edges) == len(layout.joints) - 1 == len(layout.parents) - 1


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_mirrored_twice_is_itself(layout: Layout) -> None:
    once = layout.mirrored

    assert tuple(once[index] for index in once) == tuple(range(len(layout)))
    assert all(layout.joints[left].startswith("left") for left in layout.left)
    assert all(layout.joints[right].startswith("right") for right in layout.right)


def test_layout_map_takes_body13_from_coco17() -> None:
    indexes = layout_map(require_layout("coco17"), require_layout("body13"))

    assert indexes == (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)


def test_layout_map_says_none_when_a_joint_is_lacking() -> None:
    indexes = layout_map(require_layout("body13"), require_layout("coco17"))

    assert [require_layout("coco17").joints[i] for i, found in enumerate(indexes) if found is None] == [
        "left_eye", "right_eye", "left_ear", "right_ear",
    ]  # fmt: skip


def test_layout_map_lets_a_head_stand_for_the_nose() -> None:
    stick = Layout("stick2", ("hips", "head"), (0, 0))

    assert layout_map(stick, Layout("face1", ("nose",), (0,))) == (1,)


def test_require_layout_names_what_there_is_when_unknown() -> None:
    with pytest.raises(LayoutUnknown, match=r"'ntu99' is not one of .*coco17"):
        require_layout("ntu99")
