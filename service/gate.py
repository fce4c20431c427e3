"""The gate before every request: who asks is settled, and the body is measured, before anything of it is parsed."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from service.audit import RESOURCE, AuditLog, entry_now
from service.authentication import Authenticator, Caller, is_loopback
from service.database import be_brief
from service.errors import (
    BodyTooSlow,
    Forbidden,
    HeadersTooLarge,
    InvalidRequest,
    NotFound,
    ServiceError,
    TooLarge,
    TooManyAttempts,
    Unauthorized,
    UnsupportedBody,
)
from service.middleware import hostname, refuse
from service.security import ANYONE, PRINCIPAL, Principal

T = TypeVar("T")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOKING_MAX = 8
_HASHING_MAX = 2
_HASHING_WAIT_MAX = 16
_REVOKED = 1008
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may bring.

    streamed: paths that read a body themselves, piece by piece, with a limit of their own.
    recheck_s: how often the key of a long answer or of a WebSocket is looked up again.
    """

    header_bytes: int = 64 * 1024
    num_headers: int = 100
    url_bytes: int = 16 * 1024
    body_bytes: int = 2**20
    body_s: float = 30.0
    recheck_s: float = 5.0
    streamed: frozenset[str] = field(default=frozenset({"/v1/jobs"}))


_TRUE = frozenset({"true", "True", "TRUE", "1", "on", "yes"})


