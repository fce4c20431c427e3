"""What every pose estimator is, and the crop geometry that pose estimators share.

A region is a turned square in the picture: centre x, centre y, side (pixels), angle (radians). The angle says how far
the person's head is turned from straight up, counter-clockwise as one sees it: 0 upright, pi/2 head to the left,
-pi/2 head to the right. The crop of a region shows the person upright.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.skeleton.layouts import require_layout

FOLLOW_FACTOR = 1.25
"""Side of a region over the size of what it is made from: box side, or twice the distance of BlazePose's landmarks."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Joints of N people.

    keypoints:   (N, V, 3) float32 in the estimator's layout, x and y in source pixels, visibility 0..1.
    presence:    (N,) float32, 0..1, how sure it is that the crop holds a person.
    next_region: (N, 4) float32, where to look for the same person in the next picture.
    follows_region: whether next_region keeps the person's turn (BlazePose), or is always upright.
    """

    keypoints: FloatArray
    presence: FloatArray
    next_region: FloatArray
    follows_region: bool

    @staticmethod
    def empty(num_joints: int, follows_region: bool) -> "Landmarks":
        """Nobody."""
        none = np.zeros(0, np.float32)
        keypoints = np.zeros((0, num_joints, 3), np.float32)
        return Landmarks(keypoints, none, np.zeros((0, 4), np.float32), follows_region)

    def __len__(self) -> int:
        return len(self.presence)


class PoseEstimator(Protocol):
    """Finds the joints of the person in each region; `layout` names them (models/skeleton/layouts.py)."""

    @property
    def layout(self) -> str:
        """The layout of the keypoints."""
        ...

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """One image per region: images[i] holds regions[i]; the same picture may come many times."""
        ...


def region_from_box(xyxy: FloatArray, angle: float = 0.0, factor: float = FOLLOW_FACTOR) -> FloatArray:
    """Square regions (N, 4) around boxes (N, 4): `factor` times the longer side."""
    centre = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    side = (xyxy[:, 2:] - xyxy[:, :2]).max(axis=1, keepdims=True) * factor
    return np.concatenate([centre, side, np.full_like(side, angle)], axis=1).astype(np.float32)


def next_upright_region(keypoints: FloatArray, regions: FloatArray, min_score: float = 0.3) -> FloatArray:
    """Upright regions (N, 4) around the joints (N, V, 3) that were seen; fewer than two of them keep the old region."""
    following = regions.copy()
    for index, joints in enumerate(keypoints):
        seen = joints[joints[:, 2] >= min_score, :2]
        if len(seen) >= 2 and np.ptp(seen, axis=0).max() > 0:
            box = np.concatenate([seen.min(axis=0), seen.max(axis=0)])
            following[index] = region_from_box(box[None])[0]
    return following


def region_transform(region: FloatArray, size_wh: tuple[int, int], is_udp: bool = False) -> FloatArray:
    """(2, 3) float32: crop pixels → source pixels, the region's side along the crop's longer side.

    is_udp: the outermost pixels lie on the region's edges, so that there is one step less than there are pixels.
    """
    centre, side, angle = region[:2], float(region[2]), float(region[3])
    size = np.array(size_wh)
    last = size - 1 if is_udp else size
    step = side / max(size_wh) * size / last
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]]) * step  # pixel rows grow downwards: counter-clockwise as seen
    shift = centre - turn @ (last / 2)
    return np.concatenate([turn, shift[:, None]], axis=1).astype(np.float32)


def crop_region(
    image: Image,
    region: FloatArray,
    size_wh: tuple[int, int],
    border: int = cv2.BORDER_CONSTANT,
    is_udp: bool = False,
) -> Image:
    """(H, W, 3) uint8: the person upright; what lies outside the picture is black unless `border` says otherwise."""
    matrix = region_transform(region, size_wh, is_udp)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, matrix, size_wh, flags=flags, borderMode=border).astype(np.uint8, copy=False)


def points_to_source(
    points: FloatArray, regions: FloatArray, size_wh: tuple[int, int], is_udp: bool = False
) -> FloatArray:
    """Points (N, P, 2) from crop to source pixels."""
    matrices = np.stack([region_transform(region, size_wh, is_udp) for region in regions])
    moved: FloatArray = points @ matrices[:, :, :2].transpose(0, 2, 1) + matrices[:, None, :, 2]
    return moved.astype(np.float32)


def sigmoid(logits: FloatArray) -> FloatArray:
    """1 / (1 + exp(-x)), without overflow."""
    half: FloatArray = np.tanh(0.5 * logits).astype(np.float32)
    return (half + np.float32(1)) / np.float32(2)


def body_presence(score: FloatArray, layout: str) -> FloatArray:
    """(N,) how sure it is that a person is there, by a network that says nothing but scores of joints (N, V), 0..1.

    The mean of the better half of the body's joints: the other half may be hidden, and of a whole body with hands and
    face most joints are neither.
    """
    body = np.sort(score[:, list(require_layout(layout).core)], axis=1)
    mean: FloatArray = body[:, body.shape[1] // 2 :].mean(axis=1)
    return mean.astype(np.float32, copy=False)
