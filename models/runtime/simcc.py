"""RTMPose (Jiang et al., 2023): each joint as two one-dimensional classifications, SimCC (Li et al., 2022)."""

from collections.abc import Sequence

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.errors import ContractMismatch
from models.runtime.detector import normalise_tables, planes
from models.runtime.pose import Landmarks, body_presence, crop_region, next_upright_region, points_to_source
from models.runtime.session import Session
from models.runtime.shapes import BATCHES
from models.weights.registry import ModelSpec

_SPLIT_RATIO = 2  # classes per pixel


class SimCCPose:
    """Joints from `simcc_x` (B, V, 2W) and `simcc_y` (B, V, 2H) of a crop, 192 x 256 for the published body networks.

    The region's side lies along the crop's longer side: of an upright crop the outer eighths at the left and right are
    not seen. Presence comes from the joints' scores, because the network has no other.
    """

    def __init__(self, spec: ModelSpec, session: Session, max_batch: int = 16) -> None:
        session.require_output("simcc_x", "simcc_y")
        self.layout = spec.layout
        width, height = spec.input.size_wh
        session.declare({session.inputs[0].name: (3, height, width)}, spec.input.max_batch or BATCHES[-1])
        self._session = session
        self._size_wh = spec.input.size_wh
        self._colour = spec.input.colour
        self._tables = normalise_tables(spec.input.mean, spec.input.std)
        self._max_batch = session.max_batch or spec.input.max_batch or max_batch
        self._num_joints = _num_joints(session)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return (self._session,)

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """Joints of the person in each region; the next region is upright around the joints that were seen."""
        if not len(regions):
            return Landmarks.empty(self._num_joints, follows_region=False)
        crops = [crop_region(image, region, self._size_wh) for image, region in zip(images, regions, strict=True)]
        batch = np.stack([planes(crop, self._tables, self._colour) for crop in crops])
        step = self._max_batch
        parts = [self._run(batch[at : at + step]) for at in range(0, len(batch), step)]
        points = points_to_source(np.concatenate([points for points, _ in parts]), regions, self._size_wh)
        score = np.concatenate([score for _, score in parts])
        keypoints = np.concatenate([points, score[:, :, None]], axis=2)
        presence = body_presence(score, self.layout)
        return Landmarks(keypoints, presence, next_upright_region(keypoints, regions), follows_region=False)

    def _run(self, batch: FloatArray) -> tuple[FloatArray, FloatArray]:
        count = len(batch)
        if self._session.fixed_batch:
            missing = self._session.fixed_batch - count
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)])
        outputs = self._session.run({self._session.inputs[0].name: batch})
        return decode_simcc(outputs["simcc_x"][:count], outputs["simcc_y"][:count])


def decode_simcc(simcc_x: AnyArray, simcc_y: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Points (B, V, 2) in crop pixels and scores (B, V) 0..1: the best class of each axis, the weaker one's value."""
    best = np.stack([simcc_x.argmax(axis=2), simcc_y.argmax(axis=2)], axis=2)
    points: FloatArray = best.astype(np.float32) / np.float32(_SPLIT_RATIO)
    score: FloatArray = np.minimum(simcc_x.max(axis=2), simcc_y.max(axis=2))
    return points, np.clip(score, 0, 1).astype(np.float32, copy=False)


def _num_joints(session: Session) -> int:
    found = {spec.name: spec.shape for spec in session.outputs}["simcc_x"][1]
    if not isinstance(found, int):
        raise ContractMismatch(f"{session.path.name}: simcc_x has {found!r} joints, expected a number")
    return found
