"""The WebSockets that tell what happens: /v1/ws for everything, /v1/streams/{stream_id}/ws for one stream."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket
from starlette.concurrency import run_in_threadpool

from service.deps import provided
from service.errors import InvalidRequest, ServiceError, answer, problem_of
from service.event_log import EventLog
from service.live.hub import Hub
from service.live.peers import PEER, PeerFrames, PeerUrls
from service.live.session import Session
from service.live.subscription import Subscribe
from service.numbers import parse_integer
from service.security import principal_of, require_rank

router = APIRouter(prefix="/v1")

_OF_ONE_STREAM = ["action", "track", "stream", "clip", "frame"]


@dataclass(frozen=True, slots=True)
class StreamDirectory:
    """Which streams there are; the streams' slice answers, and wiring.py joins the two.

    require: raises NotFound for a stream that does not exist.
    """

    require: Callable[[str], object]


HubDep = Annotated[Hub, Depends(provided(Hub))]
LogDep = Annotated[EventLog, Depends(provided(EventLog))]
UrlsDep = Annotated[PeerUrls, Depends(provided(PeerUrls))]
DirectoryDep = Annotated[StreamDirectory, Depends(provided(StreamDirectory))]


@router.websocket("/ws")
async def live(socket: WebSocket, hub: HubDep, log: LogDep, urls: UrlsDep) -> None:
    """Tell a client what happens, once it has subscribed."""
    try:
        require_rank(principal_of(socket), "viewer")
    except ServiceError as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    await Session(socket, hub, log, peers=_peers(socket, urls)).run()


@router.websocket("/streams/{stream_id}/ws")
async def watch_stream(socket: WebSocket, stream_id: str, directory: DirectoryDep, hub: HubDep, log: LogDep) -> None:
    """The live channel, already subscribed to one stream, frames included."""
    try:
        require_rank(principal_of(socket), "viewer")
        await run_in_threadpool(directory.require, stream_id)
        since_seq = _since(socket)
    except ServiceError as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    first = Subscribe(
        type="subscribe", streams=[stream_id], jobs=None, messages=_OF_ONE_STREAM, since_seq=since_seq,
        max_rate_hz=None,
    )  # fmt: skip
    await Session(socket, hub, log).run(first)


def _peers(socket: WebSocket, urls: PeerUrls) -> PeerFrames | None:
    """The other servers, as this client may ask them; none for a server that asks for one of its own clients."""
    if PEER in socket.headers:
        return None
    shown = {name: socket.headers[name] for name in ("authorization", "cookie") if name in socket.headers}
    return PeerFrames(urls, {PEER: "1", **shown})


def _since(socket: WebSocket) -> int | None:
    text = socket.query_params.get("since_seq", "")
    found = parse_integer(text)
    if text and found is None:
        raise InvalidRequest(f"query.since_seq: found {text[:64]!r}, expected a number that a message carried")
    return found
