"""The joint trees of bodies with feet, face and hands: Halpe-26 and COCO-WholeBody, in the order of mmpose's data sets.

Sources: Fang et al., "AlphaPose" (Halpe full body, 2022); Jin et al., "Whole-Body Human Pose Estimation in the Wild"
(2020). The face's 68 points are those of 300-W, numbered from the person's right ear along the jaw.
"""

from collections.abc import Iterator, Sequence

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

# Each line is one curve of the face: where it hangs, then its points in order.
_FACE = """
right_ear right_jaw_1 right_jaw_2 right_jaw_3 right_jaw_4 right_jaw_5 right_jaw_6 right_jaw_7 right_jaw_8 chin
chin left_jaw_8 left_jaw_7 left_jaw_6 left_jaw_5 left_jaw_4 left_jaw_3 left_jaw_2 left_jaw_1
right_eye right_brow_1 right_brow_2 right_brow_3 right_brow_4 right_brow_5
left_eye left_brow_5 left_brow_4 left_brow_3 left_brow_2 left_brow_1
nose nose_bridge_1 nose_bridge_2 nose_bridge_3 nose_bridge_4
nose right_nostril_1 right_nostril_2 nose_base left_nostril_2 left_nostril_1
right_eye right_eye_1 right_eye_2 right_eye_3 right_eye_4 right_eye_5 right_eye_6
left_eye left_eye_4 left_eye_3 left_eye_2 left_eye_1 left_eye_6 left_eye_5
nose_base right_lip_1 right_lip_2 right_lip_3 lip_top left_lip_3 left_lip_2 left_lip_1
left_lip_1 left_lip_4 left_lip_5 lip_bottom right_lip_5 right_lip_4
right_lip_1 right_mouth_1 right_mouth_2 mouth_top left_mouth_2 left_mouth_1 left_mouth_3 mouth_bottom right_mouth_3
"""

_FINGERS = ("thumb", "index", "middle", "ring", "little")


def whole_body(body: str) -> str:
    """COCO-WholeBody's 133 joints: those of `body`, which are COCO's 17, then feet, face, left hand and right hand."""
    lines = [*body.split("\n"), *_FEET.split("\n"), *_curves(_FACE.strip().split("\n"))]
    return "\n".join(line for line in [*lines, *_hand("left"), *_hand("right")] if line)


def _curves(curves: Sequence[str]) -> Iterator[str]:
    for curve in curves:
        start, *points = curve.split()
        yield from (f"{point} {parent}" for point, parent in zip(points, [start, *points], strict=False))


def _hand(side: str) -> Iterator[str]:
    yield f"{side}_hand {side}_wrist"
    for finger in _FINGERS:
        joints = [f"{side}_{finger}_{number}" for number in range(1, 5)]
        yield from (f"{joint} {parent}" for joint, parent in zip(joints, [f"{side}_hand", *joints], strict=False))
