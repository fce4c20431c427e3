"""The worker's end of a pushed stream: takes frames from the web process over a local socket."""

import contextlib
import logging
import socket
import struct
import threading
from pathlib import Path

from pipelines.stream.sources.push import PushFeed
from service.protocol.push_socket import MESSAGE_BYTES_MAX, reachable

logger = logging.getLogger(__name__)

_ACCEPT_S = 0.2
_BACKLOG = 1


class PushServer:
    """Listens on a socket file and puts what one client at a time sends into a feed."""

    def __init__(self, path: Path, feed: PushFeed) -> None:
        self._path = path
        self._feed = feed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with reachable(self._path) as short:
            self._listener.bind(short)
        self._listener.listen(_BACKLOG)
        self._listener.settimeout(_ACCEPT_S)
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the thread."""
        self._stopping.set()
        self._thread.join(5)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError as error:
                logger.warning("push: cannot listen: %s", error)
                return
            with client, contextlib.suppress(OSError, EOFError):
                client.settimeout(_ACCEPT_S)
                self._serve(client)
            self._feed.end()

    def _serve(self, client: socket.socket) -> None:
        while not self._stopping.is_set():
            (size,) = struct.unpack(">I", self._read(client, 4))
            if size > MESSAGE_BYTES_MAX:
                return
            self._feed.put(self._read(client, size))

    def _read(self, client: socket.socket, size: int) -> bytes:
        held = bytearray()
        while len(held) < size:
            if self._stopping.is_set():
                raise EOFError
            try:
                piece = client.recv(size - len(held))
            except TimeoutError:
                continue
            if not piece:
                raise EOFError
            held += piece
        return bytes(held)
