"""One guess of where a body is and which way round, and how much speaks for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.arrays import FloatArray, Image
from models.runtime.pose import Landmarks
from models.skeleton.layouts import COCO17, Layout
from pipelines.stream.people.boxes import joint_box, overlap, square_region, torso_tilt

EstimatePoses = Callable[[Sequence[Image], FloatArray], Landmarks]

_SEEN = 0.3  # of a joint's score
_LYING_TILT = float(np.deg2rad(55))


@dataclass(frozen=True, slots=True)
class PoseHypothesis:
    """A body as the landmark network sees it in one region.

    region, next_region: (4,) centre x, centre y, side in pixels, angle in radians.
    keypoints: (V, 3) in the order of `layout`, source-frame pixels and visibility 0..1.
    presence: 0..1; says little about the rotation, and a chair reaches 0.9.
    visibility: mean of the body's joints, 0..1; those of hands, feet and face do not count.
    xyxy: (4,) the box around the joints, source-frame pixels.
    """

    region: FloatArray
    keypoints: FloatArray
    presence: float
    next_region: FloatArray
    layout: Layout = COCO17
    visibility: float = field(init=False)
    xyxy: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        """Once, because both are asked for many times."""
        object.__setattr__(self, "visibility", float(self.keypoints[list(self.layout.core), 2].mean()))
        object.__setattr__(self, "xyxy", joint_box(self.keypoints))

    @property
    def evidence(self) -> float:
        """Logit of presence clipped to -6..6, plus four times the mean visibility: -6..10."""
        presence = min(max(self.presence, 1e-4), 1 - 1e-4)
        return float(np.clip(np.log(presence / (1 - presence)), -6, 6)) + 4 * self.visibility

    @property
    def is_lying(self) -> bool:
        """Whether the line from hips to shoulders is nearer to level than to upright."""
        return torso_tilt(self.keypoints, self.layout) > _LYING_TILT

    def selection(self, box: FloatArray | None) -> float:
        """The score that chooses among rotations: evidence, plus twice the overlap with a detected box."""
        return self.evidence + (2 * overlap(self.xyxy, box) if box is not None else 0.0)


def estimate(
    estimator: EstimatePoses, image: Image, regions: Sequence[FloatArray], layout: Layout = COCO17
) -> list[PoseHypothesis]:
    """One hypothesis per region, all in one call of the network."""
    if not regions:
        return []
    stacked = np.stack(regions).astype(np.float32)
    found = estimator([image] * len(regions), stacked)
    return [
        PoseHypothesis(
            region,
            keypoints,
            float(presence),
            following if found.follows_region else region_of_joints(keypoints, float(region[3]), layout),
            layout,
        )
        for region, keypoints, presence, following in zip(
            stacked, found.keypoints, found.presence, found.next_region, strict=True
        )
    ]


def joint_distance(first: FloatArray, second: FloatArray) -> float:
    """How far two bodies' joints lie apart: median over joints, as a share of the larger body's longer side.

    first, second: (V, 3) keypoints. Close to 0 when both follow the same body.
    """
    sizes = [float(np.ptp(points[:, :2], axis=0).max()) for points in (first, second)]
    apart = np.hypot(*(first[:, :2] - second[:, :2]).T)
    return float(np.median(apart)) / max(*sizes, 1.0)


def region_of_joints(keypoints: FloatArray, turn: float, layout: Layout = COCO17) -> FloatArray:
    """(4,) where to look next for a body whose network does not say so: around its joints, turned with its torso.

    keypoints: (V, 3) pixels and score. turn: of the present region in radians, kept where the torso was not seen.
    Looked at upright, somebody who falls is lost: most networks saw few people who lie, and crops are often narrow.
    """
    torso = keypoints[list(layout.torso)]
    if torso[:, 2].min() >= _SEEN:
        up = torso[:2, :2].mean(axis=0) - torso[2:, :2].mean(axis=0)
        turn = float(np.arctan2(-up[0], -up[1]))
    cos, sin = np.cos(turn), np.sin(turn)
    to_upright = np.array([[cos, -sin], [sin, cos]], np.float32)
    upright = np.concatenate([keypoints[:, :2] @ to_upright.T, keypoints[:, 2:]], axis=1)
    region = square_region(joint_box(upright), turn)
    region[:2] = region[:2] @ to_upright
    return region
