"""A video file that a process of its own opens and decodes, under limits: what crashes there harms nobody else."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.errors import DecoderFailed, SourceError, SourceTooLong
from pipelines.stream.file_names import printable
from pipelines.stream.sources.decoder_limits import DecoderLimits
from pipelines.stream.sources.decoder_messages import (
    Finished,
    Message,
    MessageInvalid,
    Opened,
    Order,
    PictureReady,
    Refused,
    frame_of,
)
from pipelines.stream.sources.decoder_process import DECODER, DecoderProcess
from pipelines.stream.sources.info import SourceCounts, SourceInfo, SourceLimits
from pipelines.types import Frame


def _never() -> bool:
    return False


class IsolatedFileSource:
    """Iterates the frames of one video file, once: the same frames, counts and errors as `FileSource` gives.

    decoder: what the decoder process may take. is_cancelled: asked several times a second while it is waited for.
    program: the decoder to run.
    Each frame is a copy of its own, so that it may be kept as long as anybody likes.
    Raises what FileSource raises, and DecoderFailed for a decoder that crashed, got stuck, took more than it may or
    makes no sense, AnalysisCancelled; while it is iterated, too.
    """

    is_live = False

    def __init__(
        self,
        path: Path,
        limits: SourceLimits | None = None,
        rate_hz: float | None = None,
        decoder: DecoderLimits | None = None,
        is_cancelled: Callable[[], bool] = _never,
        program: Sequence[str] = DECODER,
    ) -> None:
        self._name = printable(path.name)
        self._decoder = decoder or DecoderLimits()
        self._lock = threading.Lock()
        self._is_over = self._has_ended = False
        self._counts = SourceCounts()
        order = Order(str(path), rate_hz, limits or SourceLimits(), self._decoder)
        self._process = DecoderProcess(self._name, order, is_cancelled, program)
        try:
            self.info = self._require_opened()
        except BaseException:
            self.close()
            raise

    @property
    def counts(self) -> SourceCounts:
        """What was read up to the frame that was handed out last."""
        return self._counts

    @property
    def decoder_pid(self) -> int:
        """The decoder process, for people."""
        return self._process.pid

    def __iter__(self) -> Iterator[Frame]:
        while (frame := self._next()) is not None:
            yield frame

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the decoder at once; may be called twice, and while another thread waits for a frame."""
        self._is_over = True
        if not self._has_ended:
            self._process.kill()  # before the lock: wakes who holds it
        with self._lock:
            self._end()

    def _next(self) -> Frame | None:
        """The next frame, None at the end or once it is closed."""
        with self._lock:
            if self._is_over:
                return None
            try:
                frame = self._require_next()
            except BaseException:
                was_closed, self._is_over = self._is_over, True
                self._end()
                if was_closed:
                    return None
                raise
            if frame is None:
                self._is_over = True
                self._end()
            return frame

    def _require_opened(self) -> SourceInfo:
        match self._process.receive():
            case Opened(info=info, counts=counts):
                self._counts = counts
                return info
            case message:
                raise self._error_of(message)

    def _require_next(self) -> Frame | None:
        match self._process.receive():
            case PictureReady() as picture:
                return self._frame(picture)
            case Finished(counts=counts):
                self._counts = counts
                return None
            case message:
                raise self._error_of(message)

    def _frame(self, picture: PictureReady) -> Frame:
        frames_max = self._decoder.frames_max
        if frames_max is not None and picture.counts.frames > frames_max:
            raise SourceTooLong(f"{self._name} has over {frames_max} frames; cut it into pieces")
        try:
            frame = frame_of(picture.frame, self._process.take(picture))
        except MessageInvalid as error:
            raise DecoderFailed(f"{self._name}: {error}") from error
        self._counts = picture.counts
        return frame

    def _error_of(self, message: Message) -> SourceError:
        """The error that the decoder met, of the class that FileSource would raise."""
        if not isinstance(message, Refused):
            return DecoderFailed(f"{self._name}: the decoder said {message.kind} where it makes no sense")
        self._counts = message.counts
        if message.code == DecoderFailed.code:
            self._process.log_report()
        kind = next((each for each in _kinds(SourceError) if each.__name__ == message.error), DecoderFailed)
        error = kind(message.message)
        error.code = message.code
        return error

    def _end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._process.end()


def _kinds(kind: type[SourceError]) -> Iterator[type[SourceError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)
