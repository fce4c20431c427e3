"""The process that decodes one file for another process, under limits that the kernel holds; run with -m."""

import faulthandler
import fcntl
import importlib
import os
import pkgutil
import resource
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import av
import cv2

from models.arrays import Image
from pipelines.errors import DecoderFailed, SourceError
from pipelines.stream.sources.decoder_limits import DecoderLimits
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

_STDIN = 0
_STDERR_BYTES = 64 << 10


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
        self._num_free = order.decoder.num_places

    def run(self) -> None:
        """Serve until the end of the file, or until it is refused; raises NobodyListens."""
        path, source = Path(self._order.path), None
        try:
            source = FileSource(path, self._order.limits, self._order.rate_hz)
            limit_after_opening(self._order.decoder, path.stat().st_size, source.info.duration_s)
            self._say(Opened(source.info, source.counts))
            self._serve(source)
        except MemoryError:
            self._refuse(DecoderFailed(f"{path.name}: {_memory_text(self._order.decoder)}"), source)
        except SourceError as error:
            self._refuse(error, source)
        except NobodyListens:
            raise
        except Exception as error:  # noqa: BLE001 - the process's edge: the other side raises it
            traceback.print_exc()
            self._refuse(DecoderFailed(f"{path.name}: {type(error).__name__} while it was decoded"), source)

    def _serve(self, source: FileSource) -> None:
        for number, frame in enumerate(source):
            place = number % self._order.decoder.num_places
            self._fill(place, frame.image)
            self._say(PictureReady(place, frame.size_wh, header_of(frame), source.counts))
        self._say(Finished(source.counts))

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

    def _refuse(self, error: SourceError, source: FileSource | None) -> None:
        reason = Refused(type(error).__name__, error.code, str(error))
        self._say(reason if source is None else Refused(reason.error, reason.code, reason.message, source.counts))

    def _say(self, message: Message) -> None:
        line = encode(message)
        try:
            self._peer.sendall(line)
        except OSError as error:
            raise NobodyListens from error


def limit_before_opening(limits: DecoderLimits, path: str) -> None:
    """Give up what decoding needs none of; the kernel keeps it so, whatever a file makes of this process."""
    _import_all_of_av()
    cv2.getNumThreads()  # reads files of the system, once
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _STDERR_BYTES)
    _limit(resource.RLIMIT_AS, _address_space() + limits.memory_bytes)
    _limit_cpu(min(limits.start_cpu_s, limits.cpu_s_max), limits.cpu_s_max)
    with suppress(OSError):  # where memory runs out all the same, this process goes first and not the one it works for
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    # FFmpeg opens the video by name: one file, and nothing that the video names beside it. A name that is not UTF-8
    # is opened by way of a link, whose removal needs more.
    is_plain = path.encode("utf-8", "replace") == os.fsencode(path)
    _limit_files(1 if is_plain else 4)


def limit_after_opening(limits: DecoderLimits, num_bytes: int, duration_s: float | None) -> None:
    """Open no more files; processor time by what there is to decode."""
    _limit(resource.RLIMIT_NOFILE, 0)
    _limit_cpu(limits.cpu_s(num_bytes, duration_s), limits.cpu_s_max)


def end_with_parent() -> None:
    """Let the kernel end this process when the other end of its standard input closes, whatever it is busy with.

    PR_SET_PDEATHSIG would follow the thread that started this process, which may end long before its process does.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(_STDIN, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(_STDIN, fcntl.F_SETFL, fcntl.fcntl(_STDIN, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([_STDIN], [], [], 0)[0]:
        os._exit(1)  # it closed before anybody listened


def _import_all_of_av() -> None:
    """PyAV imports the classes of streams when it meets them, which is too late."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _limit(kind: int, value: int) -> None:
    """Lower a limit for good; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _limit_cpu(soft_s: float, hard_s: float) -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    bound = int(hard_s) + 1 if hard == resource.RLIM_INFINITY else min(int(hard_s) + 1, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (min(int(soft_s) + 1, bound), bound))


def _limit_files(num_free: int) -> None:
    """Leave descriptors for so many further files, and no more."""
    handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(num_free)]
    _limit(resource.RLIMIT_NOFILE, max(handles) + 1)
    for handle in handles:
        os.close(handle)


def _address_space() -> int:
    """Bytes of address space in use; a guess where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 30


def _memory_text(limits: DecoderLimits) -> str:
    return f"decoding it takes more than {limits.memory_bytes >> 20} MiB of memory"


def main() -> None:
    """The process from its first line to its last; descriptors of the socket and of the ring are its arguments."""
    faulthandler.enable()
    end_with_parent()
    peer, memory = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    with peer.makefile("rb") as lines:
        order = decode_order(lines.readline())
    ring = FrameRing(memory, order.decoder.num_places, order.limits.max_side_px**2 * 3, is_writable=True)
    limit_before_opening(order.decoder, order.path)
    with suppress(NobodyListens, OSError):
        Decoder(peer, order, ring).run()
        while peer.recv(4096):  # closing with unread bytes would take what was said last from the other side
            pass
    os._exit(0)


if __name__ == "__main__":
    main()
