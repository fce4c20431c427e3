"""The newest picture of each stream: a JPEG that the worker writes while somebody looks, and the page reads."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

from service.errors import AtCapacity

BOUNDARY = b"frame"
_WANTED_S = 5.0
_POLL_S = 0.05
_WANT_S = 1.0


class PictureFolder:
    """One folder per stream with `latest.jpg` and `wanted`, whose time says when somebody last looked.

    viewers_max: moving pictures that may be looked at at once.
    """

    def __init__(self, root: Path, viewers_max: int = 64) -> None:
        self._root = root
        self._viewers_max = viewers_max
        self._num_viewers = 0

    def folder(self, stream_id: str) -> Path:
        """Where the worker writes."""
        return self._root / stream_id

    def remove(self, stream_id: str) -> None:
        """Remove what was kept of a stream; harmless when there is nothing."""
        shutil.rmtree(self.folder(stream_id), ignore_errors=True)

    def require_seat(self) -> None:
        """Raises AtCapacity while too many look at moving pictures."""
        if self._num_viewers >= self._viewers_max:
            raise AtCapacity(f"{self._num_viewers} previews are open, at most {self._viewers_max}", 10)

    def want(self, stream_id: str) -> None:
        """Somebody looks: the worker writes pictures for the next seconds."""
        folder = self.folder(stream_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "wanted").touch()

    async def snapshot(self, stream_id: str, timeout_s: float) -> bytes | None:
        """A picture not older than this call; None when none came in time."""
        # Some file systems count in whole seconds or ticks: a little patience with the clock.
        since_s = time.time() - _POLL_S
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            self.want(stream_id)
            found = self._read(stream_id, since_s)
            if found is not None:
                return found[1]
            await asyncio.sleep(_POLL_S)
        return None

    async def preview(self, stream_id: str, silence_s: float) -> AsyncIterator[bytes]:
        """Pictures as they come, as parts of a multipart/x-mixed-replace body; ends after silence."""
        shown_s, alive_s, asked_s = 0.0, time.monotonic(), 0.0
        self._num_viewers += 1
        try:
            while time.monotonic() - alive_s < silence_s:
                if time.monotonic() - asked_s > _WANT_S:
                    asked_s = time.monotonic()
                    self.want(stream_id)
                found = self._read(stream_id, max(shown_s, time.time() - _WANTED_S))
                if found is not None:
                    shown_s, alive_s = found[0], time.monotonic()
                    head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                    yield head % (BOUNDARY, len(found[1])) + found[1] + b"\r\n"
                await asyncio.sleep(_POLL_S)
            yield b"--%s--\r\n" % BOUNDARY
        finally:
            self._num_viewers -= 1

    def _read(self, stream_id: str, newer_than_s: float) -> tuple[float, bytes] | None:
        path = self.folder(stream_id) / "latest.jpg"
        try:
            written_s = path.stat().st_mtime
            return (written_s, path.read_bytes()) if written_s > newer_than_s else None
        except FileNotFoundError:
            return None
