"""The server's side of a connection, with an end to everything: heads that grow or trickle, bodies, idle readers."""

import asyncio
from collections import Counter

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.errors import BodyTooSlow, HeadersTooLarge, InvalidRequest, ServiceError, problem_of
from service.throttle import network_of_peer

HEAD_BYTES_MAX = 96 * 1024
"""Bytes without a sign of progress: a head, trailers, the extensions of a chunk. The gate is stricter and exact."""
HEAD_S = 10.0
DISCARD_S = 10.0
"""Seconds for what a client still sends after it has its answer."""
STUCK_S = 120.0
"""Seconds that a client may take nothing of an answer."""
WAITING_MAX = 512
"""Connections of one address that have not said yet what they want."""

_waiting: Counter[tuple[int, str]] = Counter()


class GuardedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with the limits above."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, server_state, app_state, _loop)
        self._silent_bytes = 0
        self._is_head = True
        self._is_message_over = True
        self._waits_as: tuple[int, str] | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._discard_timer: asyncio.TimerHandle | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is here: it has so many seconds to say what it wants."""
        super().connection_made(transport)
        place = (id(self.server_state), network_of_peer(self.client[0] if self.client else ""))
        if _waiting[place] >= WAITING_MAX:
            transport.abort()
            return
        _waiting[place] += 1
        self._waits_as = place
        self._head_timer = self.loop.call_later(HEAD_S, self._refuse, BodyTooSlow(f"no request within {HEAD_S:g} s"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: so are its timers."""
        self._stop_waiting()
        for timer in (self._discard_timer, self._stuck_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; so many of them must bring the request forward."""
        self._silent_bytes += len(data)
        super().data_received(data)
        if self._silent_bytes > HEAD_BYTES_MAX:
            self._refuse(HeadersTooLarge(f"over {HEAD_BYTES_MAX} bytes of headers"))

    def on_message_begin(self) -> None:
        """The first line of a request: the clock runs for the rest of its head."""
        super().on_message_begin()
        self._is_head, self._is_message_over = True, False
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(
                HEAD_S, self._refuse, BodyTooSlow(f"the headers took over {HEAD_S:g} s")
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; those that come behind a body are dropped."""
        if self._is_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._stop_waiting()
        self._silent_bytes = 0
        self._is_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._silent_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._silent_bytes = 0
        self._is_message_over = True
        if self._discard_timer is not None:
            self._discard_timer.cancel()
            self._discard_timer = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; what still comes of the request's body is read and dropped, for a while."""
        super().on_response_complete()
        if not self._is_message_over and self._discard_timer is None:
            self._discard_timer = self.loop.call_later(DISCARD_S, self.transport.close)

    def pause_writing(self) -> None:
        """The client takes nothing."""
        super().pause_writing()
        self._stuck_timer = self.loop.call_later(STUCK_S, self.transport.abort)

    def resume_writing(self) -> None:
        """It takes again."""
        super().resume_writing()
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is answered as every other fault."""
        self._refuse(InvalidRequest(msg), 400)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._waits_as is not None:
            _waiting[self._waits_as] -= 1
            if _waiting[self._waits_as] <= 0:
                del _waiting[self._waits_as]
            self._waits_as = None

    def _refuse(self, error: ServiceError, status: int | None = None) -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        # An answer is being sent already: a second one in its middle would be read as part of it.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            found = problem_of(error).model_copy(update={"status": status} if status else {})
            body = found.model_dump_json(exclude_none=True).encode()
            head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[found.status] + head % len(body) + body)
        self.transport.close()
