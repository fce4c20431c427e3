import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.skeleton.layouts import LAYOUTS
from pipelines.errors import DatasetInvalid
from pipelines.training.formats import bvh
from pipelines.training.formats.bvh_names import joint_sources
from pipelines.training.formats.recordings import ReadOptions, Recording

_ARM = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Arm
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.04
0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0
0 0 0 0 0 0 90 90 0
"""


def test_joints_stand_where_the_rotations_put_them() -> None:
    motion = bvh.parse(_ARM, "arm.bvh")

    places = bvh.positions(motion)

    assert [joint.name for joint in motion.joints] == ["Hips", "Arm", "Arm_end"]
    assert motion.frame_s == pytest.approx(0.04)
    np.testing.assert_allclose(places[0], [[0, 0, 0], [0, 10, 0], [5, 10, 0]], atol=1e-5)
    np.testing.assert_allclose(places[1], [[1, 2, 3], [-9, 2, 3], [-9, 7, 3]], atol=1e-5)
    # Z then X in the file's order: the end goes to +y by Z, which is applied last.
    np.testing.assert_allclose(places[2], [[0, 0, 0], [0, 10, 0], [0, 15, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("Xrotation Yrotation Zrotation", [0, 0, 1]), ("Zrotation Yrotation Xrotation", [0, 1, 0])],
    ids=["x y z", "z y x"],
)
def test_rotations_are_applied_in_the_order_of_the_channels(order: str, expected: list[float]) -> None:
    # A quarter turn about X and one about Z of a bone along +x: with X outermost it ends on +z, with Z outermost on +y.
    values = {"Xrotation": "90", "Yrotation": "0", "Zrotation": "90"}
    text = (
        f"HIERARCHY\nROOT a\n{{\nOFFSET 0 0 0\nCHANNELS 3 {order}\nEnd Site\n{{\nOFFSET 1 0 0\n}}\n}}\n"
        f"MOTION\nFrames: 1\nFrame Time: 0.1\n{' '.join(values[name] for name in order.split())}\n"
    )

    places = bvh.positions(bvh.parse(text, "a.bvh"))

    np.testing.assert_allclose(places[0, 1], expected, atol=1e-6)


def test_position_channels_take_the_place_of_the_offset() -> None:
    text = _ARM.replace("CHANNELS 3 Zrotation", "CHANNELS 4 Yposition Zrotation").replace(" 90 90 0\n", " 7 90 90 0\n")
    text = text.replace("0 0 0 0 0 0 0 0 0\n", "0 0 0 0 0 0 8 0 0 0\n").replace("90 0 0 0 0 0\n", "90 0 0 8 0 0 0\n")

    places = bvh.positions(bvh.parse(text, "arm.bvh"))

    assert places[:, 1].round(4).tolist() == [[0, 8, 0], [-7, 2, 3], [0, 7, 0]]


def _body(names: dict[str, str]) -> str:
    """A whole body of 20 joints in T pose; `names` gives each part its word."""

    def limb(side: str, parts: list[str], step: tuple[int, int]) -> str:
        text = ""
        for part in parts:
            text += f"JOINT {names[part].replace('*', side)}\n{{\nOFFSET {step[0]} {step[1]} 0\nCHANNELS 1 Zrotation\n"
        return text + f"End Site\n{{\nOFFSET {step[0]} {step[1]} 0\n}}\n" + "}\n" * len(parts)

    arms = limb("Left", ["shoulder", "elbow", "wrist"], (3, 0)) + limb("Right", ["shoulder", "elbow", "wrist"], (-3, 0))
    legs = limb("Left", ["hip", "knee", "ankle"], (0, -4)) + limb("Right", ["hip", "knee", "ankle"], (0, -4))
    trunk = "JOINT Spine1\n{\nOFFSET 0 3 0\nCHANNELS 1 Zrotation\n"
    trunk += f"JOINT Neck\n{{\nOFFSET 0 2 0\nCHANNELS 1 Zrotation\n{arms}"
    trunk += "JOINT Head\n{\nOFFSET 0 1 0\nCHANNELS 1 Zrotation\nEnd Site\n{\nOFFSET 0 1 0\n}\n}\n}\n}\n"
    root = f"ROOT {names['root']}\n{{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\n"
    hierarchy = f"HIERARCHY\n{root}{trunk}{legs}}}\n"
    count = hierarchy.count("CHANNELS 1") + 3
    return hierarchy + "MOTION\nFrames: 2\nFrame Time: 0.05\n" + (" ".join(["0"] * count) + "\n") * 2


_PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def _scheme(words: str) -> dict[str, str]:
    return {"root": "Hips"} | {part: f"*{word}" for part, word in zip(_PARTS, words.split(), strict=True)}


_CMU = _scheme("Arm ForeArm Hand UpLeg Leg Foot")
_BIOVISION = _scheme("Shoulder Elbow Wrist Hip Knee Ankle")
_MIXAMO = {key: f"mixamorig:{name}" for key, name in _CMU.items()}


@pytest.mark.parametrize("names", [_CMU, _BIOVISION, _MIXAMO], ids=["cmu", "biovision", "mixamo"])
@pytest.mark.parametrize("layout", ["kinect20", "nturgbd25", "coco17"])
def test_usual_names_are_found_in_every_layout(tmp_path: Path, names: dict[str, str], layout: str) -> None:
    path = tmp_path / "walk.bvh"
    path.write_text(_body(names))

    clip = bvh.read(Recording(path, "walk"), ReadOptions(layout=layout, scale=0.1))

    joints = LAYOUTS[layout].joints
    assert clip.layout == layout
    assert clip.rate_hz == pytest.approx(20)
    np.testing.assert_allclose(clip.keypoint[0, 0, joints.index("left_elbow")], [0.6, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(clip.keypoint[0, 1, joints.index("right_ankle")], [0, -1.2, 0], atol=1e-6)
    lacking = [joint for joint, score in zip(joints, clip.score[0, 0], strict=True) if score == 0]
    assert not [joint for joint in lacking if joint.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))]


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("Bip01 L UpperArm,Bip01 L Forearm,Bip01 L Hand,Bip01 L Thigh,Bip01 L Calf,Bip01 L Foot", "kinect20"),
        ("L_Shoulder,L_Elbow,L_Wrist,L_Hip,L_Knee,L_Ankle", "kinect20"),
        ("UpperArm.L,LowerArm.L,Hand.L,UpperLeg.L,LowerLeg.L,Foot.L", "kinect20"),
        ("lShldr,lForeArm,lHand,lThigh,lShin,lFoot", "kinect20"),
        ("LeftArm,LeftForeArm,LeftHand,LeftUpLeg,LeftLeg,LeftFoot", "kinect20"),
    ],
    ids=["3ds max", "smpl", "blender", "daz", "lafan"],
)
def test_sides_are_found_however_they_are_written(style: str, expected: str) -> None:
    left = style.split(",")
    swaps = (
        ("Left", "Right"),
        (" L ", " R "),
        ("L_", "R_"),
        (".L", ".R"),
        ("lS", "rS"),
        ("lF", "rF"),
        ("lH", "rH"),
        ("lT", "rT"),
    )
    right = [next(name.replace(*swap) for swap in swaps if swap[0] in name) for name in left]

    layout, sources = joint_sources(["Hips", *left, *right], ReadOptions(), "x.bvh")

    places = dict(zip(LAYOUTS[layout].joints, sources, strict=True))
    assert layout == expected
    assert [places[f"left_{part}"] for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]
    assert places["right_ankle"] == 12


def test_collar_bones_are_not_taken_for_shoulders() -> None:
    names = ["Hips", "LeftShoulder", "RightShoulder"]
    names += [
        f"{side}{part}" for side in ("Left", "Right") for part in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot")
    ]

    layout, sources = joint_sources(names, ReadOptions(), "x.bvh")

    assert sources[LAYOUTS[layout].joints.index("left_shoulder")] == names.index("LeftArm")


def test_unknown_names_are_listed_and_a_map_helps(tmp_path: Path) -> None:
    path, table = tmp_path / "arm.bvh", tmp_path / "map.toml"
    path.write_text(_ARM)
    table.write_text('layout = "coco17"\n[joints]\nleft_elbow = "Arm"\n')

    with pytest.raises(DatasetInvalid, match=r"called Hips, Arm, Arm_end, which fits no known scheme .*--joint-map"):
        bvh.read(Recording(path, "arm"), ReadOptions())
    clip = bvh.read(Recording(path, "arm"), ReadOptions(joint_map=table))

    assert np.flatnonzero(clip.score[0, 0]).tolist() == [7]
    np.testing.assert_allclose(clip.keypoint[0, 1, 7], [-9, 2, 3], atol=1e-5)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('[joints]\nleft_elbow = "Elbow"', "no joint 'Elbow', which map.toml takes for left_elbow"),
        ('[joints]\nelbow = "Arm"', "'elbow' is no joint of kinect20"),
        ('layout = "body99"\n[joints]\nleft_elbow = "Arm"', "'body99' is not one of"),
        ('layout = "coco17"', r"expected a table \[joints\]"),
        ("layout = ", "map.toml: "),
    ],
)
def test_a_map_that_cannot_be_is_refused(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "arm.bvh").write_text(_ARM)
    (tmp_path / "map.toml").write_text(table)

    with pytest.raises(DatasetInvalid, match=message):
        bvh.read(Recording(tmp_path / "arm.bvh", "arm"), ReadOptions(joint_map=tmp_path / "map.toml"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIER", r"line 1: 'HIER', expected HIERARCHY"),
        ("0 0 0 0 0 0 90 90 0\n", "", r"line 20: the file ends here, expected frame 2 of 3"),
        ("0 0 0 0 0 0 90 90 0\n", "0 0 0 0\n", r"line 21: 4 numbers in frame 2, expected 9"),
        ("0 0 0 0 0 0 90 90 0\n", "0 0 nan 0 0 0 90 90 0\n", r"line 21: nan is not a finite number"),
        ("0 0 0 0 0 0 90 90 0\n", "0 0 x 0 0 0 90 90 0\n", r"line 21: 'x' is not a number"),
        ("Frames: 3", "Frames: 2", r"line 21: more follows"),
        ("Frames: 3", "Frames: -1", r"line 17: Frames: -1 is out of range"),
        ("Frames: 3", "Frames: 99999999999", r"Frames: 99999999999 is out of range"),
        ("Frame Time: 0.04", "Frame Time: 0", r"line 18: Frame Time 0, expected"),
        ("Frame Time: 0.04", "Frame Time: inf", r"line 18: Frame Time: inf is not a finite"),
        ("CHANNELS 3 Z", "CHANNELS 2 Z", r"line 9: .* expected 2 different channels"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", r"line 9: .* expected 3 different channels"),
        ("OFFSET 0 10 0", "OFFSET 0 10", r"line 8: OFFSET of 2 numbers"),
        ("JOINT Arm", "JOINT Hips", r"line 6: a second joint 'Hips'"),
        ("JOINT Arm", "JOINT", r"line 6: a joint without a name"),
        ("MOTION", "ROOT Other", r"line 16: a second ROOT; one person per file"),
        ("MOTION\n", "", r"line 16: 'Frames: 3', expected MOTION"),
        ("      OFFSET 5 0 0\n    }\n  }\n}\n", "      OFFSET 5 0 0\n", r"expected OFFSET or CHANNELS"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in _ARM

    with pytest.raises(DatasetInvalid, match=message):
        bvh.parse(_ARM.replace(old, new), "arm.bvh")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(_ARM) - 1), st.characters(codec="ascii")), min_size=1, max_size=5),
    st.integers(0, 200),
)
def test_a_mutated_file_is_read_or_refused_and_nothing_else(changes: list[tuple[int, str]], cut: int) -> None:
    text = list(_ARM)
    for place, letter in changes:
        text[place] = letter

    with contextlib.suppress(DatasetInvalid):
        bvh.positions(bvh.parse("".join(text)[: len(text) - cut], "arm.bvh"))
