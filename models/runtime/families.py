"""The families of detectors and pose estimators that the runtime knows, and which of the two places each can take."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

PeopleTask = Literal["detect", "pose", "detect_pose"]

FAMILIES: Mapping[str, PeopleTask] = MappingProxyType(
    {
        "rtmdet": "detect",
        "yolox": "detect",
        "yolox-sdk": "detect",
        "yolo": "detect",
        "blazepose-detector": "detect",
        "blazepose": "pose",
        "simcc": "pose",
        "heatmap": "pose",
        "yolo-pose": "detect_pose",
        "rtmo": "detect_pose",
    }
)
"""Family → what it finds: people, their joints, or both in one pass."""
