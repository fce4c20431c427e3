"""The newest picture of each stream: the worker sends it while somebody looks, and the page reads it."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from service.errors import AtCapacity
from service.protocol.messages import TaskCommand
from service.protocol.preview import SHOW_S, PreviewPicture, ShowPreview

BOUNDARY = b"frame"
_POLL_S = 0.05
_ASK_S = 0.5


@dataclass(frozen=True, slots=True)
class _Picture:
    """A JPEG, and the monotonic second at which it came."""

    arrived_s: float
    jpeg: bytes = field(repr=False)


class Previews:
    """Asks for pictures on behalf of those who look, and keeps the newest of each stream for a few seconds.

    tell: passes a command to the worker that has the stream; False when none has it.
    viewers_max: moving pictures that may be looked at at once.
    clock: monotonic seconds.
    """

    def __init__(
        self, tell: Callable[[TaskCommand], bool], viewers_max: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._viewers_max = viewers_max
        self._clock = clock
        self._num_viewers = 0
        self._lock = threading.Lock()
        self._newest: dict[str, _Picture] = {}
        self._asked_s: dict[str, float] = {}

    def put(self, picture: PreviewPicture) -> None:
        """Keep what a worker sent; what nobody has looked at for a while is forgotten. Called from any thread."""
        now_s = self._clock()
        with self._lock:
            self._newest = {key: one for key, one in self._newest.items() if now_s - one.arrived_s < SHOW_S}
            self._newest[picture.task_id] = _Picture(now_s, picture.jpeg)

    def forget(self, stream_id: str) -> None:
        """Forget the picture of a stream; harmless when there is none."""
        with self._lock:
            self._newest.pop(stream_id, None)
            self._asked_s.pop(stream_id, None)

    def require_seat(self) -> None:
        """Raises AtCapacity while too many look at moving pictures."""
        if self._num_viewers >= self._viewers_max:
            raise AtCapacity(f"{self._num_viewers} previews are open, at most {self._viewers_max}", 10)

    async def snapshot(self, stream_id: str, timeout_s: float) -> bytes | None:
        """A picture not older than this call; None when none came in time."""
        since_s = self._clock()
        while self._clock() - since_s < timeout_s:
            self._want(stream_id)
            found = self._find(stream_id, since_s)
            if found is not None:
                return found.jpeg
            await asyncio.sleep(_POLL_S)
        return None

    async def preview(self, stream_id: str, silence_s: float) -> AsyncIterator[bytes]:
        """Pictures as they come, as parts of a multipart/x-mixed-replace body; ends after silence."""
        shown_s, alive_s = float("-inf"), self._clock()
        self._num_viewers += 1
        try:
            while self._clock() - alive_s < silence_s:
                self._want(stream_id)
                found = self._find(stream_id, max(shown_s, self._clock() - SHOW_S))
                if found is not None:
                    shown_s, alive_s = found.arrived_s, self._clock()
                    yield _part(found.jpeg)
                await asyncio.sleep(_POLL_S)
            yield b"--%s--\r\n" % BOUNDARY
        finally:
            self._num_viewers -= 1

    def _want(self, stream_id: str) -> None:
        """Ask the worker for the next seconds: twice a second however many look, at once where it was not there yet."""
        now_s = self._clock()
        with self._lock:
            if now_s - self._asked_s.get(stream_id, float("-inf")) < _ASK_S:
                return
        if self._tell(ShowPreview(stream_id)):
            with self._lock:
                self._asked_s[stream_id] = now_s

    def _find(self, stream_id: str, after_s: float) -> _Picture | None:
        with self._lock:
            found = self._newest.get(stream_id)
        return found if found is not None and found.arrived_s > after_s else None


def _part(jpeg: bytes) -> bytes:
    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return head % (BOUNDARY, len(jpeg)) + jpeg + b"\r\n"
