"""Where people reach the server, as the settings say: behind a proxy, under other names, below a path."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.settings import Settings

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Site:
    """The server as its visitors know it.

    url: scheme, host and path at which the page is, without a slash at its end; None where nobody said.
    hosts: names under which it may be asked; empty for any.
    """

    url: str | None = None
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "Site":
        """As the settings say."""
        return cls(settings.public_url, frozenset(name.lower() for name in settings.trusted_hosts))

    @property
    def path(self) -> str:
        """The path below which the page is, such as /watch; empty for none."""
        return urlsplit(self.url).path if self.url else ""

    def is_own_page(self, origin: str) -> bool:
        """Whether a page of this origin is ours: the address that people use, or one of the names."""
        try:
            found = urlsplit(origin.lower())
            name = found.hostname or ""
        except ValueError:
            return False
        if self.url is not None:
            own = urlsplit(self.url.lower())
            if (found.scheme, found.netloc) == (own.scheme, own.netloc):
                return True
        return found.scheme in ("http", "https") and self._is_named(name)

    def is_expected(self, host: str) -> bool:
        """Whether a request may ask for this host (its name, without a port)."""
        if not self.hosts or host.lower() in _LOOPBACK:
            return True
        return self._is_named(host.lower()) or (self.url is not None and host.lower() == urlsplit(self.url).hostname)

    def _is_named(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.hosts)


class BelowPath:
    """Serves below the path of the public address, whether the proxy in front keeps that path or takes it away.

    What is answered as a place to look at (Location) becomes an address that people can use.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] not in ("http", "websocket") or self._site.url is None:
            await self._app(scope, receive, send)
            return
        path = self._site.path
        if path and scope["path"] == path and scope["type"] == "http":
            # Relative addresses of the page need the slash.
            await RedirectResponse(f"{self._site.url}/", 308)(scope, receive, send)
            return
        if path and scope["path"].startswith(f"{path}/"):
            raw = scope.get("raw_path") or b""
            scope = {**scope, "path": scope["path"][len(path) :], "raw_path": raw.removeprefix(path.encode())}
        await self._app(scope, receive, self._placing(send))

    def _placing(self, send: Send) -> Send:
        async def placed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                place = headers.get("location", "")
                if place.startswith("/") and not place.startswith("//"):
                    headers["location"] = f"{self._site.url}{place}"
            await send(message)

        return placed
