"""The joint trees of layouts.py, one line per joint in its order: `joint parent [start of its bone]`.

Parents of coco17, nturgbd25, openpose18 and hand21 are PYSKL's graphs (Duan et al. 2022), so that its checkpoints keep
their meaning; the third word is where its bone features start when that is not the parent.
"""

from collections.abc import Mapping
from types import MappingProxyType

from models.skeleton.whole_body import HALPE26, whole_body

# COCO keypoints.
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
left_hip left_shoulder nose
right_hip right_shoulder nose
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

# Kinect v2 as in NTU RGB+D.
_NTURGBD25 = """
base_of_spine middle_of_spine
middle_of_spine spine
neck spine
head neck
left_shoulder spine
left_elbow left_shoulder
left_wrist left_elbow
left_hand left_wrist
right_shoulder spine
right_elbow right_shoulder
right_wrist right_elbow
right_hand right_wrist
left_hip base_of_spine
left_knee left_hip
left_ankle left_knee
left_foot left_ankle
right_hip base_of_spine
right_knee right_hip
right_ankle right_knee
right_foot right_ankle
spine spine
left_hand_tip left_hand left_thumb
left_thumb left_hand
right_hand_tip right_hand right_thumb
right_thumb right_hand
"""

# OpenPose's COCO model with a neck, as in Kinetics-Skeleton.
_OPENPOSE18 = """
nose neck nose
neck neck nose
right_shoulder neck
right_elbow right_shoulder
right_wrist right_elbow
left_shoulder neck
left_elbow left_shoulder
left_wrist left_elbow
right_hip right_shoulder
right_knee right_hip
right_ankle right_knee
left_hip left_shoulder
left_knee left_hip
left_ankle left_knee
right_eye nose
left_eye nose
right_ear right_eye
left_ear left_eye
"""

# OpenPose's BODY_25.
_OPENPOSE25 = """
nose neck
neck neck
right_shoulder neck
right_elbow right_shoulder
right_wrist right_elbow
left_shoulder neck
left_elbow left_shoulder
left_wrist left_elbow
middle_hip neck
right_hip middle_hip
right_knee right_hip
right_ankle right_knee
left_hip middle_hip
left_knee left_hip
left_ankle left_knee
right_eye nose
left_eye nose
right_ear right_eye
left_ear left_eye
left_big_toe left_ankle
left_small_toe left_big_toe
left_heel left_ankle
right_big_toe right_ankle
right_small_toe right_big_toe
right_heel right_ankle
"""

# MediaPipe's and FreiHAND's hand: four joints per finger from the palm to the tip.
_HAND21 = """
wrist wrist
thumb_1 wrist
thumb_2 thumb_1
thumb_3 thumb_2
thumb_4 thumb_3
index_1 wrist
index_2 index_1
index_3 index_2
index_4 index_3
middle_1 wrist
middle_2 middle_1
middle_3 middle_2
middle_4 middle_3
ring_1 wrist
ring_2 ring_1
ring_3 ring_2
ring_4 ring_3
little_1 wrist
little_2 little_1
little_3 little_2
little_4 little_3
"""

# Kinect v1 as in NW-UCLA and UTKinect.
_KINECT20 = """
hip_centre spine
spine shoulder_centre
shoulder_centre shoulder_centre
head shoulder_centre
left_shoulder shoulder_centre
left_elbow left_shoulder
left_wrist left_elbow
left_hand left_wrist
right_shoulder shoulder_centre
right_elbow right_shoulder
right_wrist right_elbow
right_hand right_wrist
left_hip hip_centre
left_knee left_hip
left_ankle left_knee
left_foot left_ankle
right_hip hip_centre
right_knee right_hip
right_ankle right_knee
right_foot right_ankle
"""

# MediaPipe's BlazePose.
_BLAZEPOSE33 = """
nose nose
left_eye_inner nose
left_eye left_eye_inner
left_eye_outer left_eye
right_eye_inner nose
right_eye right_eye_inner
right_eye_outer right_eye
left_ear left_eye_outer
right_ear right_eye_outer
left_mouth nose
right_mouth nose
left_shoulder nose
right_shoulder nose
left_elbow left_shoulder
right_elbow right_shoulder
left_wrist left_elbow
right_wrist right_elbow
left_pinky left_wrist
right_pinky right_wrist
left_index left_wrist
right_index right_wrist
left_thumb left_wrist
right_thumb right_wrist
left_hip left_shoulder
right_hip right_shoulder
left_knee left_hip
right_knee right_hip
left_ankle left_knee
right_ankle right_knee
left_heel left_ankle
right_heel right_ankle
left_foot_index left_ankle
right_foot_index right_ankle
"""

# JHMDB's puppet.
_JHMDB15 = """
neck neck
belly neck
face neck
right_shoulder neck
left_shoulder neck
right_hip belly
left_hip belly
right_elbow right_shoulder
left_elbow left_shoulder
right_knee right_hip
left_knee left_hip
right_wrist right_elbow
left_wrist left_elbow
right_ankle right_knee
left_ankle left_knee
"""

# Penn Action.
_PENN13 = """
head head
left_shoulder head
right_shoulder head
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

TREES: Mapping[str, str] = MappingProxyType(
    {
        "coco17": _COCO17,
        "body13": _BODY13,
        "nturgbd25": _NTURGBD25,
        "openpose18": _OPENPOSE18,
        "openpose25": _OPENPOSE25,
        "hand21": _HAND21,
        "kinect20": _KINECT20,
        "blazepose33": _BLAZEPOSE33,
        "jhmdb15": _JHMDB15,
        "penn13": _PENN13,
        "halpe26": HALPE26,
        "wholebody133": whole_body(_COCO17),
    }
)
