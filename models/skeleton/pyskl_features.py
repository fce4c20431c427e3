"""The exact preprocessing of PYSKL, for its published weights and numbers; our own features are in features.py.

Facts from PYSKL (Duan et al., ACM MM 2022) as measured on its outputs. Order in its pipelines: normalise, features
(bone before motion), uniform sampling, format.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from models.arrays import AnyArray, BoolArray, FloatArray, IntArray
from models.skeleton.layouts import Layout

Feature: TypeAlias = Literal["j", "b", "jm", "bm"]
"""Joint, bone, joint motion, bone motion."""

_LEAST_RANGE = 10.0
_NOTHING = 1e-6


def sample_for_test(
    num_frames: int,
    clip_frames: int,
    num_clips: int = 1,
    kept: tuple[float, float] = (1.0, 1.0),
    seed: int = 255,
) -> IntArray:
    """(num_clips * clip_frames,) frame indexes of PYSKL's uniform sampling at test: the same for the same length."""
    # Published test results depend on NumPy's legacy generator.
    generator = np.random.RandomState(seed)
    clips = []
    for clip in range(num_clips):
        length, offset = _part(num_frames, kept, generator)
        start = clip if length < num_clips else clip * length // num_clips
        clips.append(offset + _clip(length, clip_frames, start, generator))
    return np.mod(np.concatenate(clips), num_frames)


def sample_for_training(
    num_frames: int,
    clip_frames: int,
    generator: np.random.RandomState,
    num_clips: int = 1,
    kept: tuple[float, float] = (1.0, 1.0),
) -> IntArray:
    """(num_clips * clip_frames,) frame indexes of PYSKL's uniform sampling in training.

    kept: the part of the sequence that a clip is taken from, drawn uniformly. UniformSampleDecode does this at test as
    well, with a generator seeded 255.
    """
    clips = []
    for _ in range(num_clips):
        length, offset = _part(num_frames, kept, generator)
        clips.append(offset + _clip(length, clip_frames, None, generator))
    return np.mod(np.concatenate(clips), num_frames)


def normalise_2d(
    keypoints: AnyArray, shape_hw: tuple[int, int] = (1080, 1920), threshold: float = 0.01, is_auto: bool = False
) -> FloatArray:
    """PreNormalize2D: pixels to -1..1 of the picture, or ("auto") of what the keypoints cover.

    keypoints: (M, T, V, 2 or 3) x, y in pixels and, if there, a score. A joint whose score is at most `threshold` gets
    x = y = 0 and keeps its score. "Auto" leaves everything alone unless both ranges exceed ten pixels.
    """
    found = np.array(keypoints, np.float32)
    hidden: BoolArray = found[..., 2] <= threshold if found.shape[-1] == 3 else np.zeros(found.shape[:-1], np.bool_)
    if is_auto:
        _normalise_to_range(found, hidden)
    else:
        half = np.array(shape_hw[::-1], np.float32) / 2
        found[..., :2] = (found[..., :2] - half) / half
    found[hidden, :2] = 0
    return found


def normalise_3d(keypoints: AnyArray) -> AnyArray:
    """PreNormalize3D: people in the frame of the first person's body, frames without that person dropped.

    keypoints: (M, T, V, 3) with one or two people; returns (M, T', V, 3). The person seen in more frames comes first;
    the origin is joint 1 of 25 (else the last joint) in the first kept frame; joint 0→1 points to +z and joint 4→8
    to +x. Joints that are all zero stay zero; input without anything passes. Works in the input's dtype, as PYSKL does.
    """
    if keypoints.sum() == 0:
        return keypoints
    frames = [np.flatnonzero(~np.isclose(person, 0).all(axis=(1, 2))) for person in keypoints[:2]]
    if len(keypoints) == 2 and len(frames[0]) < len(frames[1]):
        body = keypoints[::-1][:, frames[1]]
    else:
        body = keypoints[:, frames[0]]
    there = (body != 0).any(axis=-1, keepdims=True)
    body = (body - body[0, 0, 1 if body.shape[2] == 25 else -1]) * there
    body = body @ _rotation(body[0, 0, 1] - body[0, 0, 0], (0, 0, 1)).T
    turned: AnyArray = body @ _rotation(body[0, 0, 8] - body[0, 0, 4], (1, 0, 0)).T
    return turned


