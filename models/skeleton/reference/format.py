"""Clips in the shape that a network takes: PYSKL's FormatGCNInput, FormatShape and PadTo.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/pose_related.py and formatting.py.
"""

from typing import Literal

import numpy as np

from models.arrays import AnyArray

PersonFill = Literal["zero", "loop"]


def format_people(keypoints: AnyArray, num_persons: int = 2, num_clips: int = 1, fill: PersonFill = "zero") -> AnyArray:
    """FormatGCNInput: (M, clips*T, V, C) to (clips, num_persons, T, V, C); people beyond `num_persons` go.

    fill: absent people are zeros, with "loop" as well: the reference looks for somebody to repeat only once it has
          filled the slots, and then never finds a single person. `repeat_people` does what the name says.
    Raises ValueError when the frames do not divide into clips.
    """
    M, T, V, C = keypoints.shape
    if fill not in {"zero", "loop"}:
        raise ValueError(f"fill {fill!r} is not zero or loop")
    if T % num_clips:
        raise ValueError(f"{T} frames do not divide into {num_clips} clips")
    found = np.zeros((num_persons, T, V, C), keypoints.dtype)
    found[: min(M, num_persons)] = keypoints[:num_persons]
    return np.ascontiguousarray(found.reshape(num_persons, num_clips, -1, V, C).swapaxes(0, 1))


def repeat_people(keypoints: AnyArray, num_persons: int = 2) -> AnyArray:
    """(M, T, V, C) with a single person put into every slot; anything else stays."""
    return np.repeat(keypoints, num_persons, axis=0) if len(keypoints) == 1 else keypoints


def pad_to(keypoints: AnyArray, num_frames: int, fill: Literal["loop", "zero"] = "loop") -> AnyArray:
    """PadTo: (M, T, V, C) to (M, num_frames, V, C), from the start again or with zeros.

    Raises ValueError for a sequence that is longer than that, or has no frame.
    """
    T = keypoints.shape[1]
    if not 0 < T <= num_frames:
        raise ValueError(f"{T} frames cannot be padded to {num_frames}")
    padded = keypoints[:, np.arange(num_frames) % T]
    if fill == "zero":
        padded[:, T:] = 0
    return padded


def format_heatmaps(heatmaps: AnyArray, clip_frames: int, num_clips: int = 1) -> AnyArray:
    """FormatShape, "NCTHW_Heatmap": (views * clips * T, V, H, W) to (views * clips, V, T, H, W).

    Views are the outer ones: all clips, then all of them mirrored. Raises ValueError when the frames do not divide.
    """
    return _clips(heatmaps, clip_frames, num_clips).swapaxes(1, 2)


def format_pictures(pictures: AnyArray, clip_frames: int, num_clips: int = 1) -> AnyArray:
    """FormatShape, "NCTHW": (views * clips * T, H, W, C) pictures to (views * clips, C, T, H, W); errors as above."""
    return np.moveaxis(_clips(pictures, clip_frames, num_clips), -1, 1)


def format_frames(pictures: AnyArray) -> AnyArray:
    """FormatShape, "NCHW": (N, H, W, C) pictures to (N, C, H, W)."""
    return np.moveaxis(pictures, -1, 1)


def _clips(frames: AnyArray, clip_frames: int, num_clips: int) -> AnyArray:
    if len(frames) % (clip_frames * num_clips):
        raise ValueError(f"{len(frames)} frames do not divide into {num_clips} clips of {clip_frames}")
    clips: AnyArray = frames.reshape(-1, clip_frames, *frames.shape[1:])
    return clips
