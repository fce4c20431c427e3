"""What an import may choose, without torch: the command's help must not need it."""

from types import MappingProxyType

# PYSKL's and MMAction2's names of our layouts.
THEIR_LAYOUTS = MappingProxyType(
    {"coco": "coco17", "nturgb+d": "nturgbd25", "openpose": "openpose18", "handmp": "hand21"}
)
# What a network of each kind can take.
INPUTS = MappingProxyType({"keypoint": ("keypoint",), "heatmap": ("heatmap", "keypoint"), "rgbpose": ("heatmap",)})
STREAMS = ("joint", "bone", "joint_motion", "bone_motion", "limb")
