"""Pictures cross between processes in memory whose size nobody can change under the reader's feet."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from pipelines.stream.sources.frame_ring import FrameRing, open_memory

PLACE_BYTES = 8 * 6 * 3


@pytest.fixture
def handle() -> Iterator[int]:
    """Memory that no ring uses yet."""
    handle = open_memory("test-frames")
    yield handle
    os.close(handle)


def test_picture_that_is_written_is_read(handle: int) -> None:
    image = np.arange(PLACE_BYTES, dtype=np.uint8).reshape(6, 8, 3)
    writer = FrameRing.for_writing(handle, 2, PLACE_BYTES)
    reader = FrameRing.for_reading(handle, 2, PLACE_BYTES)

    writer.write(1, image)
    found = reader.read(1, (8, 6))
    writer.write(1, np.zeros_like(image))

    assert np.array_equal(found, image)
    assert not reader.read(0, (8, 6)).any()


@pytest.mark.parametrize(
    ("place", "size_wh"),
    [
        pytest.param(2, (8, 6), id="beyond the places"),
        pytest.param(-1, (8, 6), id="before the places"),
        pytest.param(0, (8, 7), id="larger than a place"),
        pytest.param(0, (0, 6), id="without pixels"),
        pytest.param(0, (-8, -6), id="negative"),
    ],
)
def test_place_or_size_that_cannot_be_is_refused(handle: int, place: int, size_wh: tuple[int, int]) -> None:
    FrameRing.for_writing(handle, 2, PLACE_BYTES)
    reader = FrameRing.for_reading(handle, 2, PLACE_BYTES)

    with pytest.raises(ValueError, match=r"place|picture"):
        reader.read(place, size_wh)


def test_writer_cannot_cut_off_what_is_read(handle: int) -> None:
    FrameRing.for_writing(handle, 2, PLACE_BYTES)
    reader = FrameRing.for_reading(handle, 2, PLACE_BYTES)

    with pytest.raises(PermissionError):
        os.ftruncate(handle, 0)

    assert reader.read(1, (8, 6)).shape == (6, 8, 3)


def test_memory_that_was_never_sized_is_refused(handle: int) -> None:
    with pytest.raises(ValueError, match="mmap"):
        FrameRing.for_reading(handle, 2, PLACE_BYTES)
