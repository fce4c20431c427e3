"""HEAD wherever there is a GET, as RFC 9110 asks: players look at a video's head before they play it."""

import anyio
import anyio.lowlevel
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Answers HEAD with the head of GET's answer, and ends there, also where that one would go on for ever."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif message.get("more_body", False):
                # A file of gigabytes is not read, a moving picture not waited for.
                whole.cancel()
                await anyio.lowlevel.checkpoint()

        with anyio.CancelScope() as whole:
            await self._app({**scope, "method": "GET"}, receive, send_head)
