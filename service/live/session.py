"""One client's session: it subscribes, catches up from the log, then follows live; heartbeats fill the silence."""

import asyncio
import contextlib
import logging

from pydantic import JsonValue, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.event_log import EventLog, Message
from service.live.hub import Client, Hub
from service.live.peers import PeerFrames
from service.live.subscription import Subscribe

logger = logging.getLogger(__name__)

_PAGE_ROWS = 200
_MESSAGE_CHARS_MAX = 64 * 1024
TRY_AGAIN_LATER = 1013


class _TooSlow(Exception):
    """The client does not read what it asked for fast enough."""


class Session:
    """Serves one accepted WebSocket until either side closes it.

    heartbeat_s: seconds of silence after which a heartbeat is sent.
    send_timeout_s: seconds that sending one message may take.
    peers: what other servers tell that is in no log; None where there are none.
    """

    def __init__(
        self, socket: WebSocket, hub: Hub, log: EventLog, heartbeat_s: float = 15.0, send_timeout_s: float = 20.0,
        peers: PeerFrames | None = None,
    ) -> None:  # fmt: skip
        self._socket = socket
        self._hub = hub
        self._log = log
        self._heartbeat_s = heartbeat_s
        self._send_timeout_s = send_timeout_s
        self._peers = peers
        self._following: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()
        self._told_seq = 0

    async def run(self, first: Subscribe | None = None) -> None:
        """Serve until the end; `first` is a subscription that the path implies."""
        client = self._hub.join()
        if client is None:
            await self._close("too many clients")
            return
        telling = asyncio.create_task(self._tell(client))
        hearing = asyncio.create_task(self._hear(client, first))
        try:
            done, _ = await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except _TooSlow as error:
            await self._close(str(error))
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises RuntimeError when the other side closed while we were sending.
            logger.debug("live client left: %s", error)
        finally:
            for task in (telling, hearing):
                task.cancel()
            await asyncio.gather(telling, hearing, return_exceptions=True)
            await self._unfollow()
            self._hub.leave(client)

    async def _hear(self, client: Client, first: Subscribe | None) -> None:
        if first is not None:
            await self._subscribe(client, first)
        while True:
            text = await self._hear_text()
            if text is None:
                detail = f"expected a text message of at most {_MESSAGE_CHARS_MAX} characters"
                await self._say("error", {"code": "invalid_message", "detail": detail})
                continue
            try:
                wanted = Subscribe.model_validate_json(text)
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(map(str, fault["loc"])) or "message"
                await self._say("error", {"code": "invalid_message", "detail": f"{where}: {fault['msg']}"})
                continue
            await self._subscribe(client, wanted)

    async def _hear_text(self) -> str | None:
        """The next message; None for one that is not text, or too long. Raises WebSocketDisconnect."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text = message.get("text")
        return text if isinstance(text, str) and len(text) <= _MESSAGE_CHARS_MAX else None

    async def _subscribe(self, client: Client, wanted: Subscribe) -> None:
        async with self._sending:
            # From here on live messages wait in the queue; what the log has up to `head` is sent before them.
            client.interest = wanted.interest()
            head = await run_in_threadpool(self._log.head)
            since = head if wanted.since_seq is None else wanted.since_seq
            asked: dict[str, JsonValue] = wanted.model_dump(exclude={"type"}, exclude_none=True)
            self._told_seq = min(since, head)
            await self._send(Message("subscribed", {**asked, "head_seq": head}))
            await self._catch_up(client, since, head)
        await self._unfollow()
        if self._peers is not None:
            self._following = asyncio.create_task(self._peers.run(wanted, client.put))

    async def _unfollow(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _catch_up(self, client: Client, since: int, head: int) -> None:
        if since > head:
            await self._send_gap(head, since, "unknown_seq")
        oldest = await run_in_threadpool(self._log.oldest)
        first = head + 1 if oldest is None else oldest
        if since + 1 < first and since < head:
            await self._send_gap(since + 1, first - 1, "retention")
        after = max(since, first - 1)
        while after < head:
            page = await run_in_threadpool(self._log.read, after, head, _PAGE_ROWS)
            if not page:
                break
            for message in page:
                if client.interest is not None and client.interest.covers(message):
                    await self._send(message)
                self._told_seq = after = message.seq
        self._told_seq = head

    async def _tell(self, client: Client) -> None:
        while True:
            message = await client.get(self._heartbeat_s)
            if client.is_overrun:
                raise _TooSlow("reads too slowly; resume with since_seq")
            async with self._sending:
                if message is None:
                    await self._send(Message("heartbeat"))
                elif not 0 < message.seq <= self._told_seq:
                    await self._send(message)

    async def _say(self, kind: str, data: dict[str, JsonValue]) -> None:
        async with self._sending:
            await self._send(Message(kind, data))

    async def _send_gap(self, from_seq: int, to_seq: int, reason: str) -> None:
        await self._send(Message("gap", {"from_seq": from_seq, "to_seq": to_seq, "reason": reason}))

    async def _send(self, message: Message) -> None:
        self._told_seq = max(self._told_seq, message.seq)
        text = self._hub.texts.of(message, self._told_seq)
        try:
            await asyncio.wait_for(self._socket.send_text(text), self._send_timeout_s)
        except TimeoutError as error:
            raise _TooSlow("read no message in time; resume with since_seq") from error

    async def _close(self, reason: str) -> None:
        with contextlib.suppress(RuntimeError, TimeoutError, WebSocketDisconnect):
            await asyncio.wait_for(self._socket.close(TRY_AGAIN_LATER, reason), self._send_timeout_s)
