"""What holds for every request: headers that guard the browser, and origins that may change something."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from service.errors import Forbidden, ServiceError, answer, problem_of

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_CONTENT_SECURITY = "; ".join(
    (
        "default-src 'self'", "img-src 'self' data: blob:", "media-src 'self' blob:", "connect-src 'self' ws: wss:",
        "object-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'",
    )
)  # fmt: skip
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


class OriginGuard:
    """Refuses what another site's page sends through a visitor's browser.

    Changes and WebSockets must come from our own page or from no page at all. Behind a proxy that sends its own Host,
    the page's host is the one in X-Forwarded-Host: no page of another site can set that header.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] in ("http", "websocket"):
            reason = _foreign_origin(scope)
            if reason is not None:
                await refuse(Forbidden(reason), scope, receive, send)
                return
        await self._app(scope, receive, send)


def _foreign_origin(scope: Scope) -> str | None:
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    is_change = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
    if not is_change or origin is None:
        return None
    try:
        found = urlsplit(origin).netloc.lower()
    except ValueError:
        found = ""
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    own = {host.lower() for host in (headers.get("host", ""), forwarded) if host}
    return None if found in own else f"origin {origin[:200]!r} is not this service's own page"


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
