"""The paths below /v1/streams, and /v1/capacity."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, WebSocket
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from service.deps import provided
from service.errors import Forbidden, InvalidRequest, NotReady, ServiceError, answer, problem_of
from service.idempotency import IdempotencyKey
from service.paging import cut_page, decode_cursor
from service.protocol.stream_config import StreamConfig
from service.responses import picture, problems
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


@dataclass(frozen=True, slots=True)
class StreamEraser:
    """Erases all that a stream left; wiring.py joins it with the other slices.

    erase: False when that goes on after the call.
    """

    erase: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How a stream's rules over time stand, which another slice knows.

    states: of a stream, by the rules' names.
    """

    states: Callable[[str], dict[str, str]]


ControlDep = Annotated[StreamControl, Depends(provided(StreamControl))]
PreviewsDep = Annotated[Previews, Depends(provided(Previews))]
FoldersDep = Annotated[StreamFolders, Depends(provided(StreamFolders))]
EraserDep = Annotated[StreamEraser, Depends(provided(StreamEraser))]
RulesDep = Annotated[StreamRules, Depends(provided(StreamRules))]


_REFUSED = problems(
    {
        403: "`source_forbidden`: an address that the settings do not allow; `forbidden`",
        422: "`invalid_request`, `model_unknown`, `layout_not_served`",
        429: "`at_capacity`: it does not fit; the text names a rate that would; `too_many_attempts`; see Retry-After",
    }
)
_NO_PICTURE = problems(
    {403: "`forbidden`: it shows no pictures (`privacy.pictures`)", 409: "`no_picture`: none came in time"}
)


@router.get("/streams", dependencies=[Viewer], summary="List streams")
def list_streams(
    control: ControlDep, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> StreamPage:
    """By id."""
    rows = control.page("" if cursor is None else decode_cursor(cursor)[0], limit + 1)
    shown, more = cut_page(rows, limit, lambda row: (row.stream_id,))
    return StreamPage(items=[control.read(row) for row in shown], next_cursor=more)


@router.post(
    "/streams", status_code=201, dependencies=[Operator], summary="Add a stream",
    responses={
        **_REFUSED,
        **problems({409: "`idempotency_conflict`: the key was already used with a different body"}),
    },
)  # fmt: skip
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


@router.patch("/streams/{stream_id}", dependencies=[Operator], summary="Change a stream", responses=_REFUSED)
def change_stream(stream_id: str, patch: StreamPatch, control: ControlDep) -> StreamRead:
    """`enabled: false` pauses. Zones, rules and tags change without a new start; the rest starts it anew."""
    return control.read(control.change(stream_id, patch))


@router.delete(
    "/streams/{stream_id}", status_code=204, dependencies=[Operator], response_class=Response,
    summary="Remove a stream",
    responses={202: {"description": "Purging goes on: a worker or a sink has not let go of the stream yet."}},
)  # fmt: skip
def delete_stream(
    stream_id: str, control: ControlDep, eraser: EraserDep, connection: HTTPConnection,
    purge: Annotated[bool, Query(description="Erase all that it left: events, clips, tracks, messages.")] = False,
) -> Response:  # fmt: skip
    """Legal in every state, and for a stream that is gone already. Its events stay, unless they are purged (admin)."""
    if purge:
        require_rank(principal_of(connection), "admin")
        return Response(status_code=204 if eraser.erase(stream_id) else 202)
    control.remove(stream_id)
    return Response(status_code=204)


@router.get("/streams/{stream_id}/status", dependencies=[Viewer], summary="How a stream is")
def get_status(stream_id: str, control: ControlDep, rules: RulesDep) -> StreamStatusRead:
    """State, rates, latency, drops, and how its rules over time stand."""
    status = control.status(control.require(stream_id))
    return status.model_copy(update={"timed_rules": rules.states(stream_id)})


@router.get(
    "/streams/{stream_id}/snapshot", dependencies=[Viewer], response_class=Response, summary="One picture",
    responses={**picture("The picture.", "image/jpeg"), **_NO_PICTURE},
)  # fmt: skip
async def get_snapshot(stream_id: str, control: ControlDep, previews: PreviewsDep) -> Response:
    """The next analysed picture, JPEG."""
    row = await run_in_threadpool(_require_pictures, control, stream_id)
    found = await previews.snapshot(row.stream_id, _SNAPSHOT_S)
    if found is None:
        raise NotReady(f"stream {stream_id} is {row.state}: no picture came in {_SNAPSHOT_S:g} s", "no_picture")
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.get(
    "/streams/{stream_id}/preview", dependencies=[Viewer], response_class=StreamingResponse, summary="Moving pictures",
    responses={
        **picture("Pictures, one after the other.", "multipart/x-mixed-replace"), **_NO_PICTURE,
        **problems({429: "`at_capacity`: too many previews are open; `too_many_attempts`; see Retry-After"}),
    },
)  # fmt: skip
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


def _is_push(row: StreamRow) -> bool:
    return StreamConfig.model_validate(dict(row.config)).source.uri == "push:"


def _require_pictures(control: StreamControl, stream_id: str) -> StreamRow:
    row = control.require(stream_id)
    if not row.is_enabled:
        raise NotReady(f"stream {stream_id} is disabled: it has no picture", "no_picture")
    if not StreamConfig.model_validate(dict(row.config)).privacy.pictures:
        raise Forbidden(f"stream {stream_id} shows no pictures: privacy.pictures is false")
    return row
