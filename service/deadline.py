"""An end to a whole HTTP exchange: httpx's own timeouts begin again with every byte that trickles in."""

import contextlib
import socket
import threading
from collections.abc import Mapping
from types import TracebackType


class Deadline:
    """Shuts the connection of one exchange after so many seconds; used as a context manager around the request.

    Give `trace` to the request as its extension of that name, and let it open a connection of its own.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.is_over = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def trace(self, name: str, info: Mapping[str, object]) -> None:
        """Told by httpcore what happens; a connection that opens is remembered."""
        if not name.endswith((".connect_tcp.complete", ".start_tls.complete")):
            return
        find = getattr(info.get("return_value"), "get_extra_info", lambda _: None)
        found = find("socket")
        if not isinstance(found, socket.socket):
            return
        with self._lock:
            self._sockets.append(found)
            if self.is_over:
                _shut(found)

    def __enter__(self) -> "Deadline":
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        with self._lock:
            self.is_over = True
            for found in self._sockets:
                _shut(found)


def _shut(found: socket.socket) -> None:
    # Of the plain socket: the TLS layer's own would wait for the other side.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(found, socket.SHUT_RDWR)
