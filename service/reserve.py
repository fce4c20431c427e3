"""Room that is kept for the day when the disk is full: a database needs some even to delete, by request or by age."""

import logging
import os
import shutil
import threading
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.private_files import make_private_file

logger = logging.getLogger(__name__)

RESERVE_BYTES = 8 * 2**20
_SPARE_BYTES = 8 * RESERVE_BYTES
_FULL = 507


class DiskReserve:
    """A file beside the database that only takes up room, until it is given up."""

    def __init__(self, path: Path, size_bytes: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._lock = threading.Lock()

    def fill(self) -> None:
        """Take the room, where the disk has plenty; harmless when it is taken already."""
        with self._lock:
            try:
                if self._path.exists() and self._path.stat().st_size >= self._size_bytes:
                    return
                if shutil.disk_usage(self._path.parent).free < _SPARE_BYTES:
                    return
                make_private_file(self._path)
                with self._path.open("r+b") as file:
                    os.posix_fallocate(file.fileno(), 0, self._size_bytes)
            except OSError as error:
                logger.warning("no room is kept for a full disk: %s", error.strerror)

    def release(self) -> bool:
        """Give the room up; False when there was none."""
        with self._lock:
            try:
                self._path.unlink()
            except OSError:
                return False
        logger.warning("the disk is full: the room that was kept for deleting is given up")
        return True


class MakeRoom:
    """Tries a DELETE that found the disk full once more, with the room that was kept for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] != "DELETE":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold_back(message: Message) -> None:
            if held or (message["type"] == "http.response.start" and message["status"] == _FULL):
                held.append(message)
            else:
                await send(message)

        await self._app(dict(scope), receive, hold_back)
        if not held:
            return
        reserve = scope["app"].state.parts[DiskReserve]
        if isinstance(reserve, DiskReserve) and reserve.release():
            await self._app(dict(scope), receive, send)
            reserve.fill()
            return
        for message in held:
            await send(message)
