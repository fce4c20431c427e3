"""The WebSocket at /v1/ws."""

from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket

from service.deps import provided
from service.errors import Unauthorized, answer, problem_of
from service.event_log import EventLog
from service.live.hub import Hub
from service.live.session import Session
from service.security import principal_of

router = APIRouter()

HubDep = Annotated[Hub, Depends(provided(Hub))]
LogDep = Annotated[EventLog, Depends(provided(EventLog))]


@router.websocket("/v1/ws")
async def live(socket: WebSocket, hub: HubDep, log: LogDep) -> None:
    """Tell what happens to whoever subscribes."""
    try:
        principal_of(socket)
    except Unauthorized as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    await Session(socket, hub, log).run()
