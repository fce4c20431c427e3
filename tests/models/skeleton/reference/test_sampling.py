"""Sampling of frames beyond the golden cases: parts of a sequence, and several kinds of input at once."""

import numpy as np
import pytest

from models.skeleton.reference.sampling import (
    sample_and_decode,
    sample_for_test,
    sample_for_training,
    sample_modalities,
)

FRAMES = np.arange(60, dtype=np.float64).reshape(1, 60, 1, 1)


def test_decode_repeats_a_short_part_within_itself() -> None:
    generator = np.random.RandomState(5)
    length = int((generator.rand() * 0.2 + 0.1) * 60)
    offset, start = generator.randint(60 - length + 1), generator.randint(length)
    expected = offset + (start + np.arange(48)) % length

    found = sample_and_decode(FRAMES, 48, np.random.RandomState(5), kept=(0.1, 0.3))

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0, :, 0, 0], expected)


def test_frames_of_a_short_part_go_on_into_the_rest_when_only_indexes_are_wanted() -> None:
    generator = np.random.RandomState(5)
    length = int((generator.rand() * 0.2 + 0.1) * 60)
    offset, start = generator.randint(60 - length + 1), generator.randint(length)

    found = sample_for_training(60, 48, np.random.RandomState(5), kept=(0.1, 0.3))

    np.testing.assert_array_equal(found, (offset + start + np.arange(48)) % 60)


def test_decode_at_test_draws_from_the_published_seed() -> None:
    found = sample_and_decode(FRAMES, 12, num_clips=3)

    np.testing.assert_array_equal(found, sample_and_decode(FRAMES, 12, np.random.RandomState(255), num_clips=3))
    assert found.shape == (1, 36, 1, 1)


def test_modalities_at_test_each_start_from_the_seed() -> None:
    found = sample_modalities(100, {"RGB": 8, "Pose": 32}, num_clips=10)

    assert list(found) == ["RGB", "Pose"]
    np.testing.assert_array_equal(found["Pose"], sample_for_test(100, 32, 10))
    np.testing.assert_array_equal(found["RGB"], sample_for_test(100, 8, 10))


def test_modalities_in_training_share_one_generator_in_their_order() -> None:
    generator = np.random.RandomState(11)
    first = sample_for_training(100, 8, generator)
    second = sample_for_training(100, 32, generator)

    found = sample_modalities(100, {"RGB": 8, "Pose": 32}, np.random.RandomState(11))

    np.testing.assert_array_equal(found["RGB"], first)
    np.testing.assert_array_equal(found["Pose"], second)


def test_sampling_refuses_a_sequence_without_frames() -> None:
    with pytest.raises(ValueError, match="a sequence of 0 frames"):
        sample_for_test(0, 10)
    with pytest.raises(ValueError, match="a sequence of 0 frames"):
        sample_for_training(0, 10, np.random.RandomState(0))


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_part_of_a_sequence_of_few_frames_keeps_one_of_them(num_frames: int) -> None:
    for seed in range(20):
        found = sample_for_training(num_frames, 10, np.random.RandomState(seed), kept=(0.1, 0.1))
        decoded = sample_and_decode(np.ones((1, num_frames, 17, 3)), 10, np.random.RandomState(seed), kept=(0.1, 0.1))

        assert found.shape == (10,)
        assert set(found.tolist()) <= set(range(num_frames))
        assert decoded.shape == (1, 10, 17, 3)
