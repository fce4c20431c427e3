"""One supervised reader per live source: opens it, reads it, notices when it dies, and comes back."""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from pipelines.errors import SourceError, SourceForbidden, SourceUnavailable
from pipelines.stream.sources.connection import Connector, DecodedPicture, OnPacket
from pipelines.stream.sources.continuity import Continuity
from pipelines.stream.sources.decode import VideoPacket
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.packet_tap import PacketTap
from pipelines.stream.sources.picture import PictureMaker
from pipelines.stream.sources.retries import SourceRetries
from pipelines.stream.sources.status import LiveOptions, SourceFault, SourceStatus
from pipelines.stream.sources.status_tracker import StatusTracker
from pipelines.stream.sources.timing import LiveClock, PlayedClock, RateGate
from pipelines.types import Frame, PacketSink

logger = logging.getLogger(__name__)

_FINAL = (SourceForbidden,)
_USUAL_HZ = 15.0


class FrameSink(Protocol):
    """Where a reader puts its frames: a FrameBuffer."""

    def put(self, frame: Frame, timeout_s: float | None = None) -> bool:
        """Take a frame in; False where it was not taken."""

    def end(self, error: Exception | None = None) -> None:
        """No more frames will come."""


@dataclass(frozen=True, slots=True)
class ReaderHooks:
    """What a reader reports to, and its clock and its dice.

    on_state: called with the new status at every change of state, from the reader's thread or a caller of `status`.
    packets: where compressed pictures go for evidence.
    """

    on_state: Callable[[SourceStatus], None] | None = None
    packets: PacketSink | None = None
    clock: Callable[[], float] = time.monotonic
    generator: random.Random | None = None


class LiveReader:
    """Reads one live source in a thread of its own and puts its frames into a sink until it is stopped.

    A source that cannot be reached is tried again, for ever, with growing pauses; only an address that is not allowed
    and the end of a file are final, and end the sink. The end of iteration on a live source is a disconnect.
    """

    def __init__(
        self,
        connect: Connector,
        sink: FrameSink,
        options: LiveOptions | None = None,
        limits: SourceLimits | None = None,
        hooks: ReaderHooks | None = None,
        follows_wall: bool = True,
    ) -> None:
        self._connect = connect
        self._sink = sink
        self._options = options or LiveOptions()
        self._limits = limits or SourceLimits()
        self._hooks = hooks or ReaderHooks()
        self._is_file = not follows_wall
        self._clock = LiveClock() if follows_wall else PlayedClock()
        self._gate = RateGate(self._options.rate_hz)
        self._continuity = Continuity(1 / (self._options.rate_hz or _USUAL_HZ))
        self._retries = SourceRetries(self._options, self._hooks.generator or random.Random())  # noqa: S311 - jitter
        self._tracker = StatusTracker(self._hooks.clock, self._options.degraded_after_s, self._hooks.on_state)
        self._packet_tap = PacketTap(self._hooks.packets, self._clock) if self._hooks.packets else None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._index = 0
        self._make = PictureMaker(self._limits.max_side_px, self._options.turn)

    def start(self) -> None:
        """Begin to read; returns at once, whether or not the camera is there."""
        assert self._thread is None, "a reader is started once"
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the reader to end; returns at once and may be called twice. No frame is put after it."""
        self._stopped.set()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread's end, by default as long as its longest deadlines; True once it has ended.

        False is a decoder or a name server that hangs beyond every deadline: the thread is left behind and can do no
        more harm than its memory. Raises what ended the reader, where that was none of the errors of sources.
        """
        if self._thread is not None:
            # FFmpeg counts the opening and the probing each from zero.
            longest_s = max(2 * self._options.open_timeout_s, self._options.read_timeout_s) + 1.0
            self._thread.join(longest_s if timeout_s is None else timeout_s)
            if self._thread.is_alive():
                return False
        if self._error is not None:
            raise self._error
        return True

    def status(self) -> SourceStatus:
        """The source's state and counters now; a picture that is overdue shows here as `degraded`."""
        return self._tracker.read()

    def _run(self) -> None:
        """The thread's edge: whatever ends the reader is reported once, and the sink always ends."""
        error: Exception | None = None
        try:
            error = self._supervise()
        except Exception as unexpected:
            logger.exception("reader ended by a fault of its own")
            self._error = error = unexpected
            self._tracker.fail(SourceFault("internal", type(unexpected).__name__))
        finally:
            self._sink.end(None if self._stopped.is_set() else error)

    def _supervise(self) -> Exception | None:
        """Connect again and again; returns the error that is final, None for a file's end or a stop."""
        while not self._stopped.is_set():
            try:
                self._read_once()
                fault = SourceUnavailable("the source ended the connection", code="ended")
            except SourceUnavailable as error:
                fault = error
            except SourceError as error:
                if self._is_file or isinstance(error, _FINAL):
                    self._tracker.fail(SourceFault(error.code, str(error)))
                    return error
                fault = SourceUnavailable(str(error), code="codec_unsupported")
            if self._stopped.is_set():
                break
            if self._is_file and not (fault.code == "ended" and self._options.loops):
                self._tracker.fail(SourceFault(fault.code, str(fault)))
                return None if fault.code == "ended" else fault
            self._tracker.lose(SourceFault(fault.code, str(fault)), is_definite=self._retries.note(fault.code))
            self._stopped.wait(0.0 if self._is_file else self._retries.pause_s())
        return None

    def _read_once(self) -> None:
        """One connection, from its opening to its end."""
        on_packet: OnPacket = _ignore
        self._clock.reconnect()
        self._continuity.interrupt("reconnect")
        if self._packet_tap is not None:
            self._packet_tap.reconnect()
            on_packet = self._packet_tap
        with closing(self._connect(on_packet, self._stopped)) as connection:
            self._tracker.connect()
            for decoded in connection:
                if self._stopped.is_set():
                    return
                self._deliver(decoded)

    def _deliver(self, decoded: DecodedPicture) -> None:
        now_s = self._hooks.clock()
        picture = decoded.picture
        if picture is None or picture.is_corrupt:
            self._tracker.drop("corrupt")
            return
        self._tracker.arrive()
        moment = self._clock.at(decoded.pts_s, now_s)
        if moment is None:
            self._tracker.drop("out_of_order")
            return
        if moment.is_jump:
            self._continuity.interrupt("clock_jump")
        if self._gate.admits(moment.time_s):
            image = self._make(picture, decoded.aspect)
            if self._packet_tap is not None:
                self._packet_tap.orient(self._make.orientation)
            found = self._continuity.judge(moment.time_s, image)
            self._hand_over(Frame(self._index, moment.time_s, image, now_s, found))
        else:
            self._tracker.drop("rate")

    def _hand_over(self, frame: Frame) -> None:
        if not self._stopped.is_set():
            if self._sink.put(frame, self._options.read_timeout_s):
                self._index += 1
                self._tracker.note_break(frame.break_reason)
            else:
                self._tracker.drop("sink_full")
                if frame.break_reason is not None:
                    self._continuity.interrupt(frame.break_reason)
        self._retries.reset()


def _ignore(packet: VideoPacket, stream: object) -> None:
    """Nobody keeps this source's packets."""
