"""The joint trees of bodies with feet, face and hands: Halpe-26 and COCO-WholeBody, in the order of mmpose's data sets.

Sources: Fang et al., "AlphaPose" (Halpe full body, 2022); Jin et al., "Whole-Body Human Pose Estimation in the Wild"
(2020). The face's 68 points are those of 300-W, numbered from the person's right ear along the jaw.
"""

from collections.abc import Iterator

HALPE26 = """
nose neck
left_eye nose
right_eye nose
left_ear left_eye
right_ear right_eye
left_shoulder neck
right_shoulder neck
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_hip middle_hip
right_hip middle_hip
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
head neck
neck neck
middle_hip neck
left_big_toe left_ankle
right_big_toe right_ankle
left_small_toe left_big_toe
right_small_toe right_big_toe
left_heel left_ankle
right_heel right_ankle
"""

_FEET = """
left_big_toe left_ankle
left_small_toe left_big_toe
left_heel left_ankle
right_big_toe right_ankle
right_small_toe right_big_toe
right_heel right_ankle
"""

_FACE = """
right_jaw_1 right_jaw_2 right_jaw_3 right_jaw_4 right_jaw_5 right_jaw_6 right_jaw_7 right_jaw_8 chin
left_jaw_8 left_jaw_7 left_jaw_6 left_jaw_5 left_jaw_4 left_jaw_3 left_jaw_2 left_jaw_1
right_brow_1 right_brow_2 right_brow_3 right_brow_4 right_brow_5
left_brow_5 left_brow_4 left_brow_3 left_brow_2 left_brow_1
nose_bridge_1 nose_bridge_2 nose_bridge_3 nose_bridge_4
right_nostril_1 right_nostril_2 nose_base left_nostril_2 left_nostril_1
right_eye_1 right_eye_2 right_eye_3 right_eye_4 right_eye_5 right_eye_6
left_eye_4 left_eye_3 left_eye_2 left_eye_1 left_eye_6 left_eye_5
right_lip_1 right_lip_2 right_lip_3 lip_top left_lip_3 left_lip_2 left_lip_1
left_lip_4 left_lip_5 lip_bottom right_lip_5 right_lip_4
right_mouth_1 right_mouth_2 mouth_top left_mouth_2 left_mouth_1 left_mouth_3 mouth_bottom right_mouth_3
"""

# Each line is one curve: the joint that it hangs on, then its points; `*` stands for left and right.
_CURVES = """
*_ear *_jaw_1 *_jaw_2 *_jaw_3 *_jaw_4 *_jaw_5 *_jaw_6 *_jaw_7 *_jaw_8
*_eye *_brow_1 *_brow_2 *_brow_3 *_brow_4 *_brow_5
*_eye *_eye_1 *_eye_2 *_eye_3 *_eye_4 *_eye_5 *_eye_6
nose nose_bridge_1 nose_bridge_2 nose_bridge_3 nose_bridge_4 nose_base lip_top mouth_top mouth_bottom lip_bottom chin
nose_base *_nostril_2 *_nostril_1
lip_top *_lip_3 *_lip_2 *_lip_1 *_lip_4 *_lip_5
mouth_top *_mouth_2 *_mouth_1 *_mouth_3
"""

_FINGERS = ("thumb", "index", "middle", "ring", "little")


def whole_body(body: str) -> str:
    """COCO-WholeBody's 133 joints: those of `body`, which are COCO's 17, then feet, face, left hand and right hand."""
    lines = [*body.split("\n"), *_FEET.split("\n"), *_face(), *_hand("left"), *_hand("right")]
    return "\n".join(line for line in lines if line)


def _face() -> Iterator[str]:
    parents: dict[str, str] = {}
    for curve in _CURVES.strip().split("\n"):
        for side in ("left", "right"):
            start, *points = curve.replace("*", side).split()
            parents |= dict(zip(points, [start, *points], strict=False))
    yield from (f"{point} {parents[point]}" for point in _FACE.split())


def _hand(side: str) -> Iterator[str]:
    yield f"{side}_hand {side}_wrist"
    for finger in _FINGERS:
        joints = [f"{side}_{finger}_{number}" for number in range(1, 5)]
        yield from (f"{joint} {parent}" for joint, parent in zip(joints, [f"{side}_hand", *joints], strict=False))
