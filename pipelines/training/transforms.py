"""Geometry of joints, without randomness: cutting by time, falls, cameras, mirrors. All of it on whole batches."""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray
from models.skeleton.layouts import COCO17

MIRRORED = list(COCO17.mirrored)
TORSO = [*COCO17.shoulders, *COCO17.hips]
HIPS = TORSO[2:]
ANKLES = list(COCO17.ankles)
UPPER = list(range(11))


def fill(joints: FloatArray, seen: BoolArray) -> FloatArray:
    """Joints of one sequence, linear in time where they were not seen; never seen keeps its numbers.

    joints: (T, V, D); seen: (T, V).
    """
    filled = joints.copy()
    frames = np.arange(len(joints))
    for joint in np.flatnonzero(seen.any(axis=0) & ~seen.all(axis=0)):
        known = seen[:, joint]
        for axis in range(joints.shape[2]):
            filled[~known, joint, axis] = np.interp(frames[~known], frames[known], joints[known, joint, axis])
    return filled


@dataclass(frozen=True, slots=True)
class Fall:
    """When a body left its feet and when it reached the ground, in frames of its sequence."""

    onset: int
    ground: int


def find_fall(joints: FloatArray, rate_hz: float) -> Fall | None:
    """The steepest drop of shoulders and hips in the picture: from 12 to 88 % of the way down; None without one.

    joints: (T, 17, 2 or more) y down. A drop counts when it is at least half a body size.
    """
    height = joints[:, TORSO, 1].mean(axis=1)
    if len(height) < rate_hz:
        return None
    height = _smooth(height, max(1, round(rate_hz * 0.15)))
    span = max(2, round(rate_hz * 0.8))
    drop = height[span:] - height[:-span]
    if not len(drop):
        return None
    middle = int(np.argmax(drop)) + span // 2
    standing = np.median(height[max(0, middle - round(1.2 * rate_hz)) : max(1, middle - round(0.5 * rate_hz))])
    lying = np.median(height[middle + round(0.5 * rate_hz) : middle + round(1.2 * rate_hz) + 1] if middle + round(
        0.5 * rate_hz) < len(height) else height[-1:])  # fmt: skip
    size = np.percentile(np.ptp(joints[:, :, 1], axis=1), 90)
    if lying - standing < 0.25 * size:
        return None
    share = (height - standing) / (lying - standing)
    before, after = np.flatnonzero(share[: middle + 1] < 0.12), np.flatnonzero(share[middle:] > 0.88)
    onset = int(before[-1]) if len(before) else 0
    ground = middle + int(after[0]) if len(after) else len(height) - 1
    return Fall(onset, ground)


def _smooth(values: AnyArray, width: int) -> AnyArray:
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")


def rotation(axis: AnyArray, angle: AnyArray) -> AnyArray:
    """(..., 3, 3) turns by `angle` (...) radians about unit vectors `axis` (..., 3); Rodrigues' formula."""
    x, y, z = np.moveaxis(axis, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    turned: AnyArray = np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
    return turned


def tip(joints: FloatArray, angle: AnyArray, bend: AnyArray, heading: AnyArray) -> FloatArray:
    """Bodies that tip about their feet, the upper body by `bend` more than the legs.

    joints:  (B, T, 17, 3) y up. angle, bend: (B, T) radians. heading: (B,) direction on the ground, radians.
    """
    axis = np.stack([np.cos(heading), np.zeros_like(heading), np.sin(heading)], -1)[:, None]
    axis = np.broadcast_to(axis, (*angle.shape, 3))
    feet = joints[:, :, ANKLES].mean(axis=2, keepdims=True)
    body = np.einsum("btij,btvj->btvi", rotation(axis, angle), joints - feet) + feet
    hips = body[:, :, HIPS].mean(axis=2, keepdims=True)
    body[:, :, UPPER] = np.einsum("btij,btvj->btvi", rotation(axis, bend), body[:, :, UPPER] - hips) + hips
    turned: FloatArray = body.astype(np.float32)
    return turned


def tip_flat(joints: FloatArray, angle: AnyArray, shorten: AnyArray) -> FloatArray:
    """The same in the picture: a turn about the feet, and a body that shortens as it comes towards the camera.

    joints: (B, T, 17, 2) y down. angle: (B, T) radians, positive to the right. shorten: (B, T) 0 none .. 1 all.
    """
    feet = joints[:, :, ANKLES].mean(axis=2, keepdims=True)
    body = joints - feet
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    x, y = body[..., 0], body[..., 1]
    turned = np.stack([x * cosine - y * sine, x * sine + y * cosine], -1)
    flat: FloatArray = turned * (1 - shorten[..., None, None]) + feet
    return flat


@dataclass(frozen=True, slots=True)
class Camera:
    """Look-at cameras, one per window.

    azimuth, elevation, roll: (B,) radians; elevation is positive when the camera looks down.
    distance_m: (B,) from the middle of the body. offset_m: (B, 2) of the aim beside that middle, right and up.
    """

    azimuth: AnyArray
    elevation: AnyArray
    roll: AnyArray
    distance_m: AnyArray
    offset_m: AnyArray


_FOCAL_PX = 1000.0
_NEAR_M = 0.3


def project(joints: FloatArray, camera: Camera) -> FloatArray:
    """(B, T, 17, 2) pixels, y down, of joints (B, T, 17, 3) in metres, y up, right-handed."""
    centre = joints[:, :, HIPS].mean(axis=(1, 2))
    cos_e = np.cos(camera.elevation)
    away = np.stack([cos_e * np.sin(camera.azimuth), np.sin(camera.elevation), cos_e * np.cos(camera.azimuth)], -1)
    right = np.stack([np.cos(camera.azimuth), np.zeros_like(cos_e), -np.sin(camera.azimuth)], -1)
    up = np.cross(away, right)
    aim = centre + camera.offset_m[:, :1] * right + camera.offset_m[:, 1:] * up
    view = joints - (aim + camera.distance_m[:, None] * away)[:, None, None]
    basis = np.stack([right, up, -away], axis=-2)
    x, y, depth = np.moveaxis(np.einsum("bij,btvj->btvi", basis, view), -1, 0)
    flat = np.stack([x, -y], -1) * (_FOCAL_PX / np.maximum(depth, _NEAR_M))[..., None]
    sine, cosine = np.sin(camera.roll)[:, None, None], np.cos(camera.roll)[:, None, None]
    u, v = flat[..., 0], flat[..., 1]
    return np.stack([u * cosine - v * sine, u * sine + v * cosine], -1).astype(np.float32)
