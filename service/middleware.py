"""What holds for every request: headers that guard the browser, and origins that may change something."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import answer, problem

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

    Changes and WebSockets must come from our own page or from no page at all. While no key exists, the name in the
    address must be this machine's, too: a foreign name that resolves to loopback would make its page our own.
    """

    def __init__(self, app: ASGIApp, is_open: Callable[[], bool]) -> None:
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] in ("http", "websocket"):
            reason = self._reason(scope)
            if reason is not None:
                await _refuse(reason, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _reason(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._is_open() and not is_loopback(_hostname(host)):
            return f"host {host!r} is not this machine's loopback address, and no API key exists"
        origin = headers.get("origin")
        is_change = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if is_change and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return f"origin {origin!r} is not this service's own page"
        return None


def _hostname(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse(reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": reason[:120]})
        return
    await answer(problem(403, "forbidden", reason))(scope, receive, send)
