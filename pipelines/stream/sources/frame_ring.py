"""A fixed number of places for pictures in memory that two processes share, and that no name leads to."""

import fcntl
import mmap
import os
import tempfile
from typing import Self

import numpy as np

from models.arrays import Image


def open_memory(name: str) -> int:
    """A new descriptor of memory, empty so far; nothing is left of it once the last process closes it.

    It is not taken from /dev/shm, which containers keep small.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class FrameRing:
    """The places of such memory, each for one picture of at most `place_bytes`; it takes only what was written to.

    Who may write to a place, and when it may be written to again, is agreed elsewhere. The writer's ring comes first.
    """

    def __init__(self, memory: mmap.mmap, num_places: int, place_bytes: int) -> None:
        self._memory = memory
        self._num_places = num_places
        self._place_bytes = place_bytes

    @classmethod
    def for_writing(cls, handle: int, num_places: int, place_bytes: int) -> Self:
        """Give the memory its size; raises OSError where the limit on files forbids it."""
        os.ftruncate(handle, num_places * place_bytes)
        return cls(mmap.mmap(handle, num_places * place_bytes), num_places, place_bytes)

    @classmethod
    def for_reading(cls, handle: int, num_places: int, place_bytes: int) -> Self:
        """The writer's places; it cannot take them away any more, under the reader's feet.

        Raises ValueError for memory that the writer did not size.
        """
        if hasattr(os, "memfd_create"):
            fcntl.fcntl(handle, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(mmap.mmap(handle, num_places * place_bytes, prot=mmap.PROT_READ), num_places, place_bytes)

    def write(self, place: int, image: Image) -> None:
        """Copy (H, W, 3) uint8 into a place; raises ValueError where it does not fit."""
        target = np.frombuffer(self._memory, np.uint8, image.size, self._offset(place, image.size))
        target.reshape(image.shape)[...] = image

    def read(self, place: int, size_wh: tuple[int, int]) -> Image:
        """A copy of the (H, W, 3) uint8 in a place; raises ValueError for a place or a size that cannot be."""
        width, height = size_wh
        if width < 1 or height < 1:
            raise ValueError(f"picture of {width}x{height}, at least one pixel is expected")
        num_bytes = width * height * 3
        pixels = np.frombuffer(self._memory, np.uint8, num_bytes, self._offset(place, num_bytes))
        return pixels.reshape(height, width, 3).copy()

    def close(self) -> None:
        """Let go of the memory; may be called twice."""
        self._memory.close()

    def _offset(self, place: int, num_bytes: int) -> int:
        if not 0 <= place < self._num_places:
            raise ValueError(f"place {place}, there are {self._num_places}")
        if num_bytes > self._place_bytes:
            raise ValueError(f"picture of {num_bytes} bytes, a place holds {self._place_bytes}")
        return place * self._place_bytes
