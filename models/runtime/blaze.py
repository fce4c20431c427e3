"""BlazePose (Bazarevsky et al., 2020): landmarks of one person per crop, and its own detector."""

from collections.abc import Sequence

import cv2
import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.pose import FOLLOW_FACTOR, Landmarks, crop_region, points_to_source, sigmoid
from models.runtime.session import Session

_COCO17 = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""BlazePose's number of each COCO joint, in COCO's order."""

_SIZE_WH = (256, 256)
_NUM_POINTS = 39  # 33 landmarks and 6 helpers, of which 33 and 34 say where the person is
_CENTRE, _TOP = 33, 34


class BlazePoseLandmarks:
    """Joints by BlazePose's landmark network: 256 x 256 RGB crops 0..1.

    max_batch: crops in one run, where the session has no bound of its own.
    """

    layout = "coco17"

    def __init__(self, session: Session, max_batch: int = 16) -> None:
        session.require_output("landmarks", "presence")
        self._session = session
        self._max_batch = session.max_batch or max_batch

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return (self._session,)

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """Joints of the person in each region, with the region to look at next."""
        if not len(regions):
            return Landmarks.empty(len(_COCO17), follows_region=True)
        crops = [crop_region(image, region, _SIZE_WH, _BORDER) for image, region in zip(images, regions, strict=True)]
        parts = [self._run(crops[at : at + self._max_batch]) for at in range(0, len(crops), self._max_batch)]
        raw = np.concatenate([landmarks for landmarks, _ in parts])
        points = points_to_source(raw[:, :, :2], regions, _SIZE_WH)
        visibility = sigmoid(raw[:, _COCO17, 3:4])
        keypoints = np.concatenate([points[:, _COCO17], visibility], axis=2)
        presence = np.concatenate([presence for _, presence in parts])
        return Landmarks(keypoints, presence, follow_region(points[:, _CENTRE], points[:, _TOP]), follows_region=True)

    def _run(self, crops: Sequence[Image]) -> tuple[FloatArray, FloatArray]:
        batch = cv2.dnn.blobFromImages(crops, scalefactor=1 / 255, swapRB=True)
        outputs = self._session.run({"image": batch})
        return outputs["landmarks"].reshape(-1, _NUM_POINTS, 5), outputs["presence"].reshape(-1)


# MediaPipe's choice for landmarks. Following people on five clips in which the picture cuts them, every second frame:
# presence above 0.5 in 77 % of frames with the edge repeated, 63 % with black.
_BORDER = cv2.BORDER_REPLICATE


def follow_region(centre: FloatArray, top: FloatArray) -> FloatArray:
    """Regions (N, 4) from two helper points (N, 2): centre, and a point straight above at half the person's size.

    The factor must be exactly 1.25: the network was trained to predict these points in crops of that size, and
    another one makes the region shrink or grow from picture to picture.
    """
    up = top - centre
    side = 2 * FOLLOW_FACTOR * np.hypot(up[:, 0], up[:, 1])
    angle = np.arctan2(-up[:, 1], up[:, 0]) - np.pi / 2
    wrapped = (angle + np.pi) % (2 * np.pi) - np.pi
    return np.concatenate([centre, side[:, None], wrapped[:, None]], axis=1).astype(np.float32)
