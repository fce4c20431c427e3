"""What holds for every request: headers that guard the browser, and origins that may change something."""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from service.errors import Forbidden, ServiceError, answer, problem, problem_of
from service.site import Site

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CONTENT_SECURITY = "; ".join(
    (
        "default-src 'self'", "img-src 'self' data: blob:", "media-src 'self' blob:", "connect-src 'self' ws: wss:",
        "worker-src 'self'", "manifest-src 'self'",
        "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    )
)  # fmt: skip
_FIRST_ERROR = 400
_TEXT_BYTES_MAX = 1000
_CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 416: "range_not_satisfiable"}
# The pages that FastAPI makes load their scripts from a CDN; they are served without this policy only there.
_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class SecurityHeaders:
    """Adds the headers that keep a browser from doing more than the page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(("/v1/", "/metrics", "/healthz", "/readyz")):
                    headers.setdefault("Cache-Control", "no-store")
                elif scope["path"].startswith("/assets/"):
                    # Asked again each time (and answered 304): half of an old page with half of a new one breaks.
                    headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


class PlainProblems:
    """Turns errors that a library answers as bare text, such as a range that a file has not, into problems."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []
        text = bytearray()

        async def translated(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_bare(message):
                held.append(message)
            elif not held:
                await send(message)
            else:
                text.extend(message.get("body", b"")[:_TEXT_BYTES_MAX])
                if not message.get("more_body", False):
                    await _problem(held[0], bytes(text), scope)(scope, receive, send)

        await self._app(scope, receive, translated)


def _is_bare(message: Message) -> bool:
    content_type = Headers(raw=message["headers"]).get("content-type", "")
    return message["status"] >= _FIRST_ERROR and content_type.partition(";")[0] in ("", "text/plain")


def _problem(start: Message, text: bytes, scope: Scope) -> Response:
    headers = Headers(raw=start["headers"])
    kept = {name: value for name, value in headers.items() if name not in ("content-type", "content-length")}
    detail = (
        text.decode("utf-8", "replace") or f"{scope['method']} {scope['path']}: {HTTPStatus(start['status']).phrase}"
    )
    return answer(problem(start["status"], _CODES.get(start["status"], "http_error"), detail), kept)


class OriginGuard:
    """Refuses what another site's page sends through a visitor's browser, and names that are not expected.

    Changes and WebSockets must come from our own page or from no page at all. Our own page is at the host that was
    asked for; behind a proxy that sends its own Host, at the one in X-Forwarded-Host, which no page of another site can
    set, or at the address that the settings name.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] in ("http", "websocket"):
            reason = _foreign_host(scope, self._site) or _foreign_origin(scope, self._site)
            if reason is not None:
                await refuse(Forbidden(reason), scope, receive, send)
                return
        await self._app(scope, receive, send)


def _foreign_host(scope: Scope, site: Site) -> str | None:
    host = Headers(scope=scope).get("host", "")
    if site.is_expected(hostname(host)):
        return None
    return f"host {host[:200]!r} is not among ACTOGRAM_TRUSTED_HOSTS"


def _foreign_origin(scope: Scope, site: Site) -> str | None:
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    is_change = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
    if not is_change or origin is None or site.is_own_page(origin):
        return None
    try:
        found = urlsplit(origin).netloc.lower()
    except ValueError:
        found = ""
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    own = {host.lower() for host in (headers.get("host", ""), forwarded) if host}
    if found in own:
        return None
    return (
        f"origin {origin[:200]!r} is not this service's own page ({headers.get('host', '')[:200]}); behind a proxy, "
        "set ACTOGRAM_PUBLIC_URL to the address that people use, or let the proxy pass the Host on"
    )


def hostname(host: str) -> str:
    """The name in a Host header; empty for one that cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


async def refuse(error: ServiceError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request or a WebSocket's handshake with a problem."""
    response = answer(problem_of(error), error.headers)
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    if "websocket.http.response" in scope.get("extensions", {}):
        await socket.send_denial_response(response)
    else:
        await socket.close(1008, str(error)[:120])
