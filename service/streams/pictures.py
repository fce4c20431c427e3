"""The newest picture of each stream: a JPEG that the worker writes while somebody looks, and the page reads."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

BOUNDARY = b"frame"
_WANTED_S = 5.0
_POLL_S = 0.05


class PictureFolder:
    """One folder per stream with `latest.jpg` and `wanted`, whose time says when somebody last looked."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, stream_id: str) -> Path:
        """Where the worker writes."""
        return self._root / stream_id

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
            found = self._read(stream_id)
            if found is not None and found[0] >= since_s:
                return found[1]
            await asyncio.sleep(_POLL_S)
        return None

    async def preview(self, stream_id: str, silence_s: float) -> AsyncIterator[bytes]:
        """Pictures as they come, as parts of a multipart/x-mixed-replace body; ends after silence."""
        shown_s, alive_s = 0.0, time.monotonic()
        while time.monotonic() - alive_s < silence_s:
            self.want(stream_id)
            found = self._read(stream_id)
            if found is not None and found[0] > shown_s and found[0] > time.time() - _WANTED_S:
                shown_s, alive_s = found[0], time.monotonic()
                head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, len(found[1]))
                yield head + found[1] + b"\r\n"
            await asyncio.sleep(_POLL_S)
        yield b"--%s--\r\n" % BOUNDARY

    def _read(self, stream_id: str) -> tuple[float, bytes] | None:
        path = self.folder(stream_id) / "latest.jpg"
        try:
            return path.stat().st_mtime, path.read_bytes()
        except FileNotFoundError:
            return None


def is_wanted(folder: Path, now_s: float) -> bool:
    """The worker's question: whether somebody looked at this stream lately."""
    try:
        return now_s - (folder / "wanted").stat().st_mtime < _WANTED_S
    except FileNotFoundError:
        return False
