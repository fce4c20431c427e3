"""A decoder process as the one that started it sees it: takes an order, says messages, can be ended at any time."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from models.arrays import Image
from pipelines.errors import AnalysisCancelled, DecoderFailed
from pipelines.stream.sources.decoder_messages import Message, MessageInvalid, Order, PictureReady, decode, encode
from pipelines.stream.sources.frame_ring import FrameRing, open_memory

logger = logging.getLogger(__name__)

DECODER = (sys.executable, "-P", "-m", "pipelines.stream.sources.decoder_child")
_SLICE_S = 0.2  # waits are counted in slices: a machine that was paused costs one, and does not make a decoder stuck
_LINE_BYTES_MAX = 64 << 10
_END_S = 1.0
_REPORT_BYTES = 64 << 10
_LOGGED_BYTES = 4000
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONUTF8")


class DecoderProcess:
    """Starts a decoder; `end` gives back everything that belongs to it.

    name: of the file, for messages. is_cancelled: asked several times a second while it is waited for.
    program: what to run; gets the descriptors of its end of the socket and of the memory as its last arguments.
    """

    def __init__(self, name: str, order: Order, is_cancelled: Callable[[], bool], program: Sequence[str]) -> None:
        self._name = name
        self._limits = order.decoder
        self._is_cancelled = is_cancelled
        self._received = b""
        self._place_bytes = order.limits.max_side_px**2 * 3
        self._ring: FrameRing | None = None
        self._memory, self._report = open_memory("actogram-frames"), open_memory("actogram-decoder-report")
        self._peer, peer = socket.socketpair()
        handles = (peer.fileno(), self._memory)
        try:
            self._process = _start([*program, *map(str, handles)], handles, self._report)
        except BaseException:
            self._close()
            raise
        finally:
            peer.close()
        self._peer.settimeout(_SLICE_S)
        self._send(encode(order))

    @property
    def pid(self) -> int:
        """The process, for people."""
        return self._process.pid

    def receive(self) -> Message:
        """The next message.

        Raises DecoderFailed for a decoder that died, is stuck or makes no sense, AnalysisCancelled.
        """
        num_slices = max(1, round(self._limits.stall_s / _SLICE_S))
        while b"\n" not in self._received:
            if len(self._received) > _LINE_BYTES_MAX:
                raise DecoderFailed(f"{self._name}: {_NONSENSE}")
            if self._is_cancelled():
                raise AnalysisCancelled(f"{self._name}: stopped while it was decoded")
            if num_slices == 0:
                raise DecoderFailed(f"{self._name}: no picture for {self._limits.stall_s:g} s, the decoder is stuck")
            num_slices -= not self._has_received_more()
        line, self._received = self._received.split(b"\n", 1)
        return self._decoded(line)

    def take(self, picture: PictureReady) -> Image:
        """A copy of a picture's pixels; its place is given back. Raises DecoderFailed for one that cannot be."""
        try:
            self._ring = self._ring or FrameRing.for_reading(self._memory, self._limits.num_places, self._place_bytes)
            image = self._ring.read(picture.place, picture.size_wh)
        except ValueError as error:
            raise DecoderFailed(f"{self._name}: {_NONSENSE}") from error
        self._send(b"\0")
        return image

    def log_report(self) -> None:
        """Log the end of what the decoder wrote to its standard error."""
        report = os.pread(self._report, _REPORT_BYTES, 0)
        # As repr: a stranger's file may have had a hand in it.
        logger.warning("%s: the decoder failed and left %r", self._name, report[-_LOGGED_BYTES:])

    def kill(self) -> None:
        """End it at once: whoever waits in `receive` is told that it died."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and give back what belongs to it; nobody may be waiting in `receive`. Call it once."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._close()

    def _close(self) -> None:
        self._peer.close()
        os.close(self._memory)
        os.close(self._report)
        if self._ring is not None:
            self._ring.close()

    def _send(self, data: bytes) -> None:
        with suppress(OSError):  # it has died: `receive` finds out how
            self._peer.sendall(data)

    def _has_received_more(self) -> bool:
        """Whether anything came within a slice of time; raises DecoderFailed for a decoder that is gone."""
        try:
            received = self._peer.recv(_LINE_BYTES_MAX)
        except TimeoutError:
            return False
        except OSError:
            received = b""  # it died with places unread that were given back
        if not received:
            raise DecoderFailed(f"{self._name}: {self._how_it_ended()}")
        self._received += received
        return True

    def _decoded(self, line: bytes) -> Message:
        try:
            return decode(line)
        except MessageInvalid as error:
            raise DecoderFailed(f"{self._name}: {_NONSENSE}") from error

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "the decoder hung up"
        self.log_report()
        if status >= 0:
            return f"the decoder ended with status {status}"
        if status == -signal.SIGXCPU:
            return "decoding it takes more processor time than a video of its size and length may take"
        if status == -signal.SIGKILL:
            return "the decoder was killed; the machine may be out of memory"
        return f"the decoder crashed on it ({signal.Signals(-status).name})"


_NONSENSE = "the decoder answers with something that makes no sense"


def _start(command: Sequence[str], handles: Sequence[int], report: int) -> "subprocess.Popen[bytes]":
    """Its standard input is only there to close when this process ends; see `decoder_child.end_with_parent`."""
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=report, pass_fds=handles,
        env=child_environment(), start_new_session=True,  # Ctrl-C is for whoever started it
    )  # fmt: skip


def child_environment() -> dict[str, str]:
    """What the interpreter needs, and none of the secrets that this process may have been started with."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    path = os.pathsep.join(each or str(Path.cwd()) for each in sys.path)
    # Further threads and arenas would only take address space.
    return kept | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
