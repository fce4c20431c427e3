"""The paths below /v1/streams, and /v1/capacity."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from service.deps import provided
from service.envelope import Subscribe
from service.errors import Forbidden, InvalidRequest, NotReady, ServiceError, answer, problem_of
from service.event_log import EventLog
from service.live.hub import Hub
from service.live.session import Session
from service.numbers import parse_integer
from service.protocol.stream_config import StreamConfig
from service.security import Operator, Viewer, principal_of, require_rank
from service.streams import push_relay
from service.streams.control import StreamControl
from service.streams.folders import StreamFolders
from service.streams.pictures import BOUNDARY, Previews
from service.streams.schemas import (
    CapacityRead,
    StreamCreate,
    StreamPage,
    StreamPatch,
    StreamRead,
    StreamStatusRead,
)
from service.streams.store import StreamRow

router = APIRouter(prefix="/v1", tags=["streams"])
sockets = APIRouter(prefix="/v1")

_SNAPSHOT_S = 3.0
_PREVIEW_SILENCE_S = 20.0

ControlDep = Annotated[StreamControl, Depends(provided(StreamControl))]
PreviewsDep = Annotated[Previews, Depends(provided(Previews))]
FoldersDep = Annotated[StreamFolders, Depends(provided(StreamFolders))]
HubDep = Annotated[Hub, Depends(provided(Hub))]
LogDep = Annotated[EventLog, Depends(provided(EventLog))]
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255)]


@router.get("/streams", dependencies=[Viewer], summary="List streams")
def list_streams(
    control: ControlDep, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> StreamPage:
    """By id."""
    rows = control.page("" if cursor is None else _decode(cursor), limit + 1)
    more = _encode(rows[limit - 1].stream_id) if len(rows) > limit else None
    return StreamPage(items=[control.read(row) for row in rows[:limit]], next_cursor=more)


@router.post("/streams", status_code=201, dependencies=[Operator], summary="Add a stream")
def create_stream(
    wanted: StreamCreate, response: Response, control: ControlDep, idempotency_key: IdempotencyKey = None
) -> StreamRead:
    """Succeeds while the camera is off: the stream is then `connecting`."""
    row, is_replay = control.create(wanted, idempotency_key)
    response.headers["Location"] = f"/v1/streams/{row.stream_id}"
    if is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    return control.read(row)


@router.get("/streams/{stream_id}", dependencies=[Viewer], summary="Look at a stream")
def get_stream(stream_id: str, control: ControlDep) -> StreamRead:
    """Its settings, without the credentials of its source, and its state."""
    return control.read(control.require(stream_id))


@router.patch("/streams/{stream_id}", dependencies=[Operator], summary="Change a stream")
def change_stream(stream_id: str, patch: StreamPatch, control: ControlDep) -> StreamRead:
    """`enabled: false` pauses. Zones, rules and tags change without a new start; the rest starts it anew."""
    return control.read(control.change(stream_id, patch))


@router.delete("/streams/{stream_id}", status_code=204, dependencies=[Operator], summary="Remove a stream")
def delete_stream(stream_id: str, control: ControlDep) -> None:
    """Legal in every state, and for a stream that is gone already. Its events stay."""
    control.remove(stream_id)


@router.get("/streams/{stream_id}/status", dependencies=[Viewer], summary="How a stream is")
def get_status(stream_id: str, control: ControlDep) -> StreamStatusRead:
    """State, rates, latency, drops."""
    return control.status(control.require(stream_id))


@router.get("/streams/{stream_id}/snapshot", dependencies=[Viewer], response_class=Response, summary="One picture")
async def get_snapshot(stream_id: str, control: ControlDep, previews: PreviewsDep) -> Response:
    """The next analysed picture, JPEG."""
    row = await run_in_threadpool(_require_pictures, control, stream_id)
    found = await previews.snapshot(row.stream_id, _SNAPSHOT_S)
    if found is None:
        raise NotReady(f"stream {stream_id} is {row.state}: no picture came in {_SNAPSHOT_S:g} s", "no_picture")
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get(
    "/streams/{stream_id}/preview", dependencies=[Viewer], response_class=StreamingResponse, summary="Moving pictures"
)
async def get_preview(stream_id: str, control: ControlDep, previews: PreviewsDep) -> StreamingResponse:
    """Low-rate MJPEG (multipart/x-mixed-replace)."""
    row = await run_in_threadpool(_require_pictures, control, stream_id)
    previews.require_seat()
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
    body = previews.preview(row.stream_id, _PREVIEW_SILENCE_S)
    return StreamingResponse(body, media_type=media_type, headers={"Cache-Control": "no-store"})


@router.get("/capacity", dependencies=[Viewer], summary="What fits")
def get_capacity(control: ControlDep) -> CapacityRead:
    """How many further streams the workers take, and why not more."""
    return control.capacity()


@sockets.websocket("/streams/{stream_id}/ws")
async def watch_stream(socket: WebSocket, stream_id: str, control: ControlDep, hub: HubDep, log: LogDep) -> None:
    """The live channel, already subscribed to one stream, frames included."""
    try:
        require_rank(principal_of(socket), "viewer")
        await run_in_threadpool(control.require, stream_id)
        since_seq = _since(socket)
    except ServiceError as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    families = ["action", "track", "stream", "clip", "frame"]
    first = Subscribe(
        type="subscribe", streams=[stream_id], jobs=None, messages=families, since_seq=since_seq, max_rate_hz=None
    )
    await Session(socket, hub, log).run(first)


@sockets.websocket("/streams/{stream_id}/push")
async def push_frames(socket: WebSocket, stream_id: str, control: ControlDep, folders: FoldersDep) -> None:
    """Frames from the client: binary messages, each one JPEG, or H.264 in MPEG-TS."""
    try:
        require_rank(principal_of(socket), "operator")
        row = await run_in_threadpool(control.require, stream_id)
        if not _is_push(row):
            raise InvalidRequest(f"stream {stream_id} has a source of its own; frames go to a stream of `push:`")
    except ServiceError as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    await push_relay.relay(socket, folders.socket(stream_id))


def _since(socket: WebSocket) -> int | None:
    text = socket.query_params.get("since_seq", "")
    found = parse_integer(text)
    if text and found is None:
        raise InvalidRequest(f"query.since_seq: found {text[:64]!r}, expected a number that a message carried")
    return found


def _is_push(row: StreamRow) -> bool:
    return StreamConfig.model_validate(dict(row.config)).source.uri == "push:"


def _require_pictures(control: StreamControl, stream_id: str) -> StreamRow:
    row = control.require(stream_id)
    if not row.is_enabled:
        raise NotReady(f"stream {stream_id} is disabled: it has no picture", "no_picture")
    if not StreamConfig.model_validate(dict(row.config)).privacy.pictures:
        raise Forbidden(f"stream {stream_id} shows no pictures: privacy.pictures is false")
    return row


def _encode(stream_id: str) -> str:
    return base64.urlsafe_b64encode(stream_id.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("cursor is none that this service gave") from error
