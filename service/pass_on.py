"""Passes on to another server what only the one can answer whose worker has the stream: pictures, figures, pushes.

Whoever asks has been let in here already, and asks there with the same key: keys are in the database that both share.
"""

import asyncio
import contextlib
import functools
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx
import websockets
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection

from service.errors import ServiceError
from service.live.peers import PEER
from service.protocol.push_socket import MESSAGE_BYTES_MAX
from service.replica_wiring import Replicas

logger = logging.getLogger(__name__)

_OF_WORKERS = (
    re.compile(r"/v1/streams/([^/]+)/(?:status|snapshot|preview|push|ws)"),
    re.compile(r"/v1/tracks/(.+):\d+/keypoints"),
)
_ASKED = ("accept", "accept-encoding", "authorization", "cookie", "user-agent")
_ANSWERED = (
    "cache-control", "content-disposition", "content-encoding", "content-length", "content-type", "retry-after", "vary",
)  # fmt: skip
_CONNECT_S = 3.0
_SILENCE_S = 30.0


class PassOn:
    """Asks another server where it has the stream that a path names; where it cannot be reached, this one answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or let it through."""
        url = await _other(scope) if scope["type"] in ("http", "websocket") else None
        if url is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._ask(url, scope, receive, send)
        else:
            await self._join(url, scope, receive, send)

    async def _ask(self, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        timeout = httpx.Timeout(_SILENCE_S, connect=_CONNECT_S)
        async with httpx.AsyncClient(timeout=timeout, trust_env=False, verify=_trusted()) as client:
            request = client.build_request(scope["method"], _target(url, scope), headers=_asked(scope))
            try:
                answer = await client.send(request, stream=True)
            except httpx.TransportError as error:
                logger.warning("%s does not answer: %s", url, type(error).__name__)
                await self._app(scope, receive, send)
                return
            headers = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
            try:
                await StreamingResponse(_pieces(answer), answer.status_code, headers)(scope, receive, send)
            finally:
                await answer.aclose()

    async def _join(self, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        try:
            async with websockets.connect(
                _target(url, scope).replace("http", "ws", 1), additional_headers=_asked(scope), proxy=None,
                open_timeout=_CONNECT_S, max_size=MESSAGE_BYTES_MAX, user_agent_header=None,
            ) as other:  # fmt: skip
                await socket.accept()
                await _carry(socket, other)
        except websockets.InvalidStatus as error:
            await socket.send_denial_response(_denial(error))
        except (OSError, TimeoutError, websockets.InvalidHandshake) as error:
            logger.warning("%s does not answer: %s", url, type(error).__name__)
            await self._app(scope, receive, send)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The machine's authorities; reading them takes longer than most requests."""
    return ssl.create_default_context()


async def _other(scope: Scope) -> str | None:
    """The server that has the stream of a path; None for this one."""
    match = next((found for one in _OF_WORKERS if (found := one.fullmatch(scope["path"]))), None)
    # Two servers may disagree for a moment who has a stream.
    if match is None or PEER in Headers(scope=scope):
        return None
    replicas = scope["app"].state.parts[Replicas]
    assert isinstance(replicas, Replicas)
    if replicas.membership.is_alone:
        return None
    try:
        return await run_in_threadpool(replicas.url_of_stream, match[1])
    except ServiceError:
        return None  # whoever answers here says what is wrong with the database


def _target(url: str, scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1").partition("?")[0]
    return f"{url}{path}{f'?{query}' if query else ''}"


def _asked(scope: Scope) -> Mapping[str, str]:
    headers = Headers(scope=scope)
    return {PEER: "1", **{name: headers[name] for name in _ASKED if name in headers}}


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    with contextlib.suppress(httpx.TransportError):  # a picture that ends because its server does
        async for piece in answer.aiter_raw():
            yield piece


def _denial(error: websockets.InvalidStatus) -> Response:
    found = error.response
    kind = found.headers.get("content-type", "text/plain")
    return Response(found.body or b"", found.status_code, media_type=kind)


async def _carry(socket: WebSocket, other: ClientConnection) -> None:
    """Messages both ways, until either side ends; the other one is told why."""
    tasks = {asyncio.create_task(_carry_in(socket, other)), asyncio.create_task(_carry_out(socket, other))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.close(_code(other.close_code), other.close_reason or "")


async def _carry_in(socket: WebSocket, other: ClientConnection) -> None:
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text: str | bytes = message.get("text") or message.get("bytes") or b""
        await other.send(text)


async def _carry_out(socket: WebSocket, other: ClientConnection) -> None:
    async for message in other:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))


def _code(found: int | None) -> int:
    """The close code to tell; what no peer may send, such as 1006, becomes `try again later`."""
    return found if found is not None and found not in (1005, 1006, 1015) else 1013
