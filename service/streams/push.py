"""Frames that a client pushes, carried from its WebSocket to the worker over a local socket.

The worker listens on `push.sock` in the stream's folder; each message is its length (4 bytes, big endian) and then the
bytes: one JPEG, or a piece of MPEG-TS with H.264. The socket's own buffer is the queue: a full one holds the client up.
"""

import asyncio
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.websockets import WebSocket, WebSocketDisconnect

logger = logging.getLogger(__name__)

MESSAGE_BYTES_MAX = 4 * 2**20
_CONNECT_S = 10.0
_DRAIN_S = 5.0
_PATH_BYTES_MAX = 100
_UNSUPPORTED, _TOO_BIG, _TRY_LATER = 1003, 1009, 1013


async def relay(socket: WebSocket, path: Path) -> None:
    """Carry frames until either side ends; the client is told why with the close code."""
    writer = await _connect(path)
    if writer is None:
        await socket.close(_TRY_LATER, "the stream has no worker yet; try again")
        return
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if data is None:
                await socket.close(_UNSUPPORTED, "a frame is a binary message: JPEG, or H.264 in MPEG-TS")
                return
            if len(data) > MESSAGE_BYTES_MAX:
                await socket.close(_TOO_BIG, f"a message holds at most {MESSAGE_BYTES_MAX} bytes")
                return
            writer.write(struct.pack(">I", len(data)) + data)
            await asyncio.wait_for(writer.drain(), _DRAIN_S)
    except WebSocketDisconnect:
        return
    except (OSError, TimeoutError) as error:
        logger.info("push: the worker does not take frames: %s", error or "timeout")
        await socket.close(_TRY_LATER, "the stream's worker does not take frames; try again")
    finally:
        writer.close()


async def _connect(path: Path) -> asyncio.StreamWriter | None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + _CONNECT_S
    while loop.time() < deadline_s:
        try:
            with reachable(path) as short:
                _, writer = await asyncio.open_unix_connection(short)
        except (FileNotFoundError, ConnectionRefusedError):
            await asyncio.sleep(0.1)
            continue
        return writer
    return None


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of a socket file that fits into the 108 bytes which the system has for one, however deep it lies.

    Raises FileNotFoundError when its folder is not there.
    """
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
