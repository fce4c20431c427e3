"""Which frames of a sequence make a clip: PYSKL's uniform sampling, with the draws of NumPy's legacy generator.

Source: PYSKL 3f6795f (Apache-2.0), pyskl/datasets/pipelines/sampling.py and multi_modality.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.arrays import AnyArray, IntArray

TEST_SEED = 255
"""Published test results depend on this seed and on NumPy's legacy generator."""


def sample_for_test(
    num_frames: int,
    clip_frames: int,
    num_clips: int = 1,
    kept: tuple[float, float] = (1.0, 1.0),
    seed: int = TEST_SEED,
) -> IntArray:
    """UniformSampleFrames at test: (num_clips * clip_frames,) frame indexes, the same for the same length.

    kept: the share of the sequence that a clip is taken from, drawn uniformly between the two.
    Raises ValueError for a sequence without frames.
    """
    generator = np.random.RandomState(seed)
    clips = []
    for clip in range(num_clips):
        part = _part(num_frames, kept, generator)
        start = clip if part.length < num_clips else clip * part.length // num_clips
        clips.append(part.offset + _clip(part.length, clip_frames, start, generator))
    return np.mod(np.concatenate(clips), num_frames)


def sample_for_training(
    num_frames: int,
    clip_frames: int,
    generator: np.random.RandomState,
    num_clips: int = 1,
    kept: tuple[float, float] = (1.0, 1.0),
) -> IntArray:
    """UniformSampleFrames in training: (num_clips * clip_frames,) frame indexes.

    kept: as for `sample_for_test`; of a sequence so short that it leaves none, one frame (the reference stops there).
    Raises ValueError for a sequence without frames.
    """
    clips = []
    for _ in range(num_clips):
        part = _training_part(num_frames, kept, generator)
        clips.append(part.offset + _clip(part.length, clip_frames, None, generator))
    return np.mod(np.concatenate(clips), num_frames)


def sample_and_decode(
    keypoints: AnyArray,
    clip_frames: int,
    generator: np.random.RandomState | None = None,
    num_clips: int = 1,
    kept: tuple[float, float] = (1.0, 1.0),
) -> AnyArray:
    """UniformSampleDecode: (M, T, V, C) to the sampled frames, (M, num_clips * clip_frames, V, C) float32.

    generator: None for the test's, which draws as in training but from the seed 255.
    A part that is shorter than a clip is repeated within itself; `sample_for_training` goes on into the rest.
    Raises ValueError as `sample_for_training` does.
    """
    generator = np.random.RandomState(TEST_SEED) if generator is None else generator
    num_frames = keypoints.shape[1]
    clips = []
    for _ in range(num_clips):
        part = _training_part(num_frames, kept, generator)
        clips.append(part.offset + np.mod(_clip(part.length, clip_frames, None, generator), part.length))
    decoded: AnyArray = keypoints[:, np.concatenate(clips)].astype(np.float32)
    return decoded


def sample_modalities(
    num_frames: int,
    clip_frames: Mapping[str, int],
    generator: np.random.RandomState | None = None,
    num_clips: int = 1,
    seed: int = TEST_SEED,
) -> dict[str, IntArray]:
    """MMUniformSampleFrames: frame indexes for each kind of input, in the order in which `clip_frames` names them.

    clip_frames: frames per clip of each kind, such as {"RGB": 8, "Pose": 32}.
    generator:   in training, one generator for all of them; None samples as at test, each kind from `seed` anew.
    """
    return {
        kind: sample_for_test(num_frames, frames, num_clips, seed=seed)
        if generator is None
        else sample_for_training(num_frames, frames, generator, num_clips)
        for kind, frames in clip_frames.items()
    }


@dataclass(frozen=True, slots=True)
class _Part:
    """The stretch of a sequence that a clip is taken from, in frames."""

    length: int
    offset: int


def _part(num_frames: int, kept: tuple[float, float], generator: np.random.RandomState) -> _Part:
    """Both draws happen even where they cannot matter: the generator's state must be the reference's."""
    if num_frames < 1:
        raise ValueError(f"a sequence of {num_frames} frames has none to sample")
    length = int((generator.rand() * (kept[1] - kept[0]) + kept[0]) * num_frames)
    return _Part(length, int(generator.randint(num_frames - length + 1)))


def _training_part(num_frames: int, kept: tuple[float, float], generator: np.random.RandomState) -> _Part:
    part = _part(num_frames, kept, generator)
    return part if part.length else _Part(1, min(part.offset, num_frames - 1))


def _clip(length: int, clip_frames: int, start: int | None, generator: np.random.RandomState) -> IntArray:
    """Indexes of one clip from a part of `length`; those of a short part run past its end, for the caller's modulo."""
    if length < clip_frames:
        first = generator.randint(0, length) if start is None else start
        return np.arange(first, first + clip_frames)
    if length < 2 * clip_frames:
        jumps = np.zeros(clip_frames + 1, np.int64)
        jumps[generator.choice(clip_frames + 1, length - clip_frames, replace=False)] = 1
        return np.arange(clip_frames) + np.cumsum(jumps)[:-1]
    borders = np.arange(clip_frames + 1) * length // clip_frames
    return borders[:-1] + generator.randint(np.diff(borders))
