"""What top-down pose networks share: one crop per person goes in, joints in crop pixels come out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, FloatArray, Image
from models.runtime.detector import normalise_tables, planes
from models.runtime.pose import (
    FOLLOW_FACTOR,
    Landmarks,
    body_presence,
    crop_region,
    next_upright_region,
    points_to_source,
)
from models.runtime.session import Session
from models.runtime.shapes import BATCHES
from models.weights.registry import ModelSpec

Decode = Callable[[Mapping[str, AnyArray]], tuple[FloatArray, FloatArray]]
"""A batch's outputs → points (B, V, 2) in crop pixels and scores (B, V), 0..1."""


@dataclass(frozen=True, slots=True)
class CropNetwork:
    """A network over crops with what turns its outputs into joints; the file has `num_joints` of them."""

    session: Session
    decode: Decode
    num_joints: int


class TopDownPose:
    """Joints of the person in each region.

    The region's side lies along the crop's longer side, as mmpose fixes the aspect of a tall box: of an upright crop
    of 192 x 256 the outer eighths at the left and right are not seen. Presence comes from the joints, because such
    networks have no other. Options of the entry: `padding`, how much larger than a box the crops were in training, and
    `udp`, whether the outermost pixels' centres, not their edges, lie on the crop's edges.
    """

    def __init__(self, spec: ModelSpec, network: CropNetwork, max_batch: int = 16) -> None:
        self.layout = spec.layout
        width, height = spec.input.size_wh
        inputs = network.session.inputs
        network.session.declare({inputs[0].name: (3, height, width)}, spec.input.max_batch or BATCHES[-1])
        self._network = network
        self._size_wh = spec.input.size_wh
        self._colour = spec.input.colour
        self._tables = normalise_tables(spec.input.mean, spec.input.std)
        self._zoom = np.float32(spec.number("padding", FOLLOW_FACTOR) / FOLLOW_FACTOR)
        self._is_udp = bool(spec.decode.get("udp", False))
        self._max_batch = network.session.max_batch or spec.input.max_batch or max_batch

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What it runs on."""
        return (self._network.session,)

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        """Joints of the person in each region; the next region is upright around the joints that were seen."""
        if not len(regions):
            return Landmarks.empty(self._network.num_joints, follows_region=False)
        views = regions * np.array([1, 1, self._zoom, 1], np.float32)
        batch = np.stack([self._crop(image, view) for image, view in zip(images, views, strict=True)])
        step = self._max_batch
        parts = [self._run(batch[at : at + step]) for at in range(0, len(batch), step)]
        points = np.concatenate([points for points, _ in parts])
        points = points_to_source(points, views, self._size_wh, is_udp=self._is_udp)
        score = np.concatenate([score for _, score in parts])
        keypoints = np.concatenate([points, score[:, :, None]], axis=2)
        presence = body_presence(score, self.layout)
        return Landmarks(keypoints, presence, next_upright_region(keypoints, regions), follows_region=False)

    def _crop(self, image: Image, view: FloatArray) -> FloatArray:
        return planes(crop_region(image, view, self._size_wh, is_udp=self._is_udp), self._tables, self._colour)

    def _run(self, batch: FloatArray) -> tuple[FloatArray, FloatArray]:
        session, count = self._network.session, len(batch)
        if session.fixed_batch:
            missing = session.fixed_batch - count
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.float32)])
        outputs = session.run({session.inputs[0].name: batch})
        return self._network.decode({name: value[:count] for name, value in outputs.items()})
