"""Carries the frames that a client pushes from its WebSocket to the worker's local socket."""

import asyncio
import logging
import struct
from pathlib import Path

from starlette.websockets import WebSocket, WebSocketDisconnect

from service.protocol.push_socket import MESSAGE_BYTES_MAX, reachable

logger = logging.getLogger(__name__)

_CONNECT_S = 10.0
_DRAIN_S = 5.0
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
                await socket.close(_UNSUPPORTED, "a frame must be a binary message: a JPEG, or H.264 in MPEG-TS")
                return
            if len(data) > MESSAGE_BYTES_MAX:
                await socket.close(_TOO_BIG, f"a message holds at most {MESSAGE_BYTES_MAX} bytes")
                return
            writer.write(struct.pack(">I", len(data)) + data)
            await asyncio.wait_for(writer.drain(), _DRAIN_S)
    except WebSocketDisconnect:
        return
    except (OSError, TimeoutError) as error:
        logger.info("push: the worker does not accept frames: %s", error or "timeout")
        await socket.close(_TRY_LATER, "the stream's worker does not accept frames; try again")
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
