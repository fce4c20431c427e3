"""Clips in the shape that a network takes."""

from typing import Literal

import numpy as np
import pytest

from models.skeleton.reference.format import (
    PersonFill,
    format_frames,
    format_heatmaps,
    format_people,
    format_pictures,
    pad_to,
    repeat_people,
)


@pytest.mark.parametrize("fill", ["zero", "loop"])
def test_format_people_leaves_empty_slots_empty_whatever_the_fill(fill: PersonFill) -> None:
    person = np.arange(1, 13, dtype=np.float32).reshape(1, 4, 1, 3)

    found = format_people(person, num_persons=3, num_clips=2, fill=fill)

    assert found.shape == (2, 3, 2, 1, 3)
    np.testing.assert_array_equal(found[1, 0, :, 0], [[7, 8, 9], [10, 11, 12]])
    np.testing.assert_array_equal(found[:, 1:], 0)


def test_repeat_people_fills_every_slot_with_a_single_person() -> None:
    person = np.arange(12.0).reshape(1, 2, 2, 3)

    np.testing.assert_array_equal(repeat_people(person, 3), np.concatenate([person] * 3))
    assert repeat_people(np.ones((2, 2, 2, 3)), 3).shape == (2, 2, 2, 3)


def test_format_people_refuses_frames_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="7 frames do not divide into 2 clips"):
        format_people(np.zeros((1, 7, 2, 3)), num_clips=2)


@pytest.mark.parametrize(("fill", "frames"), [("loop", [1, 2, 3, 1, 2, 3, 1]), ("zero", [1, 2, 3, 0, 0, 0, 0])])
def test_pad_to_repeats_or_adds_zeros(fill: Literal["loop", "zero"], frames: list[int]) -> None:
    keypoints = np.array([1, 2, 3], np.float32).reshape(1, 3, 1, 1)

    found = pad_to(keypoints, 7, fill)

    np.testing.assert_array_equal(found[0, :, 0, 0], frames)


@pytest.mark.parametrize("frames", [0, 8])
def test_pad_to_refuses_what_cannot_be_padded(frames: int) -> None:
    with pytest.raises(ValueError, match=f"{frames} frames cannot be padded to 7"):
        pad_to(np.zeros((1, frames, 1, 1)), 7)


def test_format_heatmaps_puts_joints_before_frames_and_views_outside() -> None:
    # Frame f of clip c in view v is the number 100 v + 10 c + f; its two joints differ by 1000.
    numbers = np.array([100 * view + 10 * clip + frame for view in (0, 1) for clip in (0, 1) for frame in (0, 1, 2)])
    heatmaps = np.broadcast_to(np.stack([numbers, numbers + 1000], -1)[..., None, None], (12, 2, 4, 5))

    found = format_heatmaps(heatmaps, clip_frames=3, num_clips=2)

    assert found.shape == (4, 2, 3, 4, 5)
    np.testing.assert_array_equal(found[:, 0, :, 0, 0], [[0, 1, 2], [10, 11, 12], [100, 101, 102], [110, 111, 112]])
    np.testing.assert_array_equal(found[3, 1, :, 3, 4], [1110, 1111, 1112])


def test_format_pictures_puts_colours_before_frames() -> None:
    pictures = np.arange(4 * 2 * 3 * 3).reshape(4, 2, 3, 3)

    found = format_pictures(pictures, clip_frames=2, num_clips=2)

    assert found.shape == (2, 3, 2, 2, 3)
    np.testing.assert_array_equal(found[1, 2, 1], pictures[3, :, :, 2])
    np.testing.assert_array_equal(format_frames(pictures)[3, 2], pictures[3, :, :, 2])


def test_format_refuses_frames_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="7 frames do not divide into 2 clips of 3"):
        format_heatmaps(np.zeros((7, 1, 1, 1)), clip_frames=3, num_clips=2)
