import numpy as np

from pipelines.stream.actions.pictures import LONGER_SIDE_PX, PictureRing


def picture(value: int, size_wh: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size_wh[1], size_wh[0], 3), value, np.uint8)


def test_ring_gives_the_picture_nearest_in_time() -> None:
    ring = PictureRing(window_s=2.0, num_pictures=8)
    for tick in range(20):
        ring.add(tick * 0.2, picture(tick))

    found = ring.at(np.array([1.0, 1.29, 1.31, 99.0]))

    assert [int(one[0, 0, 0]) for one in found] == [5, 6, 7, 19]


def test_ring_is_bounded_at_any_rate_and_for_any_time() -> None:
    ring = PictureRing(window_s=2.0, num_pictures=8)
    sizes = []
    for tick in range(3000):
        ring.add(tick / 240, picture(0))
        sizes.append(len(ring))

    assert max(sizes) <= 34
    assert sizes[-1] >= 16


def test_ring_keeps_small_pictures_of_the_same_aspect() -> None:
    ring = PictureRing(window_s=2.0, num_pictures=8)
    ring.add(0.0, picture(7, (1920, 1080)))

    (kept,) = ring.at(np.array([0.0]))

    assert kept.shape == (360, LONGER_SIDE_PX, 3)


def test_ring_copies_so_that_the_source_may_reuse_its_memory() -> None:
    ring, shown = PictureRing(window_s=2.0, num_pictures=8), picture(7)
    ring.add(0.0, shown)

    shown[:] = 0

    assert int(ring.at(np.array([0.0]))[0][0, 0, 0]) == 7


def test_reset_forgets_every_picture() -> None:
    ring = PictureRing(window_s=2.0, num_pictures=8)
    ring.add(0.0, picture(7))

    ring.reset()

    assert ring.at(np.array([0.0])) == []
