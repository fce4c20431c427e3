"""RTMPose (Jiang et al., 2023): each joint as two one-dimensional classifications, SimCC (Li et al., 2022)."""

from collections.abc import Mapping

import numpy as np

from models.arrays import AnyArray, FloatArray
from models.errors import ContractMismatch
from models.runtime.session import Session
from models.runtime.topdown import CropNetwork, TopDownPose
from models.weights.registry import ModelSpec

_SPLIT_RATIO = 2  # classes per pixel


class SimCCPose(TopDownPose):
    """Joints from `simcc_x` (B, V, 2W) and `simcc_y` (B, V, 2H) of a crop, 192 x 256 for the published body networks.

    The option `split_ratio` says how many classes a pixel has where it is not two.
    """

    def __init__(self, spec: ModelSpec, session: Session, max_batch: int = 16) -> None:
        session.require_output("simcc_x", "simcc_y")
        split_ratio = spec.number("split_ratio", _SPLIT_RATIO)

        def decode(outputs: Mapping[str, AnyArray]) -> tuple[FloatArray, FloatArray]:
            return decode_simcc(outputs["simcc_x"], outputs["simcc_y"], split_ratio)

        super().__init__(spec, CropNetwork(session, decode, _num_joints(session)), max_batch)


def decode_simcc(
    simcc_x: AnyArray, simcc_y: AnyArray, split_ratio: float = _SPLIT_RATIO
) -> tuple[FloatArray, FloatArray]:
    """Points (B, V, 2) in crop pixels and scores (B, V) 0..1: the best class of each axis, the weaker one's value."""
    best = np.stack([simcc_x.argmax(axis=2), simcc_y.argmax(axis=2)], axis=2)
    points: FloatArray = best.astype(np.float32) / np.float32(split_ratio)
    score: FloatArray = np.minimum(simcc_x.max(axis=2), simcc_y.max(axis=2))
    return points, np.clip(score, 0, 1).astype(np.float32, copy=False)


def _num_joints(session: Session) -> int:
    found = {spec.name: spec.shape for spec in session.outputs}["simcc_x"][1]
    if not isinstance(found, int):
        raise ContractMismatch(f"{session.path.name}: simcc_x has {found!r} joints, expected a number")
    return found
