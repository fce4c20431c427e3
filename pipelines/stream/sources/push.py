"""A source that code feeds: JPEG pictures, or H.264 in MPEG-TS, as they come out of a browser or an encoder."""

import threading
import time
from collections import deque
from collections.abc import Iterator

import av

from pipelines.errors import SourceUnavailable
from pipelines.stream.sources.connection import Connection, DecodedPicture, OnPacket
from pipelines.stream.sources.container import require_video
from pipelines.stream.sources.decode import PictureReader, VideoPacket
from pipelines.stream.sources.info import SourceLimits
from pipelines.stream.sources.status import LiveOptions

_JPEG = b"\xff\xd8"
_END = b""
_WAIT_S = 0.1


class PushFeed:
    """Takes messages from a client's thread and is the connector of the stream's reader at the same time.

    max_bytes: held at most; beyond, the oldest messages go and are counted: a client that sends faster than the reader
    decodes must not fill the memory.
    """

    def __init__(
        self, options: LiveOptions | None = None, limits: SourceLimits | None = None, max_bytes: int = 8 << 20
    ) -> None:
        self._options = options or LiveOptions()
        self._limits = limits or SourceLimits()
        self._max_bytes = max_bytes
        self._messages: deque[bytes] = deque()
        self._num_bytes = 0
        self._num_dropped = 0
        self._changed = threading.Condition()

    @property
    def num_dropped(self) -> int:
        """Messages that were thrown away unread."""
        return self._num_dropped

    def put(self, message: bytes) -> None:
        """Take one message: one JPEG picture, or any piece of an MPEG-TS stream; an empty one is none. Never waits."""
        if not message:
            return
        with self._changed:
            self._messages.append(bytes(message))
            self._num_bytes += len(message)
            while self._num_bytes > self._max_bytes:
                self._num_bytes -= len(self._messages.popleft())
                self._num_dropped += 1
            self._changed.notify_all()

    def end(self) -> None:
        """The client is gone; a later `put` begins a new connection."""
        with self._changed:
            # In its place among the messages: the next client may be quicker than the reader.
            if not self._messages or self._messages[-1] != _END:
                self._messages.append(_END)
            self._changed.notify_all()

    def __call__(self, on_packet: OnPacket, stopped: threading.Event) -> Connection:
        """Wait for a client's first message; raises SourceUnavailable (timeout) where none comes in time."""
        first = self.take(self._options.open_timeout_s, stopped, is_peek=True)
        if not first:
            raise SourceUnavailable("push: nobody sends", code="timeout")
        if first.startswith(_JPEG):
            return _Jpegs(self, self._options, self._limits, stopped)
        return _TransportStream(self, self._options, self._limits, on_packet, stopped)

    def take(self, timeout_s: float, stopped: threading.Event, is_peek: bool = False) -> bytes | None:
        """The next message; b"" at the client's end or a stop, None when none came in time."""
        give_up_s = time.monotonic() + timeout_s
        with self._changed:
            self._skip_end(is_peek)
            while not self._messages:
                left_s = give_up_s - time.monotonic()
                if stopped.is_set():
                    return _END
                if left_s <= 0:
                    return None
                self._changed.wait(min(left_s, _WAIT_S))
                self._skip_end(is_peek)
            if is_peek:
                return self._messages[0]
            message = self._messages.popleft()
            self._num_bytes -= len(message)
            return message

    def _skip_end(self, is_peek: bool) -> None:
        """Whoever waits for a client's first message has nothing to do with an earlier client's end."""
        if is_peek and self._messages and self._messages[0] == _END:
            self._messages.popleft()


class _Jpegs:
    """One client that sends a JPEG picture per message, timed by its arrival; no clip can be cut from these."""

    def __init__(self, feed: PushFeed, options: LiveOptions, limits: SourceLimits, stopped: threading.Event) -> None:
        self._feed = feed
        self._options = options
        self._limits = limits
        self._stopped = stopped

    def __iter__(self) -> Iterator[DecodedPicture]:
        while message := self._feed.take(self._options.read_timeout_s, self._stopped):
            yield from self._decode(message)
        if message is None:
            raise SourceUnavailable("push: nobody sends any more", code="timeout")

    def _decode(self, message: bytes) -> Iterator[DecodedPicture]:
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.options = {"max_pixels": str(self._limits.max_pixels)}
        try:
            pictures = decoder.decode(av.Packet(message))
        except av.error.FFmpegError:
            pictures = []
        good = [picture for picture in pictures if isinstance(picture, av.VideoFrame)]
        yield DecodedPicture(good[0] if good else None)

    def close(self) -> None:
        """Nothing is held."""


class _TransportStream:
    """One client that sends a video in pieces."""

    def __init__(
        self,
        feed: PushFeed,
        options: LiveOptions,
        limits: SourceLimits,
        on_packet: OnPacket,
        stopped: threading.Event,
    ) -> None:
        self._pipe = _Pipe(feed, options.read_timeout_s, stopped)
        self._on_packet = on_packet
        try:
            self._container = av.open(
                self._pipe,
                mode="r",
                format="mpegts",
                options={"max_pixels": str(limits.max_pixels), "analyzeduration": "100000", "fpsprobesize": "0"},
                buffer_size=4096,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise SourceUnavailable("push: neither JPEG nor MPEG-TS", code="codec_unsupported") from error
        self._stream = require_video(self._container, "push:", limits)
        self._stream.codec_context.thread_count = 1
        self._stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}

    def __iter__(self) -> Iterator[DecodedPicture]:
        for picture in PictureReader(self._container, self._stream, self._see):
            pts = None if picture is None else picture.pts
            pts_s = None if pts is None else float(pts * (self._stream.time_base or 1))
            yield DecodedPicture(picture, pts_s, self._stream.sample_aspect_ratio)
        if self._pipe.is_starved:
            raise SourceUnavailable("push: nobody sends any more", code="timeout")

    def _see(self, packet: VideoPacket) -> bool:
        self._on_packet(packet, self._stream)
        return True

    def close(self) -> None:
        """Close the decoder; may be called twice."""
        self._container.close()


class _Pipe:
    """What FFmpeg reads: the messages of a feed, end to end; silence beyond the deadline is the end."""

    def __init__(self, feed: PushFeed, timeout_s: float, stopped: threading.Event) -> None:
        self._feed = feed
        self._timeout_s = timeout_s
        self._stopped = stopped
        self._rest = b""
        self.is_starved = False

    def read(self, num_bytes: int) -> bytes:
        """Up to so many bytes, b"" at the end."""
        if not self._rest:
            message = self._feed.take(self._timeout_s, self._stopped)
            self.is_starved = message is None
            self._rest = message or b""
        piece, self._rest = self._rest[:num_bytes], self._rest[num_bytes:]
        return piece
