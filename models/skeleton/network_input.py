"""From a clip of people to what the reference's networks take: the same steps in training and in serving.

The order is the reference's: normalise, features (bone before motion), and only then sample frames
(pyskl_features.py); heatmaps are drawn of the sampled frames (heatmaps.py).
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.skeleton.heatmaps import SIGMA_PX, joint_heatmaps, limb_heatmaps, to_heatmap_pixels
from models.skeleton.layouts import Layout
from models.skeleton.pyskl_features import Feature, features, normalise_2d, normalise_3d
from models.skeleton.reference.features import LAYOUTS_3D as LAYOUTS_3D  # its users know it by this module

RGBPOSE_SIGMA_PX = 0.7

_FEATURE_OF: Mapping[str, Feature] = MappingProxyType(
    {"joint": "j", "bone": "b", "joint_motion": "jm", "bone_motion": "bm"}
)


def graph_input_2d(
    keypoints: FloatArray, size_wh: tuple[int, int], layout: Layout, stream: str, *, is_auto: bool = False
) -> AnyArray:
    """What a graph network sees of a clip: (M, T, V, 2 or 3) pixels (and scores) to the same shape.

    stream: joint, bone, joint_motion or bone_motion. is_auto: normalise by what the keypoints cover.
    """
    width, height = size_wh
    normal = normalise_2d(keypoints, shape_hw=(height, width), is_auto=is_auto)
    return features(normal, layout, [_FEATURE_OF[stream]])


def graph_input_3d(keypoints: AnyArray, layout: Layout, stream: str) -> AnyArray:
    """The same of joints in space: (M, T, V, 3) to (M, T', V, 3), without the frames that lack the first person."""
    return features(normalise_3d(keypoints), layout, [_FEATURE_OF[stream]])


def heatmap_sigma_px(features: str) -> float:
    """The width of the Gaussians in published heatmaps: RGBPose-Conv3D's are wider than PoseConv3D's."""
    return RGBPOSE_SIGMA_PX if features == "rgbpose" else SIGMA_PX


def draw_heatmaps(
    keypoints: FloatArray, size_wh: tuple[int, int], heatmap_hw: tuple[int, int], stream: str, features: str = "heatmap"
) -> FloatArray:
    """(M, T, V, 3) pixels and scores to the (V or L, T, H, W) maps of joints or limbs around everyone in the clip."""
    pixels = to_heatmap_pixels(keypoints[..., :2], size_wh, heatmap_hw)
    draw = limb_heatmaps if stream == "limb" else joint_heatmaps
    score = np.asarray(keypoints[..., 2], np.float32)
    return draw(pixels, score, heatmap_hw, sigma_px=heatmap_sigma_px(features))