def bones(keypoints: AnyArray, layout: Layout) -> FloatArray:
    """(..., V, C) joints to vectors from where each bone starts; with a score, the mean of both ends' scores."""
    starts = keypoints[..., list(layout.bone_parents), :]
    found = (keypoints - starts).astype(np.float32)
    if _has_score(keypoints, layout):
        found[..., 2] = (keypoints[..., 2] + starts[..., 2]) / 2
    return found


def motion(values: AnyArray, layout: Layout) -> AnyArray:
    """(M, T, V, C) to the step to the next frame, zero in the last; scores are averaged, except for hands."""
    found = np.zeros_like(values)
    found[:, :-1] = np.diff(values, axis=1)
    if _has_score(values, layout) and layout.name != "hand21":
        found[:, :-1, :, 2] = (values[:, :-1, :, 2] + values[:, 1:, :, 2]) / 2
    return found


def features(keypoints: AnyArray, layout: Layout, names: Sequence[Feature]) -> AnyArray:
    """GenSkeFeat: (M, T, V, C) to the named features side by side, (M, T, V, C * their number)."""
    found: dict[Feature, AnyArray] = {"j": keypoints}
    if {"b", "bm"} & set(names):
        found["b"] = bones(keypoints, layout)
    if "jm" in names:
        found["jm"] = motion(keypoints, layout)
    if "bm" in names:
        found["bm"] = motion(found["b"], layout)
    return np.concatenate([found[name] for name in names], axis=-1)


def format_people(keypoints: AnyArray, num_persons: int = 2, num_clips: int = 1) -> AnyArray:
    """FormatGCNInput: (M, clips*T, V, C) to (clips, num_persons, T, V, C); absent people are zeros, extra ones go."""
    M, T, V, C = keypoints.shape
    found = np.zeros((num_persons, T, V, C), keypoints.dtype)
    found[: min(M, num_persons)] = keypoints[:num_persons]
    return np.ascontiguousarray(found.reshape(num_persons, num_clips, -1, V, C).swapaxes(0, 1))


def _part(num_frames: int, kept: tuple[float, float], generator: np.random.RandomState) -> tuple[int, int]:
    """Length and offset of the part to sample; both draws happen even if they cannot matter, for the state's sake."""
    length = int((generator.rand() * (kept[1] - kept[0]) + kept[0]) * num_frames)
    return length, int(generator.randint(num_frames - length + 1))


def _clip(length: int, clip_frames: int, start: int | None, generator: np.random.RandomState) -> IntArray:
    """Indexes of one clip from a sequence of `length`; a short one is repeated by the caller's modulo."""
    if length < clip_frames:
        first = generator.randint(0, length) if start is None else start
        return np.arange(first, first + clip_frames)
    if length < 2 * clip_frames:
        jumps = np.zeros(clip_frames + 1, np.int64)
        jumps[generator.choice(clip_frames + 1, length - clip_frames, replace=False)] = 1
        return np.arange(clip_frames) + np.cumsum(jumps)[:-1]
    borders = np.arange(clip_frames + 1) * length // clip_frames
    return borders[:-1] + generator.randint(np.diff(borders))


def _normalise_to_range(found: FloatArray, hidden: BoolArray) -> None:
    seen = found[~hidden, :2]
    if not len(seen):
        return
    low, high = seen.min(axis=0), seen.max(axis=0)
    if (high - low > _LEAST_RANGE).all():
        found[..., :2] = (found[..., :2] - (high + low) / 2) / (high - low) * 2


def _has_score(values: AnyArray, layout: Layout) -> bool:
    """The third value is a score for 2D layouts and z for the Kinect's."""
    return values.shape[-1] == 3 and layout.name not in {"nturgbd25", "kinect20"}


def _rotation(vector: AnyArray, target: tuple[int, int, int]) -> AnyArray:
    """(3, 3) rotation that turns `vector` onto `target`; the identity where there is nothing to turn."""
    axis = np.cross(vector, target)
    if np.abs(vector).sum() < _NOTHING or np.abs(axis).sum() < _NOTHING:
        return np.eye(3)
    angle = np.arccos(np.clip(np.dot(vector / np.linalg.norm(vector), target), -1.0, 1.0))
    if abs(angle) < _NOTHING:
        return np.eye(3)
    x, y, z = axis / np.sqrt(np.dot(axis, axis))
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation: AnyArray = np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    return rotation
