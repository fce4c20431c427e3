"""The process that decodes one file for another process, confined; run with -m."""

import faulthandler
import os
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from models.arrays import Image
from pipelines.errors import DecoderFailed, SourceError
from pipelines.stream.file_names import printable
from pipelines.stream.sources.decoder_confinement import (
    MemoryWatch,
    allow_memory,
    end_with_parent,
    limit_after_opening,
    limit_before_opening,
)
from pipelines.stream.sources.decoder_messages import (
    Finished,
    Message,
    Opened,
    Order,
    PictureReady,
    Refused,
    decode_order,
    encode,
    header_of,
)
from pipelines.stream.sources.file import FileSource
from pipelines.stream.sources.frame_ring import FrameRing
from pipelines.stream.sources.info import SourceCounts


class NobodyListens(Exception):
    """The other side has closed its end."""


class Decoder:
    """Reads the file that the other side of the socket orders, and leaves each picture in a place of the ring.

    It never fills a place that has not been given back: a byte from the other side is one place that is free again.
    """

    def __init__(self, peer: socket.socket, order: Order, ring: FrameRing) -> None:
        self._peer = peer
        self._order = order
        self._ring = ring
        self._memory = MemoryWatch(order.decoder)
        self._path = Path(order.path)
        self._name = printable(self._path.name)
        self._source: FileSource | None = None
        self._num_corrupt = 0
        self._num_free = order.decoder.num_places

    def run(self) -> None:
        """Serve until the end of the file, or until it is refused; raises NobodyListens."""
        limit_before_opening(self._order.decoder, self._order.path)
        try:
            self._serve()
        except MemoryError:
            self._refuse(self._out_of_memory())
        except SourceError as error:
            self._refuse(self._out_of_memory() if self._memory.was_short() else error)
        except NobodyListens:
            raise
        except Exception as error:  # noqa: BLE001 - the process's edge: the other side raises it
            traceback.print_exc()
            self._refuse(DecoderFailed(f"{self._name}: {type(error).__name__} while it was decoded"))

    def _serve(self) -> None:
        self._source = source = FileSource(self._path, self._order.limits, self._order.rate_hz)
        limit_after_opening(self._order.decoder, self._path.stat().st_size, source.info.duration_s)
        self.say(Opened(source.info, self._checked(source.counts)))
        for number, frame in enumerate(source):
            counts = self._checked(source.counts)
            place = number % self._order.decoder.num_places
            self._fill(place, frame.image)
            self.say(PictureReady(place, frame.size_wh, header_of(frame), counts))
        self.say(Finished(self._checked(source.counts)))

    def _checked(self, counts: SourceCounts) -> SourceCounts:
        """The same; raises MemoryError where pictures may have been lost to the limit rather than to the file."""
        if counts.corrupt > self._num_corrupt and self._memory.was_short():
            raise MemoryError
        self._num_corrupt = counts.corrupt
        return counts

    def _fill(self, place: int, image: Image) -> None:
        while self._num_free == 0:
            self._num_free += self._num_given_back()
        self._num_free -= 1
        self._ring.write(place, image)

    def _num_given_back(self) -> int:
        try:
            num_given_back = len(self._peer.recv(self._order.decoder.num_places))
        except OSError as error:
            raise NobodyListens from error
        if num_given_back == 0:
            raise NobodyListens
        return num_given_back

    def _out_of_memory(self) -> DecoderFailed:
        num_mib = self._order.decoder.memory_bytes >> 20
        return DecoderFailed(f"{self._name}: decoding it takes more than {num_mib} MiB of memory")

    def _refuse(self, error: SourceError) -> None:
        counts = SourceCounts() if self._source is None else self._source.counts
        self.say(Refused(type(error).__name__, error.code, str(error), counts))

    def say(self, message: Message) -> None:
        """Tell the other side; raises NobodyListens."""
        line = encode(message)
        try:
            self._peer.sendall(line)
        except OSError as error:
            raise NobodyListens from error


def serve(kind: type[Decoder]) -> None:
    """The process from its first line to its last; descriptors of the socket and of the ring are its last arguments."""
    faulthandler.enable()
    end_with_parent()
    peer, memory = socket.socket(fileno=int(sys.argv[-2])), int(sys.argv[-1])
    with peer.makefile("rb") as lines:
        order = decode_order(lines.readline())
    allow_memory()
    ring = FrameRing.for_writing(memory, order.decoder.num_places, order.limits.max_side_px**2 * 3)
    with suppress(NobodyListens, OSError):
        kind(peer, order, ring).run()
        while peer.recv(4096):  # closing with unread bytes would take what was said last from the other side
            pass
    os._exit(0)


if __name__ == "__main__":
    serve(Decoder)
