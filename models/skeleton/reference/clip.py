"""People's joints over the frames of a clip, as PYSKL's steps hand them on, and how they come out of an annotation.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/pose_related.py: PoseDecode and DecompressPose.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, IntArray

Quadruple = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PoseClip:
    """Joints of people in pixels, and the picture that they are pixels of.

    xy:        (M, T, V, 2) x and y; a coordinate of exactly 0 is missing. Its dtype is kept from step to step, because
               the reference computes in it.
    score:     (M, T, V) confidence 0..1, or None where an annotation has none.
    shape_hw:  height and width of the picture.
    quadruple: left, top, width and height of what the picture shows, as shares of the original one.
    """

    xy: AnyArray
    score: AnyArray | None
    shape_hw: tuple[int, int]
    quadruple: Quadruple = (0.0, 0.0, 1.0, 1.0)


def decode(values: AnyArray, frame_indexes: IntArray | None = None, offset: int = 0) -> AnyArray:
    """PoseDecode: the chosen frames of joints (M, T, V, C) or of scores (M, T, V), as float32.

    frame_indexes: of any shape, such as one row per clip; None takes every frame.  offset: added to each of them.
    Raises IndexError for a frame that is not there.
    """
    indexes = np.arange(values.shape[1]) if frame_indexes is None else np.asarray(frame_indexes).reshape(-1)
    decoded: AnyArray = values[:, indexes + offset].astype(np.float32)
    return decoded


@dataclass(frozen=True, slots=True)
class CompressedPose:
    """Joints as Kinetics' annotations keep them: a list of people, each with the frame it is in.

    keypoints:     (N, V, 3) x, y in pixels and score.
    frame_indexes: (N,) ascending.
    num_frames:    of the video, with those in which nobody is.
    """

    keypoints: AnyArray
    frame_indexes: IntArray
    num_frames: int


def decompress(
    pose: CompressedPose, chosen: IntArray | None = None, has_gaps: bool = False, max_persons: int = 10
) -> tuple[AnyArray, AnyArray]:
    """DecompressPose: joints (M, T, V, 2) and scores (M, T, V), both float16, as the reference stores them.

    chosen:      indexes of the people to keep, such as those whose box scores high enough; None keeps all.
    has_gaps:    keep frames in which nobody is (the reference's squeeze=False); else T counts only the others.
    max_persons: where a frame has more than this, the people of each frame are put in order of their summed scores
                 and the rest go; else they stay in the annotation's order.
    Raises ValueError when frame indexes descend or nobody is left.
    """
    keypoints, frames = pose.keypoints, np.asarray(pose.frame_indexes)
    if chosen is not None:
        keypoints, frames = keypoints[chosen], frames[chosen]
    if not len(frames) or (np.diff(frames) < 0).any():
        raise ValueError(f"{len(frames)} people in a compressed annotation: expected some, with ascending frames")
    if not has_gaps:
        frames = np.unique(frames, return_inverse=True)[1]
    T = pose.num_frames if has_gaps else int(frames[-1]) + 1
    counts = np.bincount(frames, minlength=T)
    # The frames ascend, so a person's place in its frame is its distance from the frame's first.
    places = np.arange(len(frames)) - (np.cumsum(counts) - counts)[frames]
    xy = np.zeros((counts.max(), T, keypoints.shape[1], 2), np.float16)
    score = np.zeros(xy.shape[:-1], np.float16)
    xy[places, frames], score[places, frames] = keypoints[..., :2], keypoints[..., 2]
    if len(xy) > max_persons:
        xy, score = _best_first(xy, score, counts)
    return xy[:max_persons], score[:max_persons]


def _best_first(xy: AnyArray, score: AnyArray, counts: IntArray) -> tuple[AnyArray, AnyArray]:
    """The people of each frame in order of their summed scores; absent ones stay behind them."""
    sums = score.sum(-1).astype(np.float64)
    sums[np.arange(len(xy))[:, None] >= counts] = -np.inf
    order = np.argsort(-sums, axis=0, kind="stable")
    return np.take_along_axis(xy, order[..., None, None], 0), np.take_along_axis(score, order[..., None], 0)
