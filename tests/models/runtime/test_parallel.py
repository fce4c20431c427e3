"""Crops shared out among threads give what one thread gives."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from models.arrays import FloatArray, Image
from models.runtime.parallel import ParallelPose
from models.runtime.pose import Landmarks
from models.runtime.spare import SpareThreads

_PICTURES: list[Image] = [np.full((4, 4, 3), shade, np.uint8) for shade in range(7)]


class Shades:
    """Answers every crop with its picture's shade and its region; notes in which thread."""

    layout = "coco17"

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
        self.calls.append((threading.get_ident(), len(images)))
        shades = np.array([image[0, 0, 0] for image in images], np.float32)
        keypoints = np.tile(shades[:, None, None], (1, 17, 3)).astype(np.float32)
        return Landmarks(keypoints, shades, regions + 1, follows_region=True)


@pytest.mark.parametrize("num", [0, 1, 2, 3, 7])
def test_spread_answers_in_order_when_crops_are_shared_out(num: int) -> None:
    regions = np.arange(4 * num, dtype=np.float32).reshape(num, 4)
    alone, spread = Shades(), ParallelPose(Shades(), 3)

    expected, found = alone(_PICTURES[:num], regions), spread(_PICTURES[:num], regions)

    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    np.testing.assert_array_equal(found.presence, expected.presence)
    np.testing.assert_array_equal(found.next_region, expected.next_region)
    assert found.follows_region


def test_spread_gives_every_thread_its_share() -> None:
    shades = Shades()

    ParallelPose(shades, 3)(_PICTURES, np.zeros((7, 4), np.float32))

    assert sorted(size for _, size in shades.calls) == [2, 2, 3]


def test_spread_raises_what_the_estimator_raises() -> None:
    class Broken(Shades):
        def __call__(self, images: Sequence[Image], regions: FloatArray) -> Landmarks:
            raise ValueError("no crop")

    with pytest.raises(ValueError, match="no crop"):
        ParallelPose(Broken(), 2)(_PICTURES, np.zeros((7, 4), np.float32))


def test_spread_shares_crops_out_only_while_nothing_else_runs() -> None:
    alone, among, spare = Shades(), Shades(), SpareThreads(2)
    regions = np.zeros((7, 4), np.float32)

    ParallelPose(alone, 1, spare)(_PICTURES, regions)
    with spare.borrow():
        ParallelPose(among, 1, spare)(_PICTURES, regions)

    assert sorted(size for _, size in alone.calls) == [3, 4]
    assert [size for _, size in among.calls] == [7]
