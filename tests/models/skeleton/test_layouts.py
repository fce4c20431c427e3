import pytest

from models.errors import LayoutUnknown
from models.skeleton.layouts import COCO17, LAYOUTS, Layout, layout_map, require_layout


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


@pytest.mark.parametrize(
    ("name", "joints"),
    [
        ("nturgbd25", 25), ("openpose18", 18), ("openpose25", 25), ("hand21", 21), ("kinect20", 20),
        ("blazepose33", 33), ("jhmdb15", 15), ("penn13", 13),
        ("halpe26", 26), ("wholebody133", 133),
    ],
)  # fmt: skip
def test_layout_has_the_joints_that_its_name_says(name: str, joints: int) -> None:
    layout = require_layout(name)

    assert len(layout) == joints == len(set(layout.joints))


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"hand21"}))
def test_layout_map_finds_body13_in_every_body(name: str) -> None:
    indexes = layout_map(require_layout(name), require_layout("body13"))

    assert None not in indexes


def test_bone_parents_differ_from_edges_where_the_reference_does() -> None:
    coco, ntu = require_layout("coco17"), require_layout("nturgbd25")

    assert [j for j in range(17) if coco.bone_parents[j] != coco.parents[j]] == [11, 12]
    assert (ntu.bone_parents[21], ntu.bone_parents[23]) == (22, 24)
    assert require_layout("openpose18").bone_parents[:2] == (0, 0)


def test_named_groups_of_coco17_are_the_joints_that_the_stream_reads() -> None:
    assert (COCO17.shoulders, COCO17.hips, COCO17.ankles) == ((5, 6), (11, 12), (15, 16))
    assert COCO17.torso == (5, 6, 12, 11)
    assert COCO17.body == tuple(range(5, 17))


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"hand21"}))
def test_every_layout_of_a_body_has_the_groups_that_following_people_needs(name: str) -> None:
    layout = require_layout(name)

    assert len(set(layout.body)) == 12
    assert {*layout.torso, *layout.ankles} < set(layout.body)


def test_layout_without_a_body_names_what_it_lacks() -> None:
    with pytest.raises(LayoutUnknown, match="layout hand21 has no left_hip, right_hip"):
        _ = require_layout("hand21").hips


@pytest.mark.parametrize("name", ["halpe26", "wholebody133"])
def test_whole_bodies_begin_with_coco17_and_end_elsewhere(name: str) -> None:
    layout = require_layout(name)

    assert layout.joints[:17] == COCO17.joints
    assert layout.core == COCO17.core == tuple(range(17))
    assert layout_map(layout, COCO17) == tuple(range(17))


def test_whole_body_mirrors_face_and_hands_as_its_authors_do() -> None:
    swapped = require_layout("wholebody133").mirrored

    face = [23 + number for number in (0, 7, 8, 17, 21, 27, 31, 36, 39, 40, 41, 48, 49, 51, 55, 56, 60, 61, 65)]
    theirs = [23 + number for number in (16, 9, 8, 26, 22, 27, 35, 45, 42, 47, 46, 54, 53, 51, 59, 58, 64, 63, 67)]
    assert [swapped[joint] for joint in face] == theirs
    assert [swapped[joint] for joint in (17, 18, 19, 91, 95, 111)] == [20, 21, 22, 112, 116, 132]
