"""The WebSocket at /v1/ws."""

from typing import Annotated

from fastapi import APIRouter, Depends, WebSocket

from service.deps import provided
from service.errors import Unauthorized, answer, problem_of
from service.event_log import EventLog
from service.live.hub import Hub
from service.live.session import Session
from service.security import Authenticator

router = APIRouter()

HubDep = Annotated[Hub, Depends(provided(Hub))]
LogDep = Annotated[EventLog, Depends(provided(EventLog))]
AuthenticatorDep = Annotated[Authenticator, Depends(provided(Authenticator))]


@router.websocket("/v1/ws")
async def live(socket: WebSocket, hub: HubDep, log: LogDep, authenticator: AuthenticatorDep) -> None:
    """Tell what happens to whoever subscribes."""
    try:
        authenticator.require(socket.headers, socket.cookies)
    except Unauthorized as error:
        await socket.send_denial_response(answer(problem_of(error), error.headers))
        return
    await socket.accept()
    await Session(socket, hub, log).run()
