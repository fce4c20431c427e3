"""Joints out of annotations: chosen frames, and people in Kinetics' compressed form."""

import numpy as np
import pytest

from models.arrays import AnyArray
from models.skeleton.reference.clip import CompressedPose, decode, decompress


def compressed(frames: list[int], scores: list[float], num_frames: int = 9) -> CompressedPose:
    """One joint per person: x is the person's index + 1, y is 10 more, and the score is given."""
    joints = [[[index + 1, index + 11, score]] for index, score in enumerate(scores)]
    return CompressedPose(np.array(joints, np.float16), np.array(frames), num_frames)


def persons(xy: AnyArray) -> list[list[int]]:
    """Per frame, the numbers of the people in their slots; 0 for nobody."""
    return [[int(x) for x in frame] for frame in xy[..., 0, 0].T]


@pytest.mark.parametrize("shape", [(4,), (2, 2), (4, 1)])
def test_decode_takes_the_frames_in_order_as_float32(shape: tuple[int, ...]) -> None:
    joints = np.arange(2 * 6 * 3 * 2, dtype=np.float16).reshape(2, 6, 3, 2)
    indexes = np.array([4, 0, 0, 2]).reshape(shape)

    found = decode(joints, indexes, offset=1)

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, joints[:, [5, 1, 1, 3]])


def test_decode_takes_every_frame_when_none_is_chosen() -> None:
    scores = np.random.default_rng(0).random((2, 6, 3)).astype(np.float16)

    np.testing.assert_array_equal(decode(scores), scores.astype(np.float32))


def test_decompress_puts_people_into_the_frames_they_are_in() -> None:
    xy, score = decompress(compressed([2, 2, 5, 7, 7, 7], [0.5, 0.25, 0.5, 0.125, 0.5, 1]))

    assert xy.dtype == score.dtype == np.float16
    assert persons(xy) == [[1, 2, 0], [3, 0, 0], [4, 5, 6]]
    np.testing.assert_array_equal(score[..., 0].T, [[0.5, 0.25, 0], [0.5, 0, 0], [0.125, 0.5, 1]])


def test_decompress_keeps_empty_frames_when_asked() -> None:
    xy, _ = decompress(compressed([1, 4], [1, 1], num_frames=6), has_gaps=True)

    assert persons(xy) == [[0], [1], [0], [0], [2], [0]]


def test_decompress_takes_chosen_people_only() -> None:
    pose = compressed([2, 2, 5, 7], [1, 1, 1, 1])

    xy, _ = decompress(pose, chosen=np.array([1, 3]))

    assert persons(xy) == [[2], [4]]


def test_decompress_orders_by_score_only_when_a_frame_has_too_many() -> None:
    pose = compressed([0, 0, 0, 3, 3], [0.25, 0.5, 0.25, 0.25, 0.5])

    kept, _ = decompress(pose, max_persons=3)
    ordered, scores = decompress(pose, max_persons=2)

    assert persons(kept) == [[1, 2, 3], [4, 5, 0]]
    assert persons(ordered) == [[2, 1], [5, 4]]
    np.testing.assert_array_equal(scores[..., 0].T, [[0.5, 0.25], [0.5, 0.25]])


@pytest.mark.parametrize("frames", [[], [2, 1]])
def test_decompress_refuses_nobody_and_frames_in_disorder(frames: list[int]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        decompress(
            compressed(frames, [0.5] * len(frames))
            if frames
            else CompressedPose(np.zeros((0, 1, 3)), np.zeros(0, np.int64), 4)
        )
