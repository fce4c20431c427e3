"""Who is who from frame to frame, for files that give people without identities: by where their joints were last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import FloatArray

_LOST_FRAMES = 30
"""Who comes back after longer is somebody else."""
_NEAR = 1.0
"""Mean distance of the joints, shares of the body's own size, up to which it is the same person."""
_LEAST_JOINTS = 3


@dataclass(frozen=True, slots=True)
class _Seen:
    frame: int
    joints: FloatArray


def follow(frames: Mapping[int, Sequence[FloatArray]]) -> list[dict[int, FloatArray]]:
    """People as frame → (V, 3) joints with scores; the nearest pairs are joined first, frame by frame.

    frames: frame → (V, 3) joints of everyone in it, in any order.
    """
    people: list[dict[int, FloatArray]] = []
    last: dict[int, _Seen] = {}
    for frame in sorted(frames):
        found = [joints for joints in frames[frame] if (joints[:, 2] > 0).any()]
        known = {track: seen for track, seen in last.items() if frame - seen.frame <= _LOST_FRAMES}
        pairs = _pairs(known, found)
        for row, joints in enumerate(found):
            track = pairs.get(row, len(people))
            if track == len(people):
                people.append({})
            people[track][frame] = joints
            last[track] = _Seen(frame, joints)
    return people


def _pairs(known: Mapping[int, _Seen], found: Sequence[FloatArray]) -> dict[int, int]:
    """Row among the found → track, each at most once."""
    near = sorted(
        (distance, row, track)
        for track, seen in known.items()
        for row, joints in enumerate(found)
        if (distance := _distance(seen.joints, joints)) <= _NEAR
    )
    pairs: dict[int, int] = {}
    for _, row, track in near:
        if row not in pairs and track not in pairs.values():
            pairs[row] = track
    return pairs


def _distance(one: FloatArray, other: FloatArray) -> float:
    """Mean distance of the joints that both show, in sizes of the larger body; infinite where they share too few."""
    both = (one[:, 2] > 0) & (other[:, 2] > 0)
    if both.sum() < min(_LEAST_JOINTS, len(one)):
        return float("inf")
    size = max(float(np.ptp(body[body[:, 2] > 0, :2], axis=0).max()) for body in (one, other))
    return float(np.linalg.norm(one[both, :2] - other[both, :2], axis=1).mean()) / max(size, 1e-6)