class Gate:
    """Lets through whoever may ask; nothing of a body is read for anybody else."""

    def __init__(self, app: ASGIApp, limits: RequestLimits = RequestLimits()) -> None:
        self._app = app
        self._limits = limits
        self._looking: CapacityLimiter | None = None
        self._hashing: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401, 403, 408, 413, 415, 422, 429, 431."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        be_brief()
        try:
            _measure_head(scope, self._limits)
            caller = await self._admit(scope)
            if _has_plain_body(scope, self._limits):
                receive = await _buffered(scope, receive, self._limits)
        except ServiceError as error:
            await refuse(error, scope, receive, send)
            return
        except _Left:
            return
        watch = _Watch(self, scope, caller, self._limits.recheck_s)
        if scope["type"] == "websocket":
            await self._app(scope, watch.receiving(receive, send), watch.sending(send))
        elif scope["method"] in _SAFE_METHODS:
            await self._app(scope, receive, watch.answering(send))
        else:
            await self._audited(scope, receive, watch.answering(send), caller)

    async def _audited(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        statuses: list[int] = []

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            principal = scope.get(PRINCIPAL)
            # Who has no key is not noted: strangers must not be able to push the others' lines out.
            if isinstance(principal, Principal):
                entry = entry_now(
                    principal.key_id, principal.name, principal.role, caller.address, scope["method"], _resource(scope),
                    statuses[-1] if statuses else 500,
                )  # fmt: skip
                audit = scope["app"].state.parts[AuditLog]
                await self.in_thread(lambda: audit.append(entry))

    async def _admit(self, scope: Scope) -> Caller:
        connection = HTTPConnection(scope)
        headers = connection.headers
        caller = Caller.of(headers, connection.cookies, scope.get("client"), scope.get("server"))
        authenticator = _authenticator(scope)
        if await self.in_thread(lambda: authenticator.is_open_to(caller)):
            # A foreign name that resolves to loopback would make its page our own.
            if not is_loopback(hostname(headers.get("host", ""))):
                host = headers.get("host", "")[:200]
                raise Forbidden(f"host {host!r} is not this machine's loopback address, and no API key exists")
            scope[PRINCIPAL] = ANYONE
            return caller
        need = _need(scope)
        if need == "none":
            return caller
        try:
            scope[PRINCIPAL] = await self._identify(authenticator, caller)
        except Unauthorized:
            if need == "key":
                raise
        return caller

    async def _identify(self, authenticator: Authenticator, caller: Caller) -> Principal:
        found = await self.in_thread(lambda: authenticator.recall(caller))
        if found is not None:
            return found
        self._hashing = self._hashing or CapacityLimiter(_HASHING_MAX)
        if self._hashing.statistics().tasks_waiting >= _HASHING_WAIT_MAX:
            raise TooManyAttempts(1)
        return await to_thread.run_sync(authenticator.verify, caller, limiter=self._hashing)

    async def in_thread(self, ask: Callable[[], T]) -> T:
        """What a question to the database answers; in threads of the gate's own, so that slow routes hold nobody up."""
        self._looking = self._looking or CapacityLimiter(_LOOKING_MAX)
        return await to_thread.run_sync(ask, limiter=self._looking)


class _Left(Exception):
    """The client closed the connection."""


class _Watch:
    """Ends a long answer or a WebSocket whose key was revoked meanwhile."""

    def __init__(self, gate: Gate, scope: Scope, caller: Caller, period_s: float) -> None:
        self._gate = gate
        self._scope = scope
        self._caller = caller
        self._period_s = period_s
        self._checked_s = time.monotonic()
        self._is_over = False
        self._is_endless = False

    async def _is_revoked(self) -> bool:
        principal = self._scope.get(PRINCIPAL)
        if self._is_over or principal is None or time.monotonic() - self._checked_s < self._period_s:
            return self._is_over
        self._checked_s = time.monotonic()
        authenticator = _authenticator(self._scope)
        try:
            self._is_over = not await self._gate.in_thread(lambda: authenticator.is_still(principal, self._caller))
        except ServiceError:
            return False  # a database that is away for a moment says nothing about the key
        return self._is_over

    async def _hang_up(self, send: Send) -> None:
        was_over = self._is_over
        if not await self._is_revoked():
            return
        if not was_over:
            await send({"type": "websocket.close", "code": _REVOKED, "reason": "the API key was revoked"})
        raise WebSocketDisconnect(_REVOKED)

    def sending(self, send: Send) -> Send:
        """The other side's messages until the key goes."""

        async def checked(message: Message) -> None:
            await self._hang_up(send)
            await send(message)

        return checked

    def receiving(self, receive: Receive, send: Send) -> Receive:
        """The client's messages until the key goes."""

        async def checked() -> Message:
            message = await receive()
            try:
                await self._hang_up(send)
            except WebSocketDisconnect:
                return {"type": "websocket.disconnect", "code": _REVOKED}
            return message

        return checked

    def answering(self, send: Send) -> Send:
        """An answer of unknown length until the key goes."""

        async def checked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._is_endless = "content-length" not in Headers(raw=message["headers"])
            elif self._is_endless and message.get("more_body", False):
                was_over = self._is_over
                if await self._is_revoked():
                    if not was_over:
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                    return
            if not self._is_over:
                await send(message)

        return checked


def _authenticator(scope: Scope) -> Authenticator:
    found = scope["app"].state.parts[Authenticator]
    assert isinstance(found, Authenticator)
    return found


def _need(scope: Scope) -> str:
    path = scope["path"]
    if path == "/v1/session" and scope.get("method") == "DELETE":
        return "none"
    if path.startswith("/v1/") or scope["type"] == "websocket":
        return "key"
    return "if any" if path == "/metrics" else "none"


def _measure_head(scope: Scope, limits: RequestLimits) -> None:
    headers = scope["headers"]
    size_bytes = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > limits.num_headers or size_bytes > limits.header_bytes:
        raise HeadersTooLarge(
            f"{len(headers)} headers of {size_bytes} bytes; at most {limits.num_headers} of {limits.header_bytes}"
        )
    url_bytes = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if url_bytes > limits.url_bytes:
        raise HeadersTooLarge(f"an address of {url_bytes} bytes; at most {limits.url_bytes}")
    if "\0" in scope["path"]:
        raise NotFound("the path holds a NUL character")
    if b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        raise InvalidRequest("the query holds a NUL character")
    coding = Headers(scope=scope).get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedBody(f"content encoding {coding[:40]!r}; bodies are taken as they are")


def _has_plain_body(scope: Scope, limits: RequestLimits) -> bool:
    return scope["type"] == "http" and scope["path"] not in limits.streamed


async def _buffered(scope: Scope, receive: Receive, limits: RequestLimits) -> Receive:
    """The whole body, once it has come; raises TooLarge, BodyTooSlow, InvalidRequest, _Left."""
    declared = Headers(scope=scope).get("content-length", "0")
    if declared.isascii() and declared.isdecimal() and len(declared) < 20 and int(declared) > limits.body_bytes:
        raise TooLarge(f"the body is {declared} bytes, the limit is {limits.body_bytes}")
    body = bytearray()
    try:
        with anyio.fail_after(limits.body_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Left
                body += message.get("body", b"")
                if len(body) > limits.body_bytes:
                    raise TooLarge(f"the body is over the limit of {limits.body_bytes} bytes")
                if not message.get("more_body", False):
                    break
    except TimeoutError as error:
        raise BodyTooSlow(f"the body did not arrive within {limits.body_s:g} s") from error
    if _NUL.search(body) or b"\0" in body:
        raise InvalidRequest("the body holds a NUL character")
    return _replay(bytes(body), receive)


def _replay(body: bytes, receive: Receive) -> Receive:
    rest = [body]

    async def replayed() -> Message:
        if rest:
            return {"type": "http.request", "body": rest.pop(), "more_body": False}
        return await receive()

    return replayed


def _resource(scope: Scope) -> str:
    """What was asked for; of the query only what makes a DELETE final, since texts of clients may be secrets."""
    is_purge = scope["method"] == "DELETE" and HTTPConnection(scope).query_params.get("purge", "") in _TRUE
    return f"{scope['path']}?purge=true" if is_purge else str(scope.get(RESOURCE, scope["path"]))
